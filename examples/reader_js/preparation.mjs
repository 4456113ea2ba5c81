// From pixels to the model's input, as docs/reference/onnx.md describes it. A plane is { width, height, channels, data }, where
// data is a Uint8Array of rows of pixels of channels.

export function prepare(rgba, images) {
  if (images.crop !== "none") {
    throw new Error(`crop ${images.crop} is not implemented here`);
  }
  if (images.straighten !== undefined) {
    throw new Error(`straighten ${images.straighten} is not implemented here`);
  }
  if (images.binarise !== undefined) {
    throw new Error(`binarise ${images.binarise} is not implemented here`);
  }
  if (images.letterbox) {
    throw new Error("letterbox is not implemented here");
  }
  let plane = rgbOf(rgba);
  if (images.writing === "vertical") {
    plane = transposed(plane);
  }
  plane = rows(plane, images.top_edge, images.bottom_edge);
  if (images.channels === 1) {
    plane = greyOf(plane, images.grey);
  }
  if (images.ink === "light" || (images.ink === "auto" && hasLightInk(greyOf(plane)))) {
    plane = { ...plane, data: plane.data.map((level) => 255 - level) };
  }
  let width = images.width;
  if (images.keep_ratio) {
    width = Math.min(Math.max(1, roundHalfEven((plane.width * images.height) / plane.height)), images.width);
  }
  return resize(plane, width, images.height);
}

// { width, height, data } of RGBA bytes -> RGB, on white paper.
function rgbOf({ width, height, data }) {
  const found = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const alpha = data[4 * pixel + 3];
    for (let channel = 0; channel < 3; channel++) {
      found[3 * pixel + channel] = Math.round((data[4 * pixel + channel] * alpha + 255 * (255 - alpha)) / 255);
    }
  }
  return { width, height, channels: 3, data: found };
}

const GREYS = {
  luminance: (red, green, blue) => (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16,
  max: Math.max,
  min: Math.min,
  unsaturated: (...levels) => Math.min(255, 2 * Math.max(...levels) - Math.min(...levels)),
};

function greyOf(plane, kind = "luminance") {
  if (plane.channels === 1) {
    return plane;
  }
  if (kind === "paper") {
    return { ...plane, channels: 1, data: withoutPaper(plane) };
  }
  if (!Object.hasOwn(GREYS, kind)) {
    throw new Error(`grey ${kind} is not implemented here`);
  }
  const found = new Uint8Array(plane.width * plane.height);
  for (let pixel = 0; pixel < found.length; pixel++) {
    found[pixel] = GREYS[kind](...plane.data.subarray(3 * pixel, 3 * pixel + 3));
  }
  return { ...plane, channels: 1, data: found };
}

// For each pixel, 255 minus its largest difference from the paper.
function withoutPaper({ width, height, data }) {
  const paper = paperOf(width, height, data);
  return Uint8Array.from({ length: width * height }, (_, pixel) => {
    const levels = paper(Math.floor(pixel / width), pixel % width);
    return 255 - Math.max(...levels.map((level, channel) => Math.abs(data[3 * pixel + channel] - level)));
  });
}

// The paper's levels at a row and a column: planes, fitted to what is nearly as they say, beginning with one colour.
function paperOf(width, height, data) {
  const place = (index, count) => (2 * index + 1) / count - 1;
  const step = Math.max(1, Math.floor(Math.sqrt(Math.floor((width * height) / 2000))));
  const sample = [];
  for (let row = 0; row < height; row += step) {
    for (let column = 0; column < width; column += step) {
      const first = 3 * (row * width + column);
      sample.push({ row, column, colour: [...data.subarray(first, first + 3)] });
    }
  }
  let planes = mostFrequent(sample).map((level) => [level, 0, 0]);
  const paper = (row, column) =>
    planes.map(([middle, down, across]) => {
      const level = middle + 0.499999 + place(row, height) * down + place(column, width) * across;
      return Math.floor(Math.min(Math.max(level, 0), 255));
    });
  let before = "";
  for (let fits = 0; fits < 10; fits++) {
    const isPaper = sample.map(({ row, column, colour }) =>
      paper(row, column).every((level, channel) => Math.abs(level - colour[channel]) <= 32),
    );
    if (isPaper.join() === before || !isPaper.includes(true)) {
      break;
    }
    before = isPaper.join();
    planes = fitted(
      sample.filter((_, index) => isPaper[index]),
      ({ row, column }) => [1, place(row, height), place(column, width)],
    );
  }
  return paper;
}

// The mean, rounded down, of the colours in the most frequent of 16x16x16 ranges.
function mostFrequent(sample) {
  const rangeOf = ([red, green, blue]) => ((red >> 4) << 8) | ((green >> 4) << 4) | (blue >> 4);
  const counts = new Array(4096).fill(0);
  sample.forEach(({ colour }) => counts[rangeOf(colour)]++);
  const most = counts.indexOf(counts.reduce((one, other) => Math.max(one, other)));
  const members = sample.filter(({ colour }) => rangeOf(colour) === most);
  return [0, 1, 2].map((channel) =>
    Math.floor(members.reduce((sum, { colour }) => sum + colour[channel], 0) / members.length),
  );
}

// By least squares, the plane of each channel. The last two terms are held back a little, for pixels in one line.
function fitted(pixels, termsOf) {
  const ridge = 1e-6 * pixels.length;
  const products = [0, 1, 2].map((term) => [0, 1, 2].map((other) => (term && term === other ? ridge : 0)));
  const sums = [0, 1, 2].map(() => [0, 0, 0]);
  for (const pixel of pixels) {
    const terms = termsOf(pixel);
    terms.forEach((value, term) => {
      terms.forEach((other, index) => (products[term][index] += value * other));
      pixel.colour.forEach((level, channel) => (sums[channel][term] += value * level));
    });
  }
  return sums.map((column) => solved(products, column));
}

// Three linear equations, by Cramer's rule.
function solved(matrix, right) {
  const whole = determinant(matrix);
  return [0, 1, 2].map(
    (unknown) => determinant(matrix.map((row, line) => row.map((value, at) => (at === unknown ? right[line] : value)))) / whole,
  );
}

function determinant([[a, b, c], [d, e, f], [g, h, i]]) {
  return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
}

function hasLightInk(grey) {
  const sorted = Uint8Array.from(grey.data).sort();
  const [dark, paper, light] = [0.01, 0.5, 0.99].map((share) => {
    const place = share * (sorted.length - 1);
    const below = Math.floor(place);
    const above = sorted[Math.min(below + 1, sorted.length - 1)];
    return sorted[below] + (above - sorted[below]) * (place - below);
  });
  return light - dark >= 16 ? paper < (dark + light) / 2 : paper < 128;
}

function transposed(plane) {
  const turned = { ...plane, width: plane.height, height: plane.width };
  return made(plane, turned.width, turned.height, (at, row, column) => at(column, row));
}

// The rows from one edge to the other; the first and the last row are repeated beyond the image.
function rows(plane, topEdge, bottomEdge) {
  const first = Math.min(roundHalfEven(topEdge * plane.height), plane.height - 1);
  const last = Math.max(roundHalfEven(bottomEdge * plane.height), first + 1, 1);
  const size = plane.width * plane.channels;
  const data = new Uint8Array((last - first) * size);
  for (let row = first; row < last; row++) {
    const from = Math.min(Math.max(row, 0), plane.height - 1);
    data.set(plane.data.subarray(from * size, (from + 1) * size), (row - first) * size);
  }
  return { ...plane, height: last - first, data };
}

// An axis that shrinks to less than half is averaged over areas first; the rest is bilinear.
function resize(plane, width, height) {
  const columns = plane.width > 2 * width ? width : plane.width;
  const lines = plane.height > 2 * height ? height : plane.height;
  const averaged = averagedOver(plane, columns, lines);
  return columns === width && lines === height ? averaged : interpolated(averaged, width, height);
}

function averagedOver(plane, width, height) {
  if (width === plane.width && height === plane.height) {
    return plane;
  }
  const [across, down] = [areas(plane.width, width), areas(plane.height, height)];
  return made(plane, width, height, (at, row, column) => {
    let sum = 0;
    for (const [y, weight] of down[row]) {
      let line = 0; // in float32, operation by operation, as OpenCV does it
      for (const [x, share] of across[column]) {
        line = Math.fround(line + Math.fround(Math.fround(share) * at(y, x)));
      }
      sum = Math.fround(sum + Math.fround(Math.fround(weight) * line));
    }
    return roundHalfEven(sum);
  });
}

// For each place of the result, the pixels of one axis that it is made of, and their weights.
function areas(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, place) => {
    const [start, end] = [place * scale, (place + 1) * scale];
    const taps = [];
    for (let pixel = Math.floor(start); pixel < Math.min(Math.ceil(end), from); pixel++) {
      taps.push([pixel, (Math.min(end, pixel + 1) - Math.max(start, pixel)) / scale]);
    }
    return taps;
  });
}

