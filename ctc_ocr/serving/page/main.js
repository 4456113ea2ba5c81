// The page: one image is shown in full, several are a table.

import { addChoosing } from "./choosing.js";
import { models } from "./client.js";
import { detail } from "./detail.js";
import { release } from "./elements.js";
import { Many } from "./many.js";
import * as progress from "./progress.js";
import { Queue } from "./queue.js";
import { counted, inWords, percent } from "./words.js";

const single = document.getElementById("single");
const message = document.getElementById("message");
const modelLabel = document.getElementById("model");
const modelSelect = modelLabel.querySelector("select");

let items = [];
const ready = listModels();

const many = new Many({ onRest: start, onClear: clear });
const queue = new Queue({ onChange: changed, onWait: progress.waits, onEnd: ended });

async function add(found) {
  say(found.length ? "" : "There is no image in it. Accepted are BMP, GIF, JPEG, PNG, PPM, TIFF and WebP.");
  if (!found.length) return;
  await ready; // a key may be asked for first
  if (items.length === 1) clear(); // one after the other: each is shown alone
  const added = found.map((each) => ({ ...each, state: "waiting", reading: null, text: "", error: "" }));
  items = items.concat(added);
  document.body.classList.add("has-images");
  if (items.length > 1) many.add(added);
  start(added);
}

function start(added) {
  many.started();
  progress.began(added.length);
  queue.add(added, modelSelect.value);
  changed(added);
}

function changed(those) {
  progress.settled(those.filter(({ state }) => state !== "waiting" && state !== "reading").length);
  if (items.length > 1) many.table.changed(those);
  else if (those.includes(items[0])) showSingle(items[0]);
}

function showSingle(item) {
  release(single);
  single.hidden = false;
  single.replaceChildren(detail(item));
}

function ended() {
  progress.ended(outcome());
  if (items.length > 1) many.ended();
}

function outcome() {
  const readings = items.filter(({ state }) => state === "read");
  if (items.length > 1) return `${counted(readings.length, "image")} read, ${items.length - readings.length} not`;
  const [item] = items;
  if (!item) return "";
  if (item.state !== "read") return item.error;
  const { confidence } = item.reading;
  return `${item.text || "No text"}. ${inWords(confidence)}. Confidence ${percent(confidence)}`;
}

function clear() {
  queue.stop();
  items = [];
  document.body.classList.remove("has-images");
  many.clear();
  release(single);
  single.replaceChildren();
  single.hidden = true;
  say("");
}

function say(text) {
  message.hidden = !text;
  message.textContent = text;
}

async function listModels() {
  try {
    const found = await models();
    modelSelect.replaceChildren(...found.map(({ name }) => new Option(name)));
    modelLabel.hidden = found.length < 2;
  } catch (error) {
    say(`The server's models are not known: ${error.message}. Reload the page.`);
    throw error;
  }
}

document.getElementById("stop").addEventListener("click", () => queue.stop());
modelSelect.addEventListener("change", () => {
  if (items.length !== 1) return;
  queue.stop(); // else the answer of the other model may come last
  start(items);
});
addChoosing(add);
