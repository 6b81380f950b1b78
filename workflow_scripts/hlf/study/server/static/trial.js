// The pair on the screen: reveal, keys and buttons, reaction time, display data. Practice and trials share it.

import { awayMs } from "./clock.js";
import { anyDialogOpen, announce, byId, frame, show } from "./dom.js";
import { meaningOf } from "./keys.js";
import { fitPair, isPortrait, limitSize } from "./layout.js";

const SETTLE_MS = 300; // spec: no answer counts before both images are painted + 300 ms
const HELD = ["ArrowLeft", "ArrowRight", "Backspace", "Enter", " "];
const PATIENCE_MS = 400; // waiting is mentioned only when it lasts; our choice

export class PairView {
  /** study: texts and switches; lens: the zoom; openHelp(). */
  constructor(study, lens, openHelp) {
    this.lens = lens;
    this.openHelp = openHelp;
    this.images = []; // on the screen
    this.pair = null; // what can be answered
    this.handlers = null;
    this.held = false;
    this.use(study);
    for (const side of ["left", "right"]) byId(side).onclick = () => this.answer(this.sides[side]);
    byId("undo").onclick = () => this.undo();
    byId("zoom").onclick = () => this.zoom();
    byId("help").onclick = () => this.openHelp();
    lens.watch(byId("pair"), (start) => this.zoom(start));
    document.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.layOut()).observe(byId("stage"));
  }

  /** Take the texts and switches of a study, as this person has them. */
  use(study) {
    this.study = study;
    this.sides = study.mirror ? { left: 1, right: 0 } : { left: 0, right: 1 };
    const [left, right] = ["left", "right"].map((side) => (this.sides[side] === 1 ? "Yes" : "No"));
    byId("left").textContent = left;
    byId("right").textContent = right;
    byId("question").textContent = study.question;
    byId("hint").textContent = study.mirror
      ? `Press Left Arrow (\u2190) for ${left}, Right Arrow (\u2192) for ${right}`
      : study.hint;
  }

  /** Take no answer for a while, as during an undo. */
  hold(on) {
    this.held = on;
  }

  /** Bring the screen to the front. handlers: {answer(value, data), undo()}. */
  open(handlers) {
    this.handlers = handlers;
    if (document.body.dataset.screen !== "trial") show("trial", byId("region"));
  }

  /** Whether the screen is visible and its keys count. */
  get active() {
    return this.handlers !== null && document.body.dataset.screen === "trial";
  }

  /** Take the pair away; a message appears when the next one takes long. */
  clear(message = "Loading the next pair...") {
    this.pair = null;
    this.images = [];
    byId("pair").replaceChildren();
    byId("stage").dataset.ready = "false";
    const waiting = byId("waiting");
    clearTimeout(this.waitTimer);
    waiting.hidden = true;
    if (message === "") return;
    this.waitTimer = setTimeout(() => {
      waiting.textContent = message;
      waiting.hidden = false;
      this.enable(false);
      announce(message);
    }, PATIENCE_MS);
  }

  /** Grey out the answers during a longer wait; aria-disabled, because disabled buttons lose the focus. */
  enable(on) {
    for (const side of ["left", "right"]) byId(side).setAttribute("aria-disabled", String(!on));
  }

  /** Reveal both decoded images in one frame and start the clock in the frame after it. */
  async present(images, number) {
    clearTimeout(this.waitTimer);
    byId("waiting").hidden = true;
    this.enable(true);
    const pair = { painted: Infinity, awayAt: 0, zooms: 0, zoomMax: 0 };
    this.pair = pair;
    this.images = images;
    images.forEach((image, i) => {
      image.alt = `Image ${"AB"[i]} of pair ${number}`;
    });
    this.layOut();
    byId("stage").dataset.ready = "false";
    byId("pair").replaceChildren(...images);
    byId("feedback").hidden = true;
    byId("answers").hidden = false;
    // buttons that vanished with an earlier screen leave the focus nowhere
    if (!byId("region").contains(document.activeElement) && !anyDialogOpen())
      byId("region").focus({ preventScroll: true });
    await frame();
    await frame();
    if (this.pair !== pair) return;
    pair.painted = performance.now();
    pair.awayAt = awayMs(pair.painted);
    byId("stage").dataset.ready = "true";
  }

  /** Progress line: "37 of 150" or "Practice 2 of 6", and the bar. */
  progress(text, done, total) {
    byId("count").textContent = text;
    const bar = byId("progress");
    bar.setAttribute("aria-valuemax", total);
    bar.setAttribute("aria-valuenow", done);
    bar.setAttribute("aria-valuetext", text);
    bar.firstElementChild.style.transform = `scaleX(${total > 0 ? Math.min(1, done / total) : 0})`;
  }

  /** "Saving..." in place of the number, after a moment. */
  saving(unsaved) {
    clearTimeout(this.savingTimer);
    const display = (on) => {
      byId("saving").hidden = !on;
      byId("count").hidden = on;
    };
    if (!unsaved) display(false);
    else this.savingTimer = setTimeout(() => display(true), PATIENCE_MS);
  }

  allowUndo(allowed) {
    byId("undo").setAttribute("aria-disabled", String(!allowed));
  }

  /** Show whether a practice answer was right, and why; resolves when the person goes on. */
  explain(verdict, reason) {
    byId("verdict").textContent = verdict;
    byId("reason").textContent = reason;
    byId("answers").hidden = true;
    byId("hint").hidden = true;
    byId("feedback").hidden = false;
    byId("onward").focus();
    announce(`${verdict} ${reason}`);
    return new Promise((resolve) => {
      byId("onward").onclick = () => {
        byId("hint").hidden = false;
        byId("region").focus({ preventScroll: true });
        resolve();
      };
    });
  }

  /** Same displayed size for both images; recomputed when the window changes. */
  layOut() {
    if (this.images.length === 0) return;
    const stage = byId("stage");
    const [first] = this.images;
    const aspect = first.naturalWidth / first.naturalHeight;
    const room = fitPair(stage.clientWidth, stage.clientHeight, aspect, isPortrait());
    const size = limitSize(room, first.naturalWidth, this.study.min_css_px, devicePixelRatio);
    byId("pair").dataset.layout = size.layout;
    for (const image of this.images) {
      image.style.width = `${size.w}px`;
      image.style.height = `${size.h}px`;
    }
    this.size = size;
  }

  answer(value) {
    const now = performance.now();
    const { pair } = this;
    if (!this.active || this.held || anyDialogOpen() || pair === null || !(now >= pair.painted + SETTLE_MS)) return;
    this.pair = null;
    byId("stage").dataset.ready = "false";
    const rt = now - pair.painted;
    this.handlers.answer(value, {
      rt_ms: Math.round(rt),
      rt_active_ms: Math.round(Math.max(0, rt - (awayMs(now) - pair.awayAt))),
      display: {
        css_w: this.size.w,
        css_h: this.size.h,
        dpr: devicePixelRatio,
        viewport_w: innerWidth,
        viewport_h: innerHeight,
        layout: this.size.layout,
      },
      zoom: { count: pair.zooms, max: pair.zoomMax },
    });
  }

  undo() {
    if (this.active && byId("undo").getAttribute("aria-disabled") === "false") this.handlers.undo();
  }

  /** Open the lens on the present pair; start: where a click or pinch began, or nothing. */
  zoom(start) {
    const { pair } = this;
    if (!this.active || pair === null || anyDialogOpen()) return;
    pair.zooms += 1;
    this.lens.open(this.images, this.size.layout, start, (factor) => {
      pair.zoomMax = Math.max(pair.zoomMax, factor);
    });
  }

  key(event) {
    if (!this.active || anyDialogOpen()) return;
    if (event.repeat) {
      // a key held down gives one answer: no second one, and no second click of the focused button
      if (HELD.includes(event.key)) event.preventDefault();
      return;
    }
    const meaning = meaningOf(event, this.study.letter_keys);
    if (meaning === null) return;
    event.preventDefault();
    if (meaning === "left" || meaning === "right") this.answer(this.sides[meaning]);
    else if (meaning === "no" || meaning === "yes") this.answer(meaning === "yes" ? 1 : 0);
    else if (meaning === "undo") this.undo();
    else if (meaning === "zoom") this.zoom();
    else this.openHelp();
  }
}
