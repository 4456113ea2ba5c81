// The order of the table's rows.

const collator = new Intl.Collator("en", { numeric: true });

const COMPARED = {
  name: (one, other) => collator.compare(one.name, other.name),
  text: (one, other) => collator.compare(one.text, other.text),
  confidence: (one, other) => (one.reading.confidence ?? 0) - (other.reading.confidence ?? 0),
};

// Items by a column, the lowest first or last. Those that have no reading come last either way.
export function ordered(items, { column, descending }) {
  const sign = descending ? -1 : 1;
  const isFirst = (item) => column === "name" || item.state === "read";
  const first = items.filter(isFirst).sort((one, other) => sign * COMPARED[column](one, other));
  return [...first, ...items.filter((item) => !isFirst(item))];
}
