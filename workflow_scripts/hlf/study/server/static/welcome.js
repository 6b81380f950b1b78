// From the first page to the practice: welcome, consent, resume code, questionnaire, instructions, coming back by code.

import { insist, post } from "./api.js";
import { deviceData } from "./device.js";
import { byId, copyable, fill, fillList, notice, onAction, onSubmit, screenOf, show } from "./dom.js";
import { tab } from "./store.js";

/** Texts of the study in the welcome page; a fact the owner left empty is not shown. */
export function welcome(study, { start, resume }) {
  const section = screenOf("welcome");
  const facts = {
    minutes: study.minutes ? `at most ${study.minutes} minutes` : "",
    pairs: study.pairs ? `about ${study.pairs}` : "",
    pay: study.pay ?? "",
  };
  fill(section, facts);
  for (const row of section.querySelectorAll(".facts > div")) row.hidden = row.querySelector("dd").textContent === "";
  onAction(section, "start", start);
  onAction(section, "resume", resume);
  show("welcome");
}

/** Enter a resume code: resumed(reply), or back() where there is a page to go back to. */
export function resume(title, text, resumed, back = null) {
  const section = screenOf("resume");
  fill(section, { title, text });
  const error = section.querySelector(".error");
  const input = byId("resume-code");
  error.textContent = "";
  section.querySelector('[data-action="back"]').hidden = back === null;
  onAction(section, "back", back);
  onSubmit(section, async () => {
    const code = input.value
      .trim()
      .toLowerCase()
      .split(/[\s,-]+/)
      .join(" ");
    const problem = (message) => {
      error.textContent = message;
      input.setAttribute("aria-invalid", "true");
      input.focus();
    };
    if (code === "") return problem("Please enter the four words of your code.");
    try {
      const reply = await post("/api/resume", { code });
      input.value = "";
      input.removeAttribute("aria-invalid");
      tab.keep("code", code);
      tab.drop("step");
      return resumed(reply);
    } catch (failure) {
      return problem(failure.status === 404 ? "This code is not known. Please check the four words." : failure.message);
    }
  });
  show("resume");
}

/** Consent with an unticked box; agreed(reply) or declined(). */
export function consent(state, agreed, declined) {
  const section = screenOf("consent");
  const box = byId("agree");
  const error = byId("consent-error");
  fillList(section, "paragraphs", state.consent.paragraphs);
  box.checked = false;
  box.onchange = () => {
    error.textContent = "";
  };
  // Enter ticks the box too: the whole study works with Tab and Enter
  box.onkeydown = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) box.click();
  };
  onAction(section, "decline", async () => {
    await post("/api/decline").catch(() => {}); // only a counter: leaving must always work
    declined();
  });
  onSubmit(section, async () => {
    if (!box.checked) {
      error.textContent = "Please tick the box if you agree.";
      box.focus();
      return;
    }
    try {
      show("loading");
      const reply = await post("/api/consent", { consent_hash: state.consent.hash, device: deviceData() });
      tab.keep("code", reply.resume_code);
      tab.keep("step", "code");
      agreed(reply);
    } catch (failure) {
      show("consent");
      error.textContent = failure.message;
    }
  });
  show("consent");
}

/** The pages between consent and practice, from the one this tab had reached; done() after the last. */
export function introduce(study, done) {
  const steps = { code: resumeCode, questionnaire, instructions };
  const go = (name) => {
    tab.keep("step", name);
    if (name === "done") done();
    else steps[name](study, go);
  };
  const reached = tab.recall("step");
  go(reached in steps ? reached : "instructions");
}

function resumeCode(study, go) {
  const code = tab.recall("code");
  if (code === null) return go("questionnaire");
  const section = screenOf("code");
  copyable(section, code);
  onAction(section, "go", () => go("questionnaire"));
  return show("code");
}

function questionnaire(study, go) {
  const section = screenOf("questionnaire");
  const send = async (answers) => {
    try {
      await insist(() => post("/api/questionnaire", answers));
    } finally {
      // an answer that the server does not take must not keep anybody from the study
      go("instructions");
    }
  };
  onSubmit(section, (form) => {
    const names = ["age_band", "vision", "colour_vision", "expertise"];
    return send(Object.fromEntries(names.map((name) => [name, form.elements[name].value || null])));
  });
  onAction(section, "skip", () => go("instructions"));
  show("questionnaire");
}

function instructions(study, go) {
  const section = screenOf("instructions");
  section.querySelector('[data-fill="instructions"]').replaceChildren(instructionsText(study));
  onAction(section, "go", () => go("done"));
  show("instructions");
}

/** A copy of the instructions with the study's question in it. */
export function instructionsText(study) {
  const text = byId("instructions-text").content.cloneNode(true);
  fill(text, { question: study.question });
  return text;
}

/** The person did not agree. */
export function declinedPage(back) {
  notice("Thank you", ["You did not agree, so nothing about you was stored. You may close this page."], null, {
    label: "Back to the consent page",
    run: back,
  });
}
