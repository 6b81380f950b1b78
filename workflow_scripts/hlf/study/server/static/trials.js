// The queue of pairs: preload two ahead, send votes, go on at once, undo, breaks. The server decides what comes next.

import { insist, post, report } from "./api.js";
import { announce, notice, sleep } from "./dom.js";
import { BrokenImage, loadPair } from "./images.js";
import { MOST_UNSAVED, uuid } from "./outbox.js";

const UNDO_WAIT_MS = 4000; // for votes still on their way; our choice
const EMPTY_WAIT_MS = 2000; // other people hold all pairs that are left; our choice

export class Trials {
  /** leave(phase): the server says that this person's trials are over or stopped; fail(error): no way to go on. */
  constructor({ study, view, outbox, leave, fail }) {
    Object.assign(this, { study, view, outbox, leave, fail });
    this.queue = []; // entries {trial, images: Promise}; the first is on the screen or comes next
    this.progress = { answered: 0, total: study.pairs };
    this.answered = new Set(); // assignments; a late list of holds may still name them
    this.canUndo = false;
    this.over = false;
    this.turn = 0; // counts calls of advance(): a newer one makes an older one stop
    this.refilling = null;
    this.sinceBreak = { trials: 0, start: performance.now() };
  }

  /** Load the first pairs while the person still reads a card. */
  async prepare() {
    await this.outbox.until(0);
    await this.refill();
  }

  start() {
    this.sinceBreak = { trials: 0, start: performance.now() };
    this.view.open({ answer: (value, data) => this.answer(value, data), undo: () => this.undo() });
    return this.advance();
  }

  stop() {
    this.over = true;
    this.turn += 1;
    this.view.handlers = null;
  }

  /** Ask for this person's holds; the pair on the screen stays, whatever the server has reserved since. */
  refill() {
    this.refilling ??= this.fetchHolds().finally(() => {
      this.refilling = null;
    });
    return this.refilling;
  }

  async fetchHolds() {
    const reply = await insist(() => post("/api/next"));
    this.take(reply);
    if (reply.phase !== "trials") {
      if (!this.over) this.end(reply.phase);
      return;
    }
    const known = new Map(this.queue.map((entry) => [entry.trial.assignment, entry]));
    const listed = reply.trials.filter(
      ({ assignment }) => !this.answered.has(assignment) && !this.outbox.holds(assignment),
    );
    const next = listed.map((trial) => this.entry(trial, known.get(trial.assignment)));
    const [current] = this.queue;
    const shown = current?.shown ? [current] : [];
    this.queue = [...shown, ...next.filter((entry) => entry !== current || !current.shown)];
  }

  /** A queue entry whose images load at once; an earlier one of the same assignment is kept. */
  entry(trial, earlier) {
    if (earlier) {
      earlier.trial = trial;
      return earlier;
    }
    const entry = { trial, shown: false };
    entry.images = loadPair(trial, () => this.queue.includes(entry));
    entry.images.catch(() => {}); // looked at when it is this pair's turn
    return entry;
  }

  take(reply) {
    if (reply.progress) this.progress = reply.progress;
    if (typeof reply.undo === "boolean") this.canUndo = reply.undo;
    this.view.allowUndo(this.canUndo && !this.over);
  }

  /** Show the next pair as soon as there is one. */
  async advance() {
    this.turn += 1;
    const turn = this.turn;
    try {
      if (this.breakDue()) {
        this.takeBreak();
        return;
      }
      for (;;) {
        const images = await this.nextImages(turn);
        if (turn !== this.turn || this.over) return;
        if (images !== null) {
          this.present(images);
          return;
        }
      }
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    }
  }

  /** Images of the first pair in the queue, or null when the queue has changed and must be looked at again. */
  async nextImages(turn) {
    if (this.outbox.size >= MOST_UNSAVED) {
      this.view.clear(
        "Saving your answers. Please keep this page open: it goes on by itself when the connection is back.",
      );
      await this.outbox.until(MOST_UNSAVED - 1);
      return null;
    }
    if (this.queue.length === 0) {
      this.view.clear();
      await this.outbox.until(0);
      await this.refill();
      if (this.queue.length === 0 && !this.over) await sleep(EMPTY_WAIT_MS);
      return null;
    }
    const [entry] = this.queue;
    if (entry.ready) return entry.ready;
    // decoded images come in the same task: the next pair replaces the last without a gap
    const settled = await Promise.race([entry.images, Promise.resolve(null)]).catch((error) => error);
    if (!Array.isArray(settled) && turn === this.turn) this.view.clear();
    try {
      entry.ready = await entry.images;
    } catch (error) {
      if (!(error instanceof BrokenImage)) throw error;
      if (this.queue.includes(entry)) await this.release(entry, error);
      return null;
    }
    return entry === this.queue[0] ? entry.ready : null;
  }

