// Readings as a CSV file: the columns, numbers and quotes of `ctc-ocr infer --out`.

const HEADER = ["image", "text", "confidence", "character_confidence", "status"];
const MAX_DECIMALS = 15;

// Of the images that were read, or cannot be: others have no row.
export function asCsv(items) {
  const rows = items.filter(({ state }) => state === "read" || state === "unreadable").map(row);
  return [HEADER, ...rows].map((fields) => `${fields.map(quoted).join(",")}\n`).join("");
}

function row({ name, text, state, reading }) {
  if (state === "unreadable") return [name, "", "", "", state];
  const numbers = [reading.confidence, reading.character_confidence];
  return [name, text, ...numbers.map((each) => (each === null ? "" : shownProbability(each))), state];
}

function quoted(field) {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

// Six significant digits of a probability below one half, or of what is missing to 1 above.
export function shownProbability(value, digits = 6) {
  const distance = Math.min(value, 1 - value);
  if (!(distance > 0)) return value.toFixed(digits);
  if (value < 1e-4) return value.toExponential(digits - 1).replace(/-(\d)$/, "-0$1");
  return value.toFixed(Math.min(digits - 1 - Math.floor(Math.log10(distance)), MAX_DECIMALS));
}
