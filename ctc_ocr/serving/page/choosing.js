// How images come to the page: its buttons, drop and paste.

import { fromDrop, fromInput, fromPaste } from "./gather.js";

const drop = document.getElementById("choose");

// onFiles([{file, name}]) for each choice.
export function addChoosing(onFiles) {
  for (const name of ["files", "photo", "folder"]) {
    const input = document.getElementById(name);
    const button = document.getElementById(`choose-${name}`);
    if (name === "folder") button.hidden = !("webkitdirectory" in input);
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => onFiles(fromInput(input)));
  }
  document.addEventListener("paste", (event) => {
    const found = fromPaste(event.clipboardData);
    if (!found.length) return; // text, for a field
    event.preventDefault();
    onFiles(found);
  });
  addDrop(onFiles);
}

// All of the page takes what is dropped: beside the area, the browser would leave the page for the image.
function addDrop(onFiles) {
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", async (event) => {
    drop.classList.remove("over");
    if (!hasFiles(event)) return;
    event.preventDefault();
    onFiles(await fromDrop(event.dataTransfer));
  });
}
