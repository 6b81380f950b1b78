// Start: ask the server where this person is, and run the pages of that phase.

import { get, insist, post, report } from "./api.js";
import { openHelp, openWithdraw } from "./dialogs.js";
import { deviceFits } from "./device.js";
import { byId, fill, notice, show, sleep } from "./dom.js";
import { completedPage, donePage, finishPage, screenedPage } from "./finish.js";
import { SessionLost } from "./images.js";
import { Outbox } from "./outbox.js";
import { practise } from "./practice.js";
import { forget, storageWorks } from "./store.js";
import { PairView } from "./trial.js";
import { Trials } from "./trials.js";
import { consent, declinedPage, introduce, resume, welcome } from "./welcome.js";
import { Lens } from "./zoom.js";

const HEARTBEAT_MS = 60000; // spec
const PAUSED_MS = 30000; // between two looks at a paused study; our choice
const CONFLICT_MS = 5000; // a second conflict within this time is shown, the first only asks for the phase; our choice
const STARTED = ["practice", "trials", "finished", "screened"];

let state = null;
let view = null;
let trials = null;
let conflict = -Infinity; // time of the last one
let pauses = 0; // a newer visit of a page ends the waiting of an older one
const outbox = new Outbox({ saved: (reply) => trials?.saved(reply), lost: (error) => fail(error) });

/** Ask for the phase and go there. */
async function enter() {
  trials?.stop();
  trials = null;
  pauses += 1;
  if (document.body.dataset.screen !== "loading") show("loading");
  const loading = byId("main").querySelector('[data-screen="loading"] [data-fill="text"]');
  state = await insist(
    () => get("/api/state"),
    (error) => {
      loading.textContent = `${error.message} Trying again...`;
    },
  );
  const { study, phase } = state;
  byId("banner").hidden = !study?.simulated;
  const contact = byId("footer").querySelector('[data-fill="contact"]');
  fill(byId("footer"), { contact: study?.contact ? `Questions: ${study.contact}` : "" });
  contact.hidden = !study?.contact;
  byId("withdraw").hidden = !["welcome", "paused", ...STARTED].includes(phase);
  if (["welcome", "practice", "trials"].includes(phase)) {
    pairView();
    await deviceFits(study);
  }
  if (storageWorks() && ["closed", "paused", ...STARTED].includes(phase)) outbox.start();
  await PHASES[phase]();
}

const PHASES = {
  no_invite: () =>
    resume(
      "Please use your invitation",
      "Open the link of your invitation. If you have taken part before, you can go on with your resume code.",
      enterAgain,
    ),
  closed: () => notice("This study is closed", ["Thank you for your interest. No more answers are collected."]),
  withdrawn: () => notice("You have withdrawn", ["Your answers are deleted. You may close this page."]),
  screened: () => screenedPage(),
  welcome: () => welcome(state.study, { start: startConsent, resume: resumeFromWelcome }),
  paused: () => paused("The study is paused"),
  practice: () => introduce(state.study, guarded(runPractice)),
  trials: () =>
    readyForTrials(
      state.progress.answered > 0
        ? ["Welcome back", `You have answered ${state.progress.answered} of ${state.progress.total} pairs.`]
        : ["Ready", "Now the study begins. There is no feedback any more, and your answers count."],
    ),
  finished: async () => {
    show("loading");
    await outbox.until(0);
    if (state.completion) completedPage({ answers: state.progress.answered, completion: state.completion });
    else finished(state.progress, state.undo);
  },
};

/** A function that shows what went wrong inside another one. */
function guarded(run) {
  return (...values) =>
    Promise.resolve()
      .then(() => run(...values))
      .catch(fail);
}

const enterAgain = guarded(enter);

function startConsent() {
  consent(state, enterAgain, () => declinedPage(startConsent));
}

function resumeFromWelcome() {
  resume("Go on with your code", "Enter the four words you were given after your consent.", enterAgain, () =>
    PHASES.welcome(),
  );
}

