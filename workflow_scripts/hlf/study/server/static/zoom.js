// The lens: both images zoomed and panned together. A factor is device pixels per image pixel: 1 = 1:1, at most 4.

import { announce, byId } from "./dom.js";

const MOST = 4; // spec: 4:1
const STEP = Math.SQRT2; // of the buttons, keys and one notch of a wheel; our choice
const PAN = 0.15; // of a pane, by one press of an arrow key; our choice
const PINCH_START = 12; // CSS px by which two fingers must move before a pinch is one

export class Lens {
  /** flicker: offer a button that swaps the images in place (off by default: it changes the task). */
  constructor(flicker = false) {
    this.dialog = byId("zoom-dialog");
    this.panes = [...byId("panes").children];
    this.images = [];
    this.pointers = new Map();
    const actions = {
      in: () => this.scale(STEP),
      out: () => this.scale(1 / STEP),
      one: () => this.to(1),
      fit: () => this.to(0),
      swap: () => this.swap(),
      close: () => this.dialog.close(),
    };
    for (const button of this.dialog.querySelectorAll("[data-zoom]")) button.onclick = actions[button.dataset.zoom];
    this.dialog.querySelector('[data-zoom="swap"]').hidden = !flicker;
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("close", () => this.panes.forEach((pane) => pane.replaceChildren()));
    const area = byId("panes");
    area.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    area.addEventListener("dblclick", (event) => this.to(this.factor < 1 ? 1 : 0, this.inPane(event)));
    area.addEventListener("pointerdown", (event) => this.press(event));
    // on the window: a pinch that began on the pair goes on here
    addEventListener("pointermove", (event) => this.move(event));
    for (const type of ["pointerup", "pointercancel"])
      addEventListener(type, (event) => this.pointers.delete(event.pointerId));
    new ResizeObserver(() => this.draw()).observe(area);
  }

