// Requests to the server: JSON, CSRF token, errors with a status. Nothing here knows what the answers mean.

import { sleep } from "./dom.js";

const TIMEOUT_MS = 20000; // a connection that hangs counts as none; our choice
const LONGEST_PAUSE_MS = 15000; // between two tries; our choice

const meta = document.querySelector('meta[name="csrf-token"]');

/** A request that got no good answer. status 0 = no answer at all. */
export class ApiError extends Error {
  constructor(status, detail, retryAfter = 0) {
    super(detail);
    this.status = status;
    this.retryAfterMs = retryAfter * 1000;
  }

  /** Whether the same request may succeed later: no network, too many requests, a server in trouble. */
  get passing() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export const get = (path) => request("GET", path);
export const post = (path, body = {}) => request("POST", path, body);

async function request(method, path, body, renew = true) {
  const options = {
    method,
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { Accept: "application/json" },
  };
  if (method === "POST") {
    options.headers["Content-Type"] = "application/json";
    options.headers["X-CSRF-Token"] = meta.content;
    // a vote on its way when the tab closes still arrives
    options.keepalive = true;
    options.body = JSON.stringify(body);
  }
  let reply;
  let data;
  try {
    reply = await fetch(path, options);
    data = await reply.json().catch((error) => {
      // an answer cut in the middle is no answer; an error page without JSON still has its status
      if (reply.ok) throw error;
      return {};
    });
  } catch {
    throw new ApiError(0, "The server cannot be reached. Please check your connection.");
  }
  if (reply.ok) {
    if (data.csrf) meta.content = data.csrf;
    return data;
  }
  if (reply.status === 403 && method === "POST" && renew) {
    // the token belongs to an earlier cookie, for example after resuming in another tab
    await request("GET", "/api/state");
    return request(method, path, body, false);
  }
  const detail = typeof data.detail === "string" ? data.detail : `the server answered with error ${reply.status}`;
  throw new ApiError(reply.status, sentence(detail), Number(reply.headers.get("Retry-After")) || 0);
}

/** "a b" -> "A b.": the server's reasons are clauses. */
const sentence = (clause) => clause.charAt(0).toUpperCase() + clause.slice(1) + (/[.!?]$/.test(clause) ? "" : ".");

/** Wait before another try: 0.5 s, 1 s .. 15 s, or what the server asks for; cut short when the network is back. */
export function pause(tries, atLeastMs = 0) {
  const backoff = Math.min(LONGEST_PAUSE_MS, 500 * 2 ** Math.min(tries, 5));
  const wait = sleep(Math.max(atLeastMs, backoff));
  if (atLeastMs > 0) return wait;
  return Promise.race([wait, new Promise((resolve) => addEventListener("online", resolve, { once: true }))]);
}

/**
 * Repeat call() until the server answers; errors that time does not heal are thrown, and 503: the study is paused.
 * trouble(error) is told of each failed try.
 */
export async function insist(call, trouble = () => {}) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof ApiError) || !error.passing || error.status === 503) throw error;
      trouble(error);
      await pause(tries, error.retryAfterMs);
    }
  }
}

let reports = 0;

/** Tell the owner's log about an error in the browser: at most 5 for one page load, never in the way of anything. */
export function report(kind, message) {
  reports += 1;
  if (reports <= 5) post("/api/problem", { kind, message: String(message).slice(0, 500) }).catch(() => {});
}
