// Help and withdrawal: dialogs over any page. A trial below them stays as it is.

import { post } from "./api.js";
import { anyDialogOpen, byId, fill, onAction } from "./dom.js";
import { singleKeys, useSingleKeys } from "./keys.js";
import { tab } from "./store.js";
import { instructionsText } from "./welcome.js";

export function openHelp(study) {
  if (anyDialogOpen()) return;
  const dialog = byId("help-dialog");
  const part = (name) => dialog.querySelector(`[data-part="${name}"]`);
  dialog.querySelector('[data-fill="instructions"]').replaceChildren(instructionsText(study));
  const code = tab.recall("code");
  fill(dialog, {
    arrows: study.mirror ? "Yes (left) and No (right)" : "No (left) and Yes (right)",
    resume: code ?? "",
  });
  part("letters").hidden = !study.letter_keys;
  part("undo").hidden = study.undo === 0;
  part("resume").hidden = code === null;
  const box = byId("single-keys");
  box.checked = singleKeys();
  box.onchange = () => useSingleKeys(box.checked);
  onAction(dialog, "close", () => dialog.close());
  dialog.showModal();
  byId("help-title").focus();
  dialog.scrollTop = 0;
}

/** started: whether this person has agreed, so that something can be deleted; withdrawn(): called once it is. */
export function openWithdraw(started, withdrawn) {
  if (anyDialogOpen()) return;
  const dialog = byId("withdraw-dialog");
  const error = dialog.querySelector(".error");
  error.textContent = "";
  fill(dialog, {
    text: started
      ? "All your answers are deleted and you leave the study now. This cannot be undone. " +
        "To go on another time instead, just close the page."
      : "Nothing about you is stored yet. You can simply close this page.",
  });
  const button = dialog.querySelector('[data-action="withdraw"]');
  button.hidden = !started;
  onAction(dialog, "stay", () => dialog.close());
  onAction(dialog, "withdraw", async () => {
    button.disabled = true;
    try {
      await post("/api/withdraw", { confirm: true });
      dialog.close();
      withdrawn();
    } catch (failure) {
      error.textContent = failure.message;
    }
    button.disabled = false;
  });
  dialog.showModal();
  byId("withdraw-title").focus();
}
