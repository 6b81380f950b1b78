// Votes on their way to the server. A vote stays in local storage until the server says it is committed: it survives
// a reload, a crash of the tab and hours without network. One entry per vote, so two tabs never overwrite each other.

import { ApiError, pause, post, report } from "./api.js";
import { all, drop, keep } from "./store.js";

export const MOST_UNSAVED = 3; // spec: no further answer before one of these is saved

export class Outbox {
  /**
   * saved(reply, vote): a vote is committed, or refused for good (reply null).
   * lost(error): the server no longer knows this browser (401); start() again after resuming.
   */
  constructor({ saved, lost }) {
    this.saved = saved;
    this.lost = lost;
    this.votes = new Map();
    this.watchers = [];
    this.running = false;
  }

  /** Take over what an earlier page load left behind, and send. */
  start() {
    const left = all("vote.").sort(([, one], [, other]) => one.at - other.at);
    for (const [name, { vote }] of left) this.votes.set(name, vote);
    this.pump();
  }

  get size() {
    return this.votes.size;
  }

  /** Whether an assignment has an answer that is not acknowledged yet. */
  holds(assignment) {
    return [...this.votes.values()].some((vote) => vote.assignment === assignment);
  }

  add(vote) {
    const body = { ...vote, key: uuid() };
    const name = `vote.${body.key}`;
    this.votes.set(name, body);
    try {
      keep(name, { at: Date.now(), vote: body });
    } catch (error) {
      // a full store: the vote still leaves from memory, only a reload would lose it
      report("storage", error);
    }
    this.pump();
  }

  /** Resolves when at most `count` votes are unsaved; false when `timeout` ms have passed before. */
  until(count, timeout = Infinity) {
    if (this.size <= count) return Promise.resolve(true);
    return new Promise((resolve) => {
      const watcher = { count, resolve };
      this.watchers.push(watcher);
      if (timeout !== Infinity) setTimeout(() => resolve(false), timeout);
    });
  }

  /** Forget all, after a withdrawal. */
  clear() {
    for (const name of this.votes.keys()) drop(name);
    this.votes.clear();
  }

  async pump() {
    if (this.running) return;
    this.running = true;
    for (let tries = 0; this.size > 0;) {
      const [name, vote] = this.votes.entries().next().value;
      try {
        const reply = await post("/api/vote", vote);
        tries = 0;
        this.finish(name, vote, reply);
      } catch (error) {
        if (!(error instanceof ApiError) || error.status === 401 || error.status === 403) {
          this.running = false;
          this.lost(error);
          return;
        }
        if (error.passing) {
          await pause(tries, error.retryAfterMs);
          tries += 1;
        } else {
          // 404, 409, 422: no later try can succeed; the owner reads why
          report("vote_refused", `${error.status} ${error.message}`);
          this.finish(name, vote, null);
        }
      }
    }
    this.running = false;
  }

  finish(name, vote, reply) {
    this.votes.delete(name);
    drop(name);
    this.saved(reply, vote);
    this.watchers = this.watchers.filter((watcher) => {
      if (this.size > watcher.count) return true;
      watcher.resolve(true);
      return false;
    });
  }
}

/** A random UUID; crypto.randomUUID exists on https and localhost only. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
