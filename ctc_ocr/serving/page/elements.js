// Elements of the page. All text is set as text, never as HTML.

// An element of this name; properties as in {className: "quiet"}, and attributes as in {"aria-label": "Text"}.
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function drawing(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// The picture of a file. Its URL, which keeps the file's content in memory, is given up once it is shown.
export function picture(file, alternative, onBroken = () => {}) {
  const url = URL.createObjectURL(file);
  const made = element("img", { alt: alternative, decoding: "async" });
  made.addEventListener("load", () => URL.revokeObjectURL(url));
  made.addEventListener("error", () => {
    URL.revokeObjectURL(url);
    onBroken();
  });
  made.src = url;
  return made;
}

// Gives up the URLs of pictures that leave the page, shown or not.
export function release(container) {
  for (const each of container.querySelectorAll("img")) URL.revokeObjectURL(each.src);
}