  /** Click, pinch and ctrl + wheel (a touchpad's pinch) on `area` call open({x, y}), in [0, 1] of the image. */
  watch(area, open) {
    const start = (event) => {
      const image = event.target.closest("img");
      if (image === null) return undefined;
      const box = image.getBoundingClientRect();
      return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
    };
    area.addEventListener("click", (event) => {
      if (event.target.closest("img") !== null) open(start(event));
    });
    area.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey) return;
        event.preventDefault();
        open(start(event));
      },
      { passive: false },
    );
    area.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch") this.pointers.set(event.pointerId, event);
    });
    area.addEventListener("pointermove", (event) => {
      const before = this.spread();
      if (before === 0 || !this.pointers.has(event.pointerId)) return;
      const others = [...this.pointers.values()].filter((one) => one.pointerId !== event.pointerId);
      const now = Math.hypot(event.clientX - others[0].clientX, event.clientY - others[0].clientY);
      if (!this.dialog.open && Math.abs(now - before) > PINCH_START) open(start(event));
    });
  }

  /** Show the images from 1:1 on. reached(factor): told of every factor used. */
  open(images, layout, start, reached) {
    this.reached = reached;
    this.natural = { x: images[0].naturalWidth, y: images[0].naturalHeight };
    this.images = images.map(({ src, alt }) =>
      Object.assign(new Image(), { src, alt, draggable: false, decoding: "sync" }),
    );
    this.images.forEach((image, i) => this.panes[i].replaceChildren(image));
    byId("panes").dataset.layout = layout;
    this.swapped = false;
    this.dialog.showModal();
    byId("zoom-title").focus();
    this.center = start ?? { x: 0.5, y: 0.5 };
    this.factor = 0;
    this.to(this.fit() < 1 ? 1 : Math.min(MOST, 2 * this.fit()));
  }

  /** Factor at which a whole image fits its pane. */
  fit() {
    const [pane] = this.panes;
    const css = Math.min(pane.clientWidth / this.natural.x, pane.clientHeight / this.natural.y);
    return Math.min(MOST, css * devicePixelRatio);
  }

  /** Go to a factor (0 = fit), keeping the image point below `at` (CSS px from a pane's centre) where it is. */
  to(factor, at = { x: 0, y: 0 }) {
    const least = this.fit();
    const next = factor === 0 ? least : Math.min(MOST, Math.max(Math.min(least, 1), factor));
    const before = this.factor / devicePixelRatio;
    const after = next / devicePixelRatio;
    if (before > 0) {
      this.center.x += (at.x / before - at.x / after) / this.natural.x;
      this.center.y += (at.y / before - at.y / after) / this.natural.y;
    }
    this.factor = next;
    this.reached(Math.round(next * 100) / 100);
    this.draw();
    announce(`Zoom ${this.label()}`);
  }

  scale(by, at) {
    this.to(this.factor * by, at);
  }

  label() {
    return this.factor === 1 ? "1:1" : `${Math.round(this.factor * 100)} %`;
  }

  /** Pan by CSS px. */
  pan(dx, dy) {
    const css = this.factor / devicePixelRatio;
    this.center.x -= dx / (css * this.natural.x);
    this.center.y -= dy / (css * this.natural.y);
    this.draw();
  }

  draw() {
    if (!this.dialog.open || this.images.length === 0) return;
    const ratio = devicePixelRatio;
    const size = { x: (this.natural.x * this.factor) / ratio, y: (this.natural.y * this.factor) / ratio };
    const room = { x: this.panes[0].clientWidth, y: this.panes[0].clientHeight };
    const offset = {};
    for (const axis of ["x", "y"]) {
      // an image smaller than its pane stays in the middle; a larger one never leaves a gap
      const half = Math.min(0.5, room[axis] / 2 / size[axis]);
      this.center[axis] = Math.min(1 - half, Math.max(half, this.center[axis]));
      // whole device pixels, so that 1:1 is exact
      offset[axis] = Math.round((room[axis] / 2 - this.center[axis] * size[axis]) * ratio) / ratio;
    }
    for (const one of this.images) {
      one.style.width = `${size.x}px`;
      one.style.height = `${size.y}px`;
      one.style.transform = `translate(${offset.x}px, ${offset.y}px)`;
      one.style.imageRendering = this.factor >= 1 ? "pixelated" : "auto";
    }
    byId("zoom-factor").textContent = this.label();
  }

  /** Show the other image in each place; factor and position stay. */
  swap() {
    this.swapped = !this.swapped;
    this.images.forEach((image, i) => this.panes[this.swapped ? 1 - i : i].replaceChildren(image));
    this.dialog.querySelector('[data-zoom="swap"]').setAttribute("aria-pressed", String(this.swapped));
    this.draw();
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = { x: this.panes[0].clientWidth * PAN, y: this.panes[0].clientHeight * PAN };
    const actions = {
      ArrowLeft: () => this.pan(step.x, 0),
      ArrowRight: () => this.pan(-step.x, 0),
      ArrowUp: () => this.pan(0, step.y),
      ArrowDown: () => this.pan(0, -step.y),
      "+": () => this.scale(STEP),
      "-": () => this.scale(1 / STEP),
      1: () => this.to(1),
      0: () => this.to(0),
      z: () => this.dialog.close(),
      Z: () => this.dialog.close(),
    };
    const action = actions[event.key];
    if (action === undefined || (event.repeat && event.key.toLowerCase() === "z")) return;
    event.preventDefault();
    action();
  }

  /** Position of a pointer in CSS px from the centre of the pane below it. */
  inPane(event) {
    const pane = event.target.closest?.(".pane") ?? this.panes[0];
    const box = pane.getBoundingClientRect();
    return { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2 };
  }

  wheel(event) {
    event.preventDefault();
    this.scale(STEP ** Math.max(-1, Math.min(1, -event.deltaY / 50)), this.inPane(event));
  }

  press(event) {
    this.pointers.set(event.pointerId, event);
  }

  /** Distance of two pressed pointers in CSS px, 0 without two. */
  spread() {
    if (this.pointers.size !== 2) return 0;
    const [one, two] = this.pointers.values();
    return Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY);
  }

  move(event) {
    const last = this.pointers.get(event.pointerId);
    if (last === undefined || !this.dialog.open) return;
    const before = this.spread();
    this.pointers.set(event.pointerId, event);
    if (before > 0) this.scale(this.spread() / before, this.inPane(event));
    else if (this.pointers.size === 1) this.pan(event.clientX - last.clientX, event.clientY - last.clientY);
  }
}
