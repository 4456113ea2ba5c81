// How far the reading is: for the eye all the time, for a screen reader at the beginning and the end.

import { counted } from "./words.js";

const section = document.getElementById("progress");
const bar = section.querySelector("progress");
const text = document.getElementById("progress-text");
const said = document.getElementById("said");

let total = 0;
let done = 0;
let seconds = 0;

export function began(count) {
  total += count;
  said.textContent = `Reading ${counted(count, "image")}`;
  show();
}

export function settled(count) {
  done += count;
  show();
}

export function waits(forSeconds) {
  seconds = forSeconds;
  show();
}

export function ended(outcome) {
  total = done = seconds = 0;
  said.textContent = outcome;
  show();
}

function show() {
  section.hidden = total <= 1 && !seconds;
  bar.max = total || 1;
  bar.value = done;
  const waiting = seconds ? `; the server is busy, next try in ${seconds} s` : "";
  text.textContent = `${done.toLocaleString("en")} of ${total.toLocaleString("en")} done${waiting}`;
}
