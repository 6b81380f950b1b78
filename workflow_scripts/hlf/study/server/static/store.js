// What this browser remembers: unsent votes and choices (local storage), steps before the practice (this tab only).

const PREFIX = "hlf-study.";

/** Whether local storage can be written and read back. */
export function storageWorks() {
  try {
    localStorage.setItem(`${PREFIX}test`, "1");
    const works = localStorage.getItem(`${PREFIX}test`) === "1";
    localStorage.removeItem(`${PREFIX}test`);
    return works;
  } catch {
    return false;
  }
}

/** All stored objects whose name starts with `kind`, as [name, object]. */
export function all(kind) {
  const found = [];
  for (let i = 0; i < localStorage.length; i += 1) {
    const name = localStorage.key(i);
    if (name.startsWith(PREFIX + kind)) found.push([name.slice(PREFIX.length), JSON.parse(localStorage.getItem(name))]);
  }
  return found;
}

export const keep = (name, value) => localStorage.setItem(PREFIX + name, JSON.stringify(value));
export const drop = (name) => localStorage.removeItem(PREFIX + name);
export const recall = (name) => JSON.parse(localStorage.getItem(PREFIX + name) ?? "null");

/** Remembered until the tab closes: survives a reload, not another person at the same computer. */
export const tab = {
  keep: (name, value) => sessionStorage.setItem(PREFIX + name, JSON.stringify(value)),
  recall: (name) => JSON.parse(sessionStorage.getItem(PREFIX + name) ?? "null"),
  drop: (name) => sessionStorage.removeItem(PREFIX + name),
};

/** Forget everything of this person, after a withdrawal. */
export function forget() {
  for (const [name] of all("")) drop(name);
  sessionStorage.clear();
}
