// One reading in full: its text, how sure it is, and its characters in the image.

import { element, picture } from "./elements.js";
import { strip } from "./strip.js";
import { inWords, level, percent } from "./words.js";

export function detail(item) {
  if (item.state === "read") return reading(item);
  const about = { waiting: "Waiting.", reading: "Reading …" }[item.state];
  if (about) return element("div", { className: "detail" }, element("p", { className: "quiet" }, about));
  const image = picture(item.file, `The image ${item.name}`, () => image.remove());
  image.className = "unread";
  return element("div", { className: "detail" }, element("p", { className: "message" }, `${item.name}: ${item.error}`), image);
}

function reading(item) {
  const { confidence } = item.reading;
  const text = element("p", { className: "text", dir: "auto" }, item.text);
  const known = element("p", { className: "confidence" },
    element("span", { className: `value ${level(confidence)}` }, percent(confidence)), ` ${inWords(confidence)}`);
  const meaning = element("p", { className: "quiet" }, "Confidence: the probability that the whole text is correct.");
  const head = element("div", { className: "line" }, text, copyButton(text));
  if (!item.text) head.replaceChildren(element("p", { className: "quiet" }, "No text was found in this image."));
  const corrected = item.text === item.reading.text ? [] :
    [element("p", { className: "quiet" }, `Corrected by you; the model read: ${item.reading.text || "nothing"}`)];
  return element("div", { className: "detail" }, head, ...corrected, known, meaning, strip(item));
}

function copyButton(text) {
  const button = element("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copied(text)) ? "Copied" : "Not copied: select it and copy";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return button;
}

// Browsers give the clipboard to pages of https and of the same machine alone; elsewhere a selection is copied.
async function copied(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text.textContent);
      return true;
    } catch { /* not allowed: the other way may be */ }
  }
  getSelection().selectAllChildren(text);
  return document.execCommand("copy");
}
