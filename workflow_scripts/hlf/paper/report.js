"use strict";
// tables: first click sorts upwards, the next one downwards; numbers by value, dashes last
document.querySelectorAll("table.sortable thead th").forEach((th) => {
  const head = th.parentElement, body = th.closest("table").tBodies[0];
  const button = document.createElement("button");
  button.type = "button";
  button.append(...th.childNodes);
  th.append(button);
  const index = [...head.children].indexOf(th);
  button.addEventListener("click", () => {
    const up = th.getAttribute("aria-sort") !== "ascending";
    [...head.children].forEach((other) => other.removeAttribute("aria-sort"));
    th.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => {
      const text = row.children[index].textContent.trim(), number = parseFloat(text.replace("[", "").replace("\u2212", "-"));
      return th.classList.contains("num") ? (Number.isNaN(number) ? null : number) : text;
    };
    const compare = (a, b) => {
      const x = value(a), y = value(b);
      if (x === null || y === null) return (x === null) - (y === null);
      const order = typeof x === "number" ? x - y : x.localeCompare(y);
      return up ? order : -order;
    };
    body.append(...[...body.rows].sort(compare));
  });
});

// the navigation marks the section that is read
const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
const watch = new IntersectionObserver((entries) => entries.forEach((entry) => {
  if (!entry.isIntersecting) return;
  links.forEach((link) => link.removeAttribute("aria-current"));
  const link = links.get(entry.target.id), bar = link.closest("ul");
  link.setAttribute("aria-current", "true");
  bar.scrollLeft = link.offsetLeft - (bar.clientWidth - link.offsetWidth) / 2;
}), { rootMargin: "-30% 0px -65% 0px" });
links.forEach((_, id) => watch.observe(document.getElementById(id)));

// the viewer takes its pictures and numbers from the gallery, which is what a reader without scripts sees
const viewer = document.querySelector(".viewer");
if (viewer) {
  const find = (selector) => viewer.querySelector(selector);
  const [sort, order, model, part] = ["#sort", "#order", "#model", "#part"].map(find);
  const [slider, swap, flicker, list, stage] = ["#slider", "#swap", "#flicker", ".list", ".stage"].map(find);
  const pairs = [...document.querySelectorAll(".gallery .pair")];
  let shown = [], now = null, timer = 0;

  const number = (pair, name) => (pair.dataset[name] === "" ? NaN : Number(pair.dataset[name]));
  // "vif-gap" is data-vif-gap, which scripts call vifGap
  const field = () => sort.value.replace("-gap", "Gap");
  // of a disagreement its size counts; which way it goes stands in the row
  const rank = (pair, name) => (name.endsWith("Gap") ? Math.abs(number(pair, name)) : number(pair, name));
  const text = (pair, name) => {
    const value = number(pair, name);
    if (Number.isNaN(value)) return "\u2013";
    const points = `${value < 0 ? "\u2212" : "+"}${Math.abs(100 * value).toFixed(0)}`;
    return name.endsWith("Gap") ? points : value.toFixed(name === "score" ? 2 : 4).replace("-", "\u2212");
  };

  const reveal = () => {
    const gt = swap.getAttribute("aria-pressed") === "true";
    stage.style.setProperty("--share", gt ? "100%" : `${slider.value}%`);
    stage.classList.toggle("whole", gt);
  };
  const show = (pair) => {
    now = pair;
    const gt = document.getElementById(pair.dataset.gt), sr = pair.querySelector("img");
    find("img.gt").src = gt.src;
    find("img.gt").alt = gt.alt;
    find("img.sr").src = sr.src;
    find("img.sr").alt = sr.alt;
    find(".tag.right").textContent = pair.querySelector("b").textContent;
    find(".about").textContent = `${pair.dataset.id}. ${pair.querySelector(".facts").textContent}.`;
    list.querySelectorAll("button").forEach((button) => {
      const current = button.dataset.id === pair.dataset.id;
      button.setAttribute("aria-current", String(current));
      if (current) list.scrollTop = button.offsetTop - list.offsetTop - (list.clientHeight - button.offsetHeight) / 2;
    });
  };
  const item = (pair) => {
    const button = document.createElement("button"), row = document.createElement("li");
    const cells = [pair.dataset.id, `score ${text(pair, "score")}`];
    const [name, gap] = sort.value.split("-");
    if (name !== "score") cells.push(`${gap ? "HLF \u2212 " : ""}${name.toUpperCase()} ${text(pair, field())}`);
    button.type = "button";
    button.dataset.id = pair.dataset.id;
    button.style.setProperty("--model", pair.dataset.color);
    cells.forEach((cell) => {
      const span = document.createElement("span");
      span.textContent = cell;
      button.append(span);
    });
    button.addEventListener("click", () => show(pair));
    row.append(button);
    return row;
  };
  const fill = () => {
    const name = field(), sign = order.getAttribute("aria-pressed") === "true" ? 1 : -1;
    shown = pairs.filter((p) => [["model", model], ["part", part]].every(([k, s]) => !s.value || p.dataset[k] === s.value));
    shown.sort((a, b) => {
      const x = rank(a, name), y = rank(b, name);
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return sign * (x - y) || a.dataset.id.localeCompare(b.dataset.id);
    });
    list.replaceChildren(...shown.map(item));
    find("#count").textContent = `${shown.length} pair${shown.length === 1 ? "" : "s"}`;
    if (shown.length) show(shown[0]);
  };
  const step = (by) => {
    if (shown.length) show(shown[(shown.indexOf(now) + by + shown.length) % shown.length]);
  };
  const press = (button, on) => {
    button.setAttribute("aria-pressed", String(on));
    reveal();
  };
  const pressed = (button) => button.getAttribute("aria-pressed") === "true";
  const blink = () => {
    const on = !pressed(flicker);
    clearInterval(timer);
    press(flicker, on);
    // slower than three changes a second, so that nobody is harmed
    if (on) timer = setInterval(() => press(swap, !pressed(swap)), 500);
    else press(swap, false);
  };
  const turn = () => {
    const highest = pressed(order);
    order.setAttribute("aria-pressed", String(!highest));
    order.textContent = highest ? "Highest first" : "Lowest first";
    fill();
  };

  [sort, model, part].forEach((select) => select.addEventListener("change", fill));
  order.addEventListener("click", turn);
  slider.addEventListener("input", () => press(swap, false));
  swap.addEventListener("click", () => press(swap, !pressed(swap)));
  flicker.addEventListener("click", blink);
  find("#next").addEventListener("click", () => step(1));
  find("#previous").addEventListener("click", () => step(-1));
  const keys = { n: () => step(1), p: () => step(-1), g: () => swap.click(), f: blink };
  viewer.addEventListener("keydown", (event) => {
    // letters choose an option in a list, and belong to the browser with Ctrl, Alt and Meta
    if (event.target.tagName === "SELECT" || event.ctrlKey || event.altKey || event.metaKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  if (!pairs.some((pair) => pair.dataset.part !== "test")) part.closest("label").hidden = true;
  viewer.hidden = false;
  document.querySelector(".all").hidden = true;
  // start where there is most to see: the pairs about which the two kinds of metric disagree
  const gaps = [...sort.options].filter((option) => option.value.endsWith("-gap"));
  if (gaps.length) sort.value = gaps[0].value;
  fill();
  reveal();
}
