// Which key means what. Keys that are one letter or sign can be switched off (WCAG 2.1.4); arrows and Backspace stay.

import { keep, recall } from "./store.js";

const OFF = "single-keys-off";

export const singleKeys = () => recall(OFF) !== true;
export const useSingleKeys = (on) => keep(OFF, !on);

/** "left" | "right" | "no" | "yes" | "undo" | "zoom" | "help" for a keydown event, or null. */
export function meaningOf(event, letterKeys) {
  if (event.ctrlKey || event.altKey || event.metaKey) return null;
  if (event.key === "?") return singleKeys() ? "help" : null;
  if (event.shiftKey) return null;
  const always = { ArrowLeft: "left", ArrowRight: "right", Backspace: "undo" }[event.key];
  if (always) return always;
  const letter = { n: "no", y: "yes", u: "undo", z: "zoom" }[event.key.toLowerCase()] ?? null;
  if (!singleKeys() || (!letterKeys && (letter === "no" || letter === "yes"))) return null;
  return letter;
}