// As OpenCV does it: weights are whole numbers of 1/2048, and bits are dropped on the way. At the upper and the lower
// edge a row is shared out to itself, which drops other bits than taking it once.
function interpolated(plane, width, height) {
  const [across, down] = [neighbours(plane.width, width), neighbours(plane.height, height, true)];
  return made(plane, width, height, (at, row, column) => {
    const { first: left, second: right, weights: horizontal } = across[column];
    const { first: top, second: bottom, weights: vertical } = down[row];
    const [upper, lower] = [top, bottom].map((y) => at(y, left) * horizontal[0] + at(y, right) * horizontal[1]);
    return (((vertical[0] * (upper >> 4)) >> 16) + ((vertical[1] * (lower >> 4)) >> 16) + 2) >> 2;
  });
}

function neighbours(from, to, sharesEdges = false) {
  return Array.from({ length: to }, (_, place) => {
    const centre = Math.fround((place + 0.5) * (from / to) - 0.5);
    const below = Math.floor(centre);
    const [first, second] = [below, below + 1].map((each) => Math.min(Math.max(each, 0), from - 1));
    const share = first === second && !sharesEdges ? 0 : Math.fround(centre - below);
    const weights = [1 - share, share].map((each) => roundHalfEven(Math.fround(each) * 2048));
    return { first, second, weights };
  });
}

// A plane of which each level is level(at, row, column), where at(y, x) is one of `plane` in the same channel.
function made(plane, width, height, level) {
  const { channels, data } = plane;
  const found = new Uint8Array(width * height * channels);
  for (let channel = 0; channel < channels; channel++) {
    const at = (y, x) => data[(y * plane.width + x) * channels + channel];
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        found[(row * width + column) * channels + channel] = level(at, row, column);
      }
    }
  }
  return { width, height, channels, data: found };
}

function roundHalfEven(number) {
  const below = Math.floor(number);
  if (number - below !== 0.5) {
    return Math.round(number);
  }
  return below % 2 === 0 ? below : below + 1;
}
