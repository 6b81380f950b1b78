// Size and arrangement of a pair: both images get the same size; portrait screens stack them where that is larger.

import { byId } from "./dom.js";

const GAP = 8; // CSS px between the images
export const ASPECT = 4 / 3; // before any image is known: the paper's images are 1024 x 768

/** Largest size of each image in an area of width x height CSS px: {w, h, layout}. */
export function fitPair(width, height, aspect, portrait) {
  const fit = (w, h) => ({ w: Math.floor(Math.min(w, h * aspect)), h: Math.floor(Math.min(w, h * aspect) / aspect) });
  const row = { ...fit((width - GAP) / 2, height), layout: "row" };
  const stack = { ...fit(width, (height - GAP) / 2), layout: "stack" };
  return portrait && stack.w > row.w ? stack : row;
}

/** Small images grow to twice their pixels, or to the smallest size the study allows: more would only show blur. */
export function limitSize(size, naturalWidth, leastCss, ratio) {
  const most = Math.max(leastCss, (2 * naturalWidth) / ratio);
  if (size.w <= most) return size;
  return { w: Math.floor(most), h: Math.floor((size.h * most) / size.w), layout: size.layout };
}

export const isPortrait = () => innerHeight > innerWidth;

/** Width in CSS px that each image would have now: the trial screen is laid out and hidden again before a paint. */
export function widthNow() {
  const { screen } = document.body.dataset;
  const sections = [...document.querySelectorAll("section[data-screen]")];
  const before = sections.map((section) => section.hidden);
  for (const section of sections) section.hidden = section.dataset.screen !== "trial";
  document.body.dataset.screen = "trial";
  const stage = byId("stage");
  const { w } = fitPair(stage.clientWidth, stage.clientHeight, ASPECT, isPortrait());
  sections.forEach((section, i) => {
    section.hidden = before[i];
  });
  document.body.dataset.screen = screen;
  return w;
}

/** The same after turning the screen by 90 degrees, estimated: the surroundings take about the height they take now. */
export function widthTurned() {
  const portrait = !isPortrait();
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const around = portrait ? 15 * rem : 7 * rem;
  return fitPair(innerHeight - 2 * GAP, innerWidth - around, ASPECT, portrait).w;
}
