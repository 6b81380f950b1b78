// Whether this device can show the pairs: measured, never guessed from the browser's name.

import { fillList, onAction, show } from "./dom.js";
import { decodesPng } from "./images.js";
import { widthNow, widthTurned } from "./layout.js";
import { storageWorks } from "./store.js";

/** Display data for the owner: what the window and the screen are now. */
export function deviceData() {
  return {
    viewport_w: innerWidth,
    viewport_h: innerHeight,
    dpr: devicePixelRatio,
    screen_w: screen.width,
    screen_h: screen.height,
    touch: navigator.maxTouchPoints > 0,
    css_w: widthNow(),
  };
}

async function problems(least) {
  const found = [];
  const width = widthNow();
  if (width < least) {
    found.push(
      widthTurned() >= least
        ? "Please rotate your device: the other way round, the images are large enough."
        : "Please use a larger screen, or make this window larger (or its zoom smaller).",
    );
    found.push(`Each image must be at least ${least} pixels wide to be judged; here it would be ${width} pixels wide.`);
  }
  if (!storageWorks())
    found.push("This browser does not let the page store anything. Please leave private browsing or allow site data.");
  if (!(await decodesPng())) found.push("This browser cannot show PNG images. Please use another browser.");
  return found;
}

/** Resolves when the device fits; until then a page says what is missing, and looks again when the window changes. */
export async function deviceFits(study) {
  const first = await problems(study.min_css_px);
  if (first.length === 0) return;
  await new Promise((resolve) => {
    const watching = new AbortController();
    const look = async () => {
      const found = await problems(study.min_css_px);
      if (watching.signal.aborted) return;
      fillList(section, "problems", found, "li");
      if (found.length > 0) return;
      watching.abort();
      resolve();
    };
    const section = show("device");
    fillList(section, "problems", first, "li");
    onAction(section, "again", look);
    addEventListener("resize", look, { signal: watching.signal });
  });
}
