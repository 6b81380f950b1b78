// Time that the page was hidden or without focus: it does not count as looking at a pair.

let total = 0;
let since = null;

function update() {
  const away = document.hidden || !document.hasFocus();
  const now = performance.now();
  if (away && since === null) since = now;
  if (!away && since !== null) {
    total += now - since;
    since = null;
  }
}

for (const type of ["blur", "focus"]) addEventListener(type, update);
document.addEventListener("visibilitychange", update);
update();

/** Milliseconds away since the page was loaded. */
export function awayMs(now) {
  return total + (since === null ? 0 : now - since);
}
