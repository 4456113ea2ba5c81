// Many readings: a table of a hundred rows at a time, whatever the number of images.

import { element } from "./elements.js";
import { ordered } from "./order.js";
import { Row } from "./row.js";

const ROWS = 100;
const COLUMNS = { name: "Image", text: "Text", confidence: "Confidence" };

export class Table {
  items = [];
  #rows = new Map(); // of the items that are shown
  #first = 0;
  #order = null;
  #body = element("tbody", { role: "rowgroup" });
  #headings = {};
  #pages = element("div", { className: "line pages" });

  constructor(container) {
    const heads = Object.entries(COLUMNS).map(([column, text]) => this.#heading(column, text));
    const head = element("tr", { role: "row" }, element("td", { role: "cell" }), ...heads);
    this.element = element("table", { role: "table", "aria-label": "Readings" },
      element("thead", { role: "rowgroup" }, head), this.#body);
    container.append(this.element, this.#pages);
  }

  add(items) {
    this.items = this.items.concat(items);
    this.#show();
  }

  clear() {
    this.items = [];
    this.#first = 0;
    this.#order = null;
    this.#show();
  }

  // Items have another state.
  changed(items) {
    for (const each of items) this.#rows.get(each)?.update();
  }

  // Whoever is at work in the table is not disturbed.
  leastConfidentFirst() {
    if (!this.element.contains(document.activeElement)) this.#sort({ column: "confidence", descending: false });
  }

  #heading(column, text) {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", () => {
      const again = this.#order?.column === column;
      this.#sort({ column, descending: again && !this.#order.descending });
    });
    this.#headings[column] = element("th", { scope: "col", role: "columnheader" }, button);
    return this.#headings[column];
  }

  #sort(order) {
    this.#order = order;
    this.#first = 0;
    this.items = ordered(this.items, order);
    this.#show();
  }

  #show() {
    for (const [column, each] of Object.entries(this.#headings)) {
      const direction = this.#order?.descending ? "descending" : "ascending";
      each.setAttribute("aria-sort", this.#order?.column === column ? direction : "none");
    }
    const shown = this.items.slice(this.#first, this.#first + ROWS);
    const wanted = new Set(shown);
    for (const [item, row] of this.#rows) {
      if (wanted.has(item)) continue;
      row.leave();
      this.#rows.delete(item);
    }
    for (const each of shown) if (!this.#rows.has(each)) this.#rows.set(each, this.#row(each));
    this.#body.append(...shown.flatMap((each) => this.#rows.get(each).elements));
    this.#showPages();
  }

  #row(item) {
    const made = new Row(item);
    made.onEnter = () => {
      const next = this.items.slice(this.items.indexOf(item) + 1).find(({ state }) => state === "read");
      this.#rows.get(next)?.focusText();
    };
    return made;
  }

  #showPages() {
    const count = this.items.length;
    this.#pages.hidden = count <= ROWS;
    const last = Math.min(this.#first + ROWS, count);
    const move = (text, step, disabled) => {
      const button = element("button", { type: "button", disabled }, text);
      button.addEventListener("click", () => {
        this.#first += step;
        this.#show();
        this.element.scrollIntoView();
        this.#pages.querySelector("button:not(:disabled)").focus({ preventScroll: true });
      });
      return button;
    };
    this.#pages.replaceChildren(
      move("Previous", -ROWS, this.#first === 0),
      element("span", { role: "status" }, `${this.#first + 1} to ${last} of ${count}`),
      move("Next", ROWS, last === count),
    );
  }
}
