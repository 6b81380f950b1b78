// Small helpers around the one document: switch screens, fill their texts, announce, wait.

export const byId = (id) => document.getElementById(id);
export const screenOf = (name) => document.querySelector(`section[data-screen="${name}"]`);
export const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const anyDialogOpen = () => document.querySelector("dialog[open]") !== null;

/** Show one screen and no other; its heading (or `focus`) takes the focus, so that Tab starts there. */
export function show(name, focus = null) {
  for (const section of document.querySelectorAll("section[data-screen]"))
    section.hidden = section.dataset.screen !== name;
  document.body.dataset.screen = name;
  const section = screenOf(name);
  const heading = section.querySelector("h1");
  const title = byId("main").dataset.title;
  document.title = name === "trial" || heading.textContent === title ? title : `${heading.textContent} - ${title}`;
  (focus ?? heading).focus({ preventScroll: true });
  window.scrollTo(0, 0);
  return section;
}

/** Put texts into the elements [data-fill=name] of a part of the page. */
export function fill(part, texts) {
  for (const [name, text] of Object.entries(texts)) {
    for (const element of part.querySelectorAll(`[data-fill="${name}"]`)) element.textContent = text;
  }
}

/** Put one paragraph (or list item) per string into [data-fill=name]. */
export function fillList(part, name, lines, tag = "p") {
  const items = lines.map((line) => Object.assign(document.createElement(tag), { textContent: line }));
  part.querySelector(`[data-fill="${name}"]`).replaceChildren(...items);
}

/** What a button [data-action=name] of a part does; a later call replaces an earlier one. */
export function onAction(part, name, handler) {
  part.querySelector(`[data-action="${name}"]`).onclick = handler;
}

/** What submitting the form of a part does: handler(form). Enter in a field submits too. */
export function onSubmit(part, handler) {
  const form = part.querySelector("form");
  form.onsubmit = (event) => {
    event.preventDefault();
    handler(form);
  };
}

/** Tell people who listen to a screen reader; the same sentence twice is read twice. */
export function announce(text) {
  const live = byId("live");
  live.textContent = live.textContent === text ? `${text}\u00a0` : text;
}

/** A page of one heading, some sentences and one or two buttons: {label, run}. */
export function notice(title, lines, go = null, other = null) {
  const section = screenOf("notice");
  fill(section, { title });
  fillList(section, "text", lines);
  for (const [name, button] of [
    ["go", go],
    ["other", other],
  ]) {
    const element = section.querySelector(`[data-action="${name}"]`);
    element.hidden = button === null;
    element.textContent = button?.label ?? "";
    element.onclick = button?.run ?? null;
  }
  show("notice");
}

/** Show a text in a big box and let a button copy it (without a clipboard the box is selected instead). */
export function copyable(part, text) {
  const box = part.querySelector(".code");
  box.textContent = text;
  const button = part.querySelector('[data-action="copy"]');
  button.textContent = "Copy the code";
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      announce("Copied");
    } catch {
      // no clipboard without https, or refused: selected text can be copied by hand
      getSelection().selectAllChildren(box);
      announce("The code is selected");
    }
  };
}
