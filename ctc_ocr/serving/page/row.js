// A row of the table: small picture, file name, text that can be corrected, and confidence. It opens to the reading.

import { detail } from "./detail.js";
import { element, picture, release } from "./elements.js";
import { level, percent } from "./words.js";

const STATES = { waiting: "Waiting", reading: "Reading …", unreadable: "Unreadable", failed: "Not read" };

let rows = 0;

export class Row {
  #name;
  #text;
  #text_cell;
  #confidence;

  constructor(item) {
    this.item = item;
    const id = `row-${(rows += 1)}`;
    this.#name = element("button", { type: "button", className: "name", "aria-expanded": "false" }, item.name);
    this.#name.addEventListener("click", () => this.toggle());
    const image = picture(item.file, "", () => image.remove());
    const small = element("td", { className: "small-picture", role: "cell" }, image);
    small.addEventListener("click", () => this.toggle());
    this.#text = element("input", { type: "text", spellcheck: false, autocomplete: "off", dir: "auto" });
    this.#text.setAttribute("aria-label", `Text in ${item.name}`);
    this.#text.addEventListener("input", () => this.#correct());
    this.#text.addEventListener("keydown", (event) => { if (event.key === "Enter") this.onEnter(); });
    this.#text_cell = element("td", { role: "cell", className: "text-cell" });
    this.#confidence = element("td", { role: "cell", className: "number" });
    const name = element("th", { scope: "row", role: "rowheader" }, this.#name);
    this.element = element("tr", { role: "row", id }, small, name, this.#text_cell, this.#confidence);
    this.update();
  }

  // Every element of it, in the order of the table.
  get elements() {
    return this.opened ? [this.element, this.opened] : [this.element];
  }

  update() {
    const { item } = this;
    const isRead = item.state === "read";
    if (isRead) {
      if (this.#text.value !== item.text) this.#text.value = item.text;
      if (!this.#text.isConnected) this.#text_cell.replaceChildren(this.#text);
      const { confidence } = item.reading;
      this.#confidence.replaceChildren(element("span", { className: `value ${level(confidence)}` }, percent(confidence)));
    } else {
      this.#text_cell.replaceChildren(element("span", { className: item.error ? "problem" : "quiet" }, item.error));
      this.#confidence.replaceChildren(element("span", { className: "quiet" }, STATES[item.state]));
    }
    this.element.classList.toggle("corrected", isRead && item.text !== item.reading.text);
    this.#fill();
  }

  toggle() {
    if (this.opened) {
      this.#close();
      return;
    }
    this.opened = element("tr", { role: "row", className: "opened" }, element("td", { role: "cell", colSpan: 4 }));
    this.#name.setAttribute("aria-expanded", "true");
    this.#fill();
    this.element.after(this.opened);
  }

  focusText() {
    this.#text.focus();
    this.#text.select();
  }

  // Its pictures take no memory from here on.
  leave() {
    for (const each of this.elements) {
      release(each);
      each.remove();
    }
  }

  #close() {
    release(this.opened);
    this.opened.remove();
    this.opened = null;
    this.#name.setAttribute("aria-expanded", "false");
  }

  #correct() {
    this.item.text = this.#text.value;
    this.element.classList.toggle("corrected", this.item.text !== this.item.reading.text);
    this.#fill();
  }

  #fill() {
    if (!this.opened) return;
    release(this.opened);
    this.opened.firstChild.replaceChildren(detail(this.item));
  }
}
