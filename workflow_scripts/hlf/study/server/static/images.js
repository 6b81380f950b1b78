// Load and decode images before they are needed. Only an image that the server delivers and the browser cannot decode,
// or that the server refuses, counts as failed; without network the loading waits.

import { pause } from "./api.js";
import { sleep } from "./dom.js";

const TRIES = 2; // spec: a decode that fails twice releases the pair
const TIMEOUT_MS = 60000; // a PNG of 1024 x 768 on a slow phone line; our choice

export class BrokenImage extends Error {}
export class SessionLost extends Error {}

/** Both images of a trial, decoded: [HTMLImageElement, HTMLImageElement]. wanted() false = nobody waits any more. */
export function loadPair(trial, wanted = () => true) {
  return Promise.all([loadImage(trial.a, wanted), loadImage(trial.b, wanted)]);
}

async function loadImage(url, wanted) {
  let failed = 0;
  for (let waits = 0; ;) {
    const image = new Image();
    // drawn in the same frame in which it is put into the page
    image.decoding = "sync";
    image.draggable = false;
    image.src = url;
    const decoded = await Promise.race([
      image.decode().then(
        () => true,
        () => false,
      ),
      sleep(TIMEOUT_MS).then(() => false),
    ]);
    if (decoded) return image;
    if (!wanted()) throw new BrokenImage(`${url} is not needed any more`);
    if (await served(url)) {
      failed += 1;
      if (failed >= TRIES) throw new BrokenImage(`${url} cannot be decoded`);
    } else {
      await pause(waits);
      waits += 1;
    }
  }
}

/** True when the server gives a final answer for this URL, good or bad; false when it cannot be reached now. */
async function served(url) {
  try {
    // reload: replaces a damaged copy in the browser's cache
    const reply = await fetch(url, { cache: "reload", signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (reply.ok) await reply.arrayBuffer();
    if (reply.status === 401) throw new SessionLost();
    return reply.status < 500 && reply.status !== 429;
  } catch (error) {
    if (error instanceof SessionLost) throw error;
    return false;
  }
}

/** Whether this browser decodes a PNG (a grey one of 2 x 2 pixels). */
export async function decodesPng() {
  const image = new Image();
  image.src = "/static/check.png";
  try {
    await image.decode();
    return image.naturalWidth === 2;
  } catch {
    return false;
  }
}
