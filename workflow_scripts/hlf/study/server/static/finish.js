// The last pages: all answers saved, comment, completion code. The server has every answer before any of them appears.

import { insist, post } from "./api.js";
import { byId, copyable, fill, onSubmit, screenOf, show } from "./dom.js";

/** After the last pair: comment, undo of the last answer (undo = null: none is left), Finish; completed(reply). */
export function finishPage(progress, undo, completed) {
  const section = screenOf("finish");
  fill(section, { saved: savedLine(progress.answered) });
  const error = section.querySelector(".error");
  error.textContent = "";
  const button = section.querySelector('[data-action="undo"]');
  button.hidden = undo === null;
  button.onclick = undo;
  onSubmit(section, async () => {
    const submit = section.querySelector('[type="submit"]');
    if (submit.disabled) return;
    submit.disabled = true;
    try {
      completed(
        await insist(
          () => post("/api/finish", { comment: byId("comment").value.trim() || null }),
          (trouble) => {
            error.textContent = `${trouble.message} Trying again...`;
          },
        ),
      );
    } catch (failure) {
      error.textContent = failure.message;
    }
    submit.disabled = false;
  });
  show("finish");
}

const savedLine = (answers) => (answers === 1 ? "Your answer is saved." : `All ${answers} answers are saved.`);

/** Thank you, with the recruiting site's code or link if the study has one. */
export function donePage(title, text, completion) {
  const section = screenOf("done");
  fill(section, { title, text });
  const { code = null, url = null } = completion ?? {};
  for (const part of ['[data-part="code"]', '[data-action="copy"]']) section.querySelector(part).hidden = code === null;
  section.querySelector('[data-part="link"]').hidden = url === null;
  if (code !== null) copyable(section, code);
  if (url !== null) section.querySelector("a").href = url;
  show("done");
}

export const completedPage = (reply) =>
  donePage("Finished", `${savedLine(reply.answers)} Thank you for taking part.`, reply.completion);

/** After a second failed practice: thanks and the code for people who leave here. */
export async function screenedPage() {
  const reply = await insist(() => post("/api/finish", { comment: null }));
  donePage(
    "Thank you",
    "The practice shows that this task does not suit you well, so the study ends here. Thank you for your time.",
    reply.completion,
  );
}