/** Wait for the server: it goes on by itself. */
async function paused(title, detail = "") {
  notice(
    title,
    [
      detail,
      "Please leave this page open or come back later: it goes on where you were. Your answers are kept.",
    ].filter(Boolean),
  );
  const mine = (pauses += 1);
  for (;;) {
    await sleep(PAUSED_MS);
    if (mine !== pauses) return;
    const { phase } = await get("/api/state").catch(() => ({ phase: "paused" }));
    if (mine === pauses && phase !== "paused") return enterAgain();
  }
}

function pairView() {
  view ??= new PairView(state.study, new Lens(state.study.flicker === true), () => openHelp(state.study));
  view.use(state.study);
  return view;
}

async function runPractice() {
  const result = await practise(pairView());
  view.handlers = null;
  if (result === "again") {
    notice(
      "One more try",
      ["Some answers were not right yet. Please read the instructions again; then you can repeat the practice once."],
      { label: "Read and repeat", run: () => introduce(state.study, guarded(runPractice)) },
    );
    return;
  }
  state = await insist(() => get("/api/state"));
  await PHASES[state.phase]();
}

/** A card before the first pair of a visit; the pairs load behind it. */
function readyForTrials([title, text]) {
  trials = new Trials({ study: state.study, view: pairView(), outbox, leave: guarded(left), fail });
  const mine = trials;
  mine.take(state);
  const ready = mine.prepare();
  notice(title, [text, "You can stop at any time and go on later. Press ? or Help to read the instructions again."], {
    label: "Go on",
    run: guarded(async () => {
      if (!mine.over) await mine.start();
    }),
  });
  ready.catch((error) => {
    if (mine === trials) fail(error);
  });
}

/** The server says that no more pairs come. */
async function left(phase) {
  if (phase === "finished") finished(trials.progress, trials.canUndo);
  else await enter();
}

function finished(progress, undo) {
  const again = trials;
  finishPage(progress, undo && again !== null ? () => again.undo() : null, completedPage);
}

function fail(error) {
  if (error instanceof SessionLost || error.status === 401) {
    trials?.stop();
    byId("withdraw").hidden = true;
    resume(
      "Please enter your resume code",
      "This browser is no longer signed in. Your answers are kept; go on with the four words you were given.",
      enterAgain,
    );
  } else if (error.status === 503) {
    trials?.stop();
    guarded(paused)("Please wait", error.message);
  } else if (error.status === 409 && performance.now() - conflict > CONFLICT_MS) {
    // the server is in another phase than this page, as after a closing of the study
    conflict = performance.now();
    enterAgain();
  } else {
    report("script", `${error.message} ${error.stack ?? ""}`);
    trials?.stop();
    notice("Something went wrong", [error.message, "Your answers are kept."], { label: "Try again", run: enterAgain });
  }
}

function withdrawn() {
  trials?.stop();
  outbox.clear();
  forget();
  byId("withdraw").hidden = true;
  PHASES.withdrawn();
}

/** Tell the server that the page is still in use; learn of a pause. */
async function beat() {
  if (document.hidden || !["practice", "trials"].includes(state?.phase)) return;
  try {
    const { phase } = await post("/api/heartbeat");
    if (["paused", "closed", "withdrawn"].includes(phase) && trials !== null && !trials.over) await enter();
  } catch (error) {
    if (error.status === 401) fail(error);
    // without network the outbox and the next pair wait by themselves
  }
}

byId("withdraw").onclick = () => openWithdraw(STARTED.includes(state?.phase), withdrawn);
setInterval(beat, HEARTBEAT_MS);
document.addEventListener("visibilitychange", beat);
addEventListener("beforeunload", (event) => {
  if (outbox.size > 0) event.preventDefault();
});
addEventListener("error", (event) => report("script", `${event.message} ${event.filename}:${event.lineno}`));
addEventListener("unhandledrejection", (event) => report("script", event.reason?.stack ?? event.reason));
enterAgain();
