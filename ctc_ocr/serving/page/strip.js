// An image, and below it the characters that were read, each with its place in the image.

import { drawing, element, picture } from "./elements.js";
import { place } from "./placement.js";
import { level, percent, shortPercent, spoken, visible } from "./words.js";

const MAX_HEIGHT = 200; // of the image, in pixels of the page
const MAX_VERTICAL = 600; // of an image of vertical text
const MAX_SCALE = 5; // beyond it, pixels are larger than what they show
const BOX_WIDTH = 48; // of a character of one letter, with the space beside it: large enough for a finger
const LETTER_WIDTH = 11; // of each letter more
const LINES_HEIGHT = 34; // between image and boxes

export function strip(item) {
  const { characters } = item.reading;
  const canvas = element("div", { className: "strip-canvas" });
  const scroller = element("div", { className: "strip" }, canvas);
  const about = element("p", { className: "about-character" });
  const band = element("div", { className: "band", hidden: true });
  const image = picture(item.file, `The image ${item.name}`, () => {
    image.replaceWith(element("p", { className: "no-picture" }, "This browser cannot show images of this format."));
  });
  const boxes = characters.map((each) => box(each));
  const group = element("div", { role: "group", "aria-label": "Characters; move with the arrow keys" }, ...boxes);
  const lines = drawing("svg", { "aria-hidden": "true" });
  canvas.append(element("div", { className: "picture" }, image, band), lines, group);
  const parts = { item, canvas, scroller, lines, boxes, band };
  new ResizeObserver(() => draw(parts)).observe(scroller);
  const show = (index) => choose(parts, about, index);
  addChoosing(boxes, show);
  if (characters.length) show(leastProbable(characters));
  return element("div", {}, scroller, about);
}

function box(character) {
  const { unit, probability, alternatives } = character;
  const others = alternatives.map(([other, value]) => `${spoken(other)} ${percent(value)}`).join(", ");
  const label = `${spoken(unit)}, ${percent(probability)}${others ? `; or ${others}` : ""}`;
  return element(
    "button",
    { type: "button", className: `character ${level(probability)}`, tabIndex: -1, "aria-label": label },
    element("span", {}, visible(unit)),
    element("small", {}, shortPercent(probability)),
  );
}

function leastProbable(characters) {
  const values = characters.map(({ probability }) => probability ?? 1);
  return values.indexOf(Math.min(...values));
}

// One box is reached by the tab key, the others from it.
function addChoosing(boxes, show) {
  const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
  boxes.forEach((each, index) => {
    for (const event of ["pointerenter", "focus", "click"]) each.addEventListener(event, () => show(index));
    each.addEventListener("keydown", (event) => {
      if (!(event.key in moves)) return;
      event.preventDefault();
      boxes[Math.min(Math.max(index + moves[event.key], 0), boxes.length - 1)].focus();
    });
  });
}

function choose(parts, about, index) {
  const { unit, probability, alternatives, left, right, top, bottom } = parts.item.reading.characters[index];
  parts.chosen = index;
  parts.boxes.forEach((each, number) => {
    each.tabIndex = number === index ? 0 : -1;
    each.classList.toggle("chosen", number === index);
  });
  parts.lines.querySelectorAll("g").forEach((each, number) => each.classList.toggle("chosen", number === index));
  const others = alternatives.map(([other, value]) =>
    element("span", { className: "other" }, element("b", {}, visible(other)), ` ${percent(value)}`));
  const else_ = others.length ? "It could also be" : "Nothing else has more than 0.1\u00a0%.";
  about.replaceChildren(element("b", {}, visible(unit)), ` ${percent(probability)}. ${else_} `, ...others);
  const { width, height } = parts.item.reading;
  const vertical = top !== undefined;
  parts.band.hidden = (vertical ? top : left) === null;
  const [start, end, size] = vertical ? [top, bottom, height] : [left, right, width];
  parts.band.style[vertical ? "top" : "left"] = `${(100 * start) / size}%`;
  parts.band.style[vertical ? "height" : "width"] = `${(100 * (end - start)) / size}%`;
  if (vertical) Object.assign(parts.band.style, { left: "0", width: "100%" });
}

function draw({ item, canvas, scroller, lines, boxes, chosen }) {
  const { characters, width, height } = item.reading;
  const widths = characters.map(({ unit }) => BOX_WIDTH + LETTER_WIDTH * ([...unit].length - 1));
  const needed = widths.reduce((sum, each) => sum + each, 0);
  const vertical = characters.some(({ top }) => top !== undefined);
  const fitting = Math.min(scroller.clientWidth / width, (vertical ? MAX_VERTICAL : MAX_HEIGHT) / height, MAX_SCALE);
  // An image that is too narrow for its characters is enlarged, and scrolled, unless that makes it too high.
  const enlarged = Math.max(fitting, Math.min(needed / width, (1.5 * MAX_HEIGHT) / height, MAX_SCALE));
  const scale = vertical ? fitting : enlarged;
  const total = Math.max(width * scale, needed);
  canvas.style.width = `${total}px`;
  const frame = canvas.querySelector(".picture");
  frame.style.width = `${width * scale}px`;
  frame.style.height = `${height * scale}px`;
  const spans = characters.map(({ left, right }, index) => [
    (left ?? (width * index) / characters.length) * scale,
    (right ?? (width * (index + 1)) / characters.length) * scale,
  ]);
  const centres = place(spans.map(([left, right]) => (left + right) / 2), widths, total);
  boxes.forEach((each, index) => {
    each.style.left = `${centres[index] - widths[index] / 2 + 2}px`;
    each.style.width = `${widths[index] - 4}px`;
  });
  if (vertical) return lines.replaceChildren(); // the boxes are in a row, and their places in a column
  lines.setAttribute("width", total);
  lines.setAttribute("height", LINES_HEIGHT);
  lines.replaceChildren(...characters.map((each, index) => bracket(each, spans[index], centres[index])));
  lines.children[chosen]?.classList.add("chosen");
}

function bracket({ probability }, [left, right], centre) {
  const middle = (left + right) / 2;
  const [start, end] = [left + 1, Math.max(right - 1, left + 2)];
  const line = `M${start} 3v7H${end}v-7M${middle} 10C${middle} 22 ${centre} 20 ${centre} ${LINES_HEIGHT}`;
  return drawing("g", { class: level(probability) }, drawing("path", { d: line }));
}
