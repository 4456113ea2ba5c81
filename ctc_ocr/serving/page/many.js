// The table of many readings, with what can be done with all of them.

import { asCsv } from "./csv.js";
import { element } from "./elements.js";
import { Table } from "./table.js";
import { counted } from "./words.js";

export class Many {
  #section = document.getElementById("many");
  #title = element("h2", { id: "many-title" });
  #rest = element("button", { type: "button", hidden: true });

  // onRest(items): read those that were not; onClear(): begin anew.
  constructor({ onRest, onClear }) {
    const save = element("button", { type: "button", className: "primary" }, "Save as CSV");
    const clear = element("button", { type: "button" }, "Start over");
    save.addEventListener("click", () => download(asCsv(this.table.items)));
    clear.addEventListener("click", onClear);
    this.#rest.addEventListener("click", () => onRest(this.#unread));
    this.#section.append(
      element("div", { className: "line head" }, this.#title, this.#rest, clear, save),
      element("p", { className: "quiet" }, "Correct texts where they are wrong. Saved beside the images, or beside their " +
        "folder, the file is a source of labels: ", element("code", {}, "ctc-ocr train --data readings.csv")),
    );
    this.table = new Table(this.#section);
  }

  get #unread() {
    return this.table.items.filter(({ state }) => state === "failed");
  }

  add(items) {
    this.#section.hidden = false;
    this.table.add(items);
    this.#title.textContent = counted(this.table.items.length, "image");
  }

  clear() {
    this.#section.hidden = true;
    this.table.clear();
  }

  started() {
    this.#rest.hidden = true;
  }

  ended() {
    this.#rest.hidden = !this.#unread.length;
    this.#rest.textContent = `Read the other ${this.#unread.length}`;
    this.table.leastConfidentFirst();
  }
}

function download(text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  element("a", { href: url, download: "readings.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser has taken it by then
}
