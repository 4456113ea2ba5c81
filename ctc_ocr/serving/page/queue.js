// Images on their way to the server: in batches, two requests at a time.

import { isAlive, read, Refused, unlessAborted } from "./client.js";

const BATCH_IMAGES = 16;
const BATCH_BYTES = 8 * 2 ** 20;
const REQUESTS = 2;
const MAX_WAIT = 10; // seconds between two tries
// Statuses of requests that are too much, or that one of their files breaks; 0: no answer. Others are not the images' fault.
const OF_IMAGES = [0, 400, 413];

// onChange(items) when images have another state; onWait(seconds) while the server is busy, and (0) when it is not;
// onEnd() when nothing is left to do.
export class Queue {
  #run = newRun();

  constructor({ onChange, onWait, onEnd }) {
    Object.assign(this, { onChange, onWait, onEnd });
  }

  add(items, model) {
    const run = this.#run;
    for (const each of items) {
      each.state = "waiting";
      run.unfinished.add(each);
    }
    run.batches = run.batches.concat(batches(items).map((each) => ({ items: each, model })));
    this.#staff(run);
  }

  // What is on its way is given up too.
  stop() {
    const { abort, unfinished } = this.#run;
    this.#run = newRun();
    abort.abort();
    this.#settle([...unfinished], "failed", "not read");
    this.onEnd();
  }

  #staff(run) {
    while (run.atWork < REQUESTS && run.batches.length) this.#work(run);
  }

  async #work(run) {
    run.atWork += 1;
    while (run.batches.length) await this.#read(run.batches.shift(), run);
    run.atWork -= 1;
    if (!run.atWork && run === this.#run) this.onEnd();
  }

  async #read(batch, run) {
    const { items, model } = batch;
    this.#settle(items, "reading", "");
    try {
      const found = await this.#patiently(items, model, run.abort.signal);
      take(items, found);
      for (const each of items) run.unfinished.delete(each);
      this.onChange(items);
    } catch (error) {
      if (run !== this.#run) return; // stop() has settled them
      if (!(error instanceof Refused)) this.#settle(items, "failed", String(error));
      else if (error.status === 0 && !(await isAlive())) this.#giveUp([batch, ...run.batches.splice(0)]);
      else if (OF_IMAGES.includes(error.status) && items.length > 1) this.#split(batch, run);
      else this.#settle(items, OF_IMAGES.includes(error.status) ? "unreadable" : "failed", error.message);
    }
  }

  #split({ items, model }, run) {
    const half = Math.ceil(items.length / 2);
    run.batches.unshift({ items: items.slice(0, half), model }, { items: items.slice(half), model });
    this.#staff(run);
  }

  #giveUp(those) {
    this.#settle(those.flatMap(({ items }) => items), "failed", "the server does not answer");
  }

  // Waits for a server that is busy, longer each time.
  async #patiently(items, model, signal) {
    for (let tries = 0; ; tries += 1) {
      try {
        const found = await read(model, items.map(({ file }) => file), signal);
        this.onWait(0);
        return found;
      } catch (error) {
        if (!error.seconds) throw error;
        const seconds = Math.max(error.seconds, Math.min(2 ** tries, MAX_WAIT));
        this.onWait(seconds);
        await unlessAborted(new Promise((resolve) => setTimeout(resolve, 1000 * seconds)), signal);
      }
    }
  }

  #settle(items, state, error) {
    for (const each of items) {
      Object.assign(each, { state, error });
      if (state !== "reading") this.#run.unfinished.delete(each);
    }
    this.onChange(items);
  }
}

const newRun = () => ({ batches: [], atWork: 0, abort: new AbortController(), unfinished: new Set() });

function batches(items) {
  const found = [];
  let bytes = Infinity;
  for (const each of items) {
    if (bytes + each.file.size > BATCH_BYTES || found.at(-1).length === BATCH_IMAGES) {
      found.push([]);
      bytes = 0;
    }
    found.at(-1).push(each);
    bytes += each.file.size;
  }
  return found;
}

function take(items, readings) {
  items.forEach((item, index) => {
    const { error, ...reading } = readings[index];
    if (error === undefined) Object.assign(item, { state: "read", reading, text: reading.text, error: "" });
    else Object.assign(item, { state: "unreadable", error });
  });
}
