// Reads images with an ONNX model of ctc_ocr: node reader.mjs MODEL.onnx IMAGE.png ...
// Prints a line for each image, its path and its text. In a browser, a canvas gives the pixels in place of pngjs.

import { readFile } from "node:fs/promises";

import * as ort from "onnxruntime-web";
import { PNG } from "pngjs";

import { describe } from "./metadata.mjs";
import { prepare } from "./preparation.mjs";

export class Reader {
  static async open(content) {
    const reader = new Reader();
    reader.description = describe(content);
    reader.session = await ort.InferenceSession.create(content, { executionProviders: ["wasm"] });
    return reader;
  }

  // The text of an image: { width, height, data } with RGBA bytes.
  async read(rgba) {
    const { images, alphabet, blank } = this.description;
    const plane = prepare(rgba, images);
    const shape = [1, plane.height, plane.width, ...(images.channels === 3 ? [3] : [])];
    const feeds = { images: new ort.Tensor("uint8", plane.data, shape) };
    if (images.keep_ratio) {
      feeds.widths = new ort.Tensor("int64", BigInt64Array.from([BigInt(plane.width)]), [1]);
    }
    const { log_probs: logProbs } = await this.session.run(feeds);
    return bestPath(logProbs).map((code) => (code === blank ? "" : alphabet[code - 1])).join("");
  }
}

// The likeliest code of each time step, of (T, 1, C) log probabilities; a run of equal ones counts once.
function bestPath({ data, dims: [steps, , classes] }) {
  const path = Array.from({ length: steps }, (_, step) => {
    const row = data.subarray(step * classes, (step + 1) * classes);
    return row.indexOf(row.reduce((most, each) => Math.max(most, each)));
  });
  return path.filter((code, step) => code !== path[step - 1]);
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [model, ...paths] = process.argv.slice(2);
  ort.env.wasm.numThreads = 1;
  const reader = await Reader.open(new Uint8Array(await readFile(model)));
  for (const path of paths) {
    console.log(`${path} ${await reader.read(PNG.sync.read(await readFile(path)))}`);
  }
}
