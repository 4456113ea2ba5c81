// Probabilities for people, as numbers and in words.

const SPACE = "\u00a0";

export function percent(value) {
  if (value === null) return "unknown";
  if (value >= 0.9995) return `>${SPACE}99.9${SPACE}%`;
  if (value < 0.0005) return `<${SPACE}0.1${SPACE}%`;
  return `${(100 * value).toFixed(value > 0.985 || value < 0.015 ? 1 : 0)}${SPACE}%`;
}

// For places with little room.
export function shortPercent(value) {
  if (value === null) return "?";
  if (value >= 0.995) return ">99%";
  return value < 0.005 ? "<1%" : `${Math.round(100 * value)}%`;
}

// The name of a colour, which never stands without the number.
export function level(value) {
  if (value === null) return "unknown";
  if (value >= 0.9) return "high";
  return value >= 0.5 ? "middle" : "low";
}

export function inWords(confidence) {
  if (confidence === null) return "Nothing is known about how sure it is";
  if (confidence >= 0.99) return "Very sure";
  if (confidence >= 0.9) return "Sure";
  if (confidence >= 0.5) return "Not quite sure: compare it with the image";
  return "Unsure: there is probably a mistake";
}

export const visible = (unit) => unit.replaceAll(" ", "␣");

export const spoken = (unit) => (unit === " " ? "space" : unit);

export const counted = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;
