// Comfort for the owner's overview: renews it every half a minute if asked to. Without scripts, all pages work alike.

const EVERY = 30_000; // ms
const KEPT = "hlf-owner-renew";

/** Fetch the overview and put its content in the place of the old one; false when the session is over. */
async function renew(main) {
  // the server must not take this for a sign that somebody is here
  const answer = await fetch("/owner", { headers: { "x-unattended": "1" }, cache: "no-store" });
  if (answer.redirected || !answer.ok) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("main");
  // the switch stays, with its focus
  for (const part of [...main.children].filter((part) => !part.matches(".head, .said"))) part.remove();
  main.append(...[...fresh.children].filter((part) => !part.matches(".head, .said")));
  document.querySelector("footer").replaceWith(page.querySelector("footer"));
  document.querySelector(".top .status").replaceWith(page.querySelector(".top .status"));
  return true;
}

/** Put a switch beside the heading. */
function start(main) {
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = localStorage.getItem(KEPT) === "1";
  const label = document.createElement("label");
  label.className = "tick";
  label.append(box, "Renew every 30 s");
  document.getElementById("renew").append(label);
  box.addEventListener("change", () => localStorage.setItem(KEPT, box.checked ? "1" : "0"));
  setInterval(async () => {
    const busy = main.contains(document.activeElement) && !label.contains(document.activeElement);
    if (!box.checked || document.hidden || busy) return;
    try {
      if (!(await renew(main))) location.assign("/owner/login");
    } catch {
      // offline: the next try may work, and the page says of when it is
    }
  }, EVERY);
}

const main = document.querySelector('main[data-page="dashboard"]');
if (main) start(main);
