// Keys, and pages of running runs that keep up. Every page works without it.
"use strict";

const REFRESH = 2000;
const rows = () => [...document.querySelectorAll("[data-row]")];
const linkOf = (row) => (row.matches("a") ? row : row.querySelector("a"));

function move(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.classList.contains("at"));
  const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1);
  all.forEach((row, i) => row.classList.toggle("at", i === next));
  linkOf(all[next])?.focus({ preventScroll: true });
  all[next].scrollIntoView({ block: "nearest" });
}

const follow = (selector) => document.querySelector(selector)?.click();
const keys = document.getElementById("keys");
const ACTIONS = {
  j: () => move(1),
  k: () => move(-1),
  n: () => follow("a[rel=next]"),
  p: () => follow("a[rel=prev]"),
  u: () => follow("[data-up]"),
  "/": () => document.querySelector("[data-search]")?.focus(),
  "?": () => keys.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const action = ACTIONS[event.key];
  if (action) {
    event.preventDefault();
    action();
  }
});
document.getElementById("keys-button").addEventListener("click", () => keys.showModal());

// A form's address holds only the fields that say something.
document.querySelectorAll("form.filters").forEach((form) =>
  form.addEventListener("submit", () =>
    [...form.elements].forEach((field) => (field.disabled = field.name && !field.value))));
window.addEventListener("pageshow", () =>
  document.querySelectorAll("form.filters :disabled").forEach((field) => (field.disabled = false)));

let tag = null;

// What somebody works with is left as it is.
const busy = () =>
  document.hidden || keys.open || document.activeElement?.matches("main input, main select, main pre") ||
  !getSelection().isCollapsed;

async function keepUp() {
  if (!document.querySelector("[data-live]")) return;
  if (!busy()) {
    try {
      const answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {} });
      if (answer.status === 200) {
        tag = answer.headers.get("ETag");
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const at = rows().findIndex((row) => row.classList.contains("at"));
        for (const id of ["main", "live"]) document.getElementById(id).replaceWith(page.getElementById(id));
        rows()[at]?.classList.add("at");
      }
    } catch {
      document.getElementById("live").textContent = "harness view has ended";
    }
  }
  setTimeout(keepUp, REFRESH);
}
setTimeout(keepUp, REFRESH);