  present(images) {
    const [entry] = this.queue;
    entry.shown = true;
    const { number } = entry.trial;
    this.view.progress(`Pair ${number} of ${this.progress.total}`, this.progress.answered, this.progress.total);
    this.view.allowUndo(this.canUndo);
    return this.view.present(images, number);
  }

  /** Give a pair back whose images cannot be shown. */
  async release(entry, error) {
    report("load_error", error.message);
    this.queue = this.queue.filter((other) => other !== entry);
    this.answered.add(entry.trial.assignment);
    await insist(() => post("/api/release", { assignment: entry.trial.assignment, reason: "load_error" })).catch(
      (failure) => {
        // 404, 409: no longer held, so there is nothing to give back
        if (![404, 409].includes(failure.status)) throw failure;
      },
    );
    await this.refill();
  }

  answer(value, data) {
    const entry = this.queue.shift();
    this.answered.add(entry.trial.assignment);
    this.sinceBreak.trials += 1;
    this.outbox.add({ assignment: entry.trial.assignment, answer: value, ...data });
    this.view.saving(true);
    this.advance();
  }

  /** A vote was committed (reply) or refused for good (null). */
  saved(reply) {
    if (this.outbox.size === 0) this.view.saving(false);
    if (this.over) return;
    if (reply !== null) {
      this.take(reply);
      const { answered, total } = this.progress;
      announce(answered < total ? `Saved. ${this.label()}` : "Saved.");
      if (this.view.active) this.view.progress(this.label(), answered, total);
    }
    if (this.outbox.size === 0) this.refill().catch((error) => this.fail(error));
  }

  label() {
    const { total, answered } = this.progress;
    return `Pair ${this.queue[0]?.trial.number ?? Math.min(answered + 1, total)} of ${total}`;
  }

  /** Take the last answer back and show its pair again. */
  async undo() {
    if (this.undoing || !(this.canUndo || this.outbox.size > 0)) return;
    this.undoing = true;
    this.view.hold(true);
    try {
      if (!(await this.outbox.until(0, UNDO_WAIT_MS))) {
        announce("Your last answer is still being saved. Please try again in a moment.");
        return;
      }
      await this.refilling;
      const key = uuid();
      const reply = await insist(() => post("/api/undo", { key }));
      this.over = false;
      this.take(reply);
      this.answered.delete(reply.trial.assignment);
      const entry = this.entry(reply.trial);
      for (const other of this.queue) other.shown = false;
      this.queue = [entry, ...this.queue];
      this.sinceBreak.trials = Math.max(0, this.sinceBreak.trials - 1);
      announce(`Undone. Pair ${reply.trial.number} of ${this.progress.total}`);
      this.view.open({ answer: (value, data) => this.answer(value, data), undo: () => this.undo() });
      this.advance();
    } catch (error) {
      if (error.status === 409) this.take({ undo: false });
      else this.fail(error);
    } finally {
      this.undoing = false;
      this.view.hold(false);
    }
  }

  async end(phase) {
    this.stop();
    await this.outbox.until(0);
    this.leave(phase);
  }

  breakDue() {
    const { trials, start } = this.sinceBreak;
    const { break_trials: most, break_minutes: minutes } = this.study;
    if (trials === 0 || this.progress.answered + this.outbox.size >= this.progress.total) return false;
    return (most > 0 && trials >= most) || (minutes > 0 && performance.now() - start >= minutes * 60000);
  }

  takeBreak() {
    this.view.clear("");
    const answered = this.progress.answered + this.outbox.size;
    const onward = { label: "Go on", run: () => this.start() };
    const undo = { label: "Undo last", run: () => this.undo() };
    const lines = [
      `You have answered ${answered} of ${this.progress.total} pairs.`,
      "Look into the distance for a moment, stretch if you like. Go on when you are ready.",
    ];
    notice("Time for a short break", lines, onward, this.study.undo > 0 ? undo : null);
  }
}
