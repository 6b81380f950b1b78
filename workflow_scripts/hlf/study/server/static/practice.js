// Practice pairs with feedback. Nothing here counts; the server knows the right answers and judges.

import { get, insist, post } from "./api.js";
import { BrokenImage, loadPair } from "./images.js";

const VERDICTS = { true: "That is right.", false: "Not quite." };

/** Run the practice to its end: "passed", "again" (one repeat is left) or "failed". */
export async function practise(view) {
  const { items, done } = await insist(() => get("/api/practice"));
  const loads = items.slice(done).map((item) => loadPair(item));
  for (const load of loads) load.catch(() => {});
  for (const [i, item] of items.slice(done).entries()) {
    view.clear();
    const images = await loads[i].catch((error) => {
      throw error instanceof BrokenImage
        ? new Error("A practice image cannot be shown. Please load the page again.")
        : error;
    });
    const position = done + i + 1;
    view.progress(`Practice ${position} of ${items.length}`, position - 1, items.length);
    const answer = await asked(view, images, item.number);
    const reply = await insist(() => post("/api/practice", { number: item.number, answer }));
    view.saving(false);
    view.progress(`Practice ${position} of ${items.length}`, position, items.length);
    const right = reply.answer === 1 ? "Yes" : "No";
    await view.explain(
      VERDICTS[reply.correct],
      reply.correct ? reply.reason : `The answer is ${right}. ${reply.reason}`,
    );
    if (reply.finished) return reply.passed ? "passed" : reply.again ? "again" : "failed";
  }
  return "passed";
}

function asked(view, images, number) {
  return new Promise((resolve) => {
    const answer = (value) => {
      view.saving(true);
      resolve(value);
    };
    view.open({ answer, undo: () => {} });
    view.allowUndo(false);
    view.present(images, number);
  });
}
