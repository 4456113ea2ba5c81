// Requests to the server.

import { apiKey, askForKey } from "./key.js";

// A request that is refused as a whole. status: 0 if there is no answer; seconds: when to try again, or null.
export class Refused extends Error {
  constructor(status, reason, seconds = null) {
    super(reason);
    Object.assign(this, { status, seconds });
  }
}

export async function models() {
  return (await ask("models")).models;
}

// The readings of files, in their order; one that cannot be read has an `error`. Throws Refused, and AbortError.
export async function read(model, files, signal) {
  const body = new FormData();
  for (const each of files) body.append("image", each);
  return (await ask(`models/${encodeURIComponent(model)}/read`, { method: "POST", body, signal })).readings;
}

export async function isAlive() {
  return fetch("health").then(() => true, () => false);
}

async function ask(path, options = {}) {
  for (;;) {
    const key = apiKey();
    const answer = await fetched(path, { ...options, headers: key ? { "X-API-Key": key } : {} });
    if (answer.status !== 401) return taken(answer);
    await unlessAborted(askForKey(key), options.signal);
  }
}

async function fetched(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "the server does not answer, or the file changed");
  }
}

async function taken(answer) {
  const found = await answer.json().catch(() => ({ error: `the answer is not JSON (status ${answer.status})` }));
  if (found.error === undefined) return found;
  const seconds = answer.status === 503 ? Number(answer.headers.get("Retry-After")) || 1 : null;
  throw new Refused(answer.status, found.error, seconds);
}

export function unlessAborted(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(new DOMException("stopped", "AbortError"));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
