"use strict";
// Filters and sorts the rows of this page. What is chosen stands in the address after the #, so that it can be sent on.
(() => {
  const form = document.querySelector("form.controls");
  const rows = [...document.querySelectorAll("table.board tbody tr")];
  if (!form || !rows.length) return;
  const columns = [...document.querySelectorAll("fieldset.columns input")];
  const shown = new Map(columns.map((box) => [box.id, box.checked]));
  for (const name of ["profile", "kind"]) {
    const values = [...new Set(rows.map((row) => row.dataset[name]))].sort();
    form.elements[name].append(...values.map((value) => new Option(value, value)));
  }
  const words = new Map(rows.map((row) => [row, row.querySelector("th").textContent.toLowerCase()]));
  const filter = () => {
    const { text, profile, kind, since } = Object.fromEntries(new FormData(form));
    const parts = text.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const d = row.dataset;
      const fits = parts.every((part) => words.get(row).includes(part)) && (!profile || d.profile === profile)
        && (!kind || d.kind === kind) && (!since || d.date >= since);
      row.hidden = !fits;
      count += fits;
    }
    form.querySelector("output").textContent = `${count} of ${rows.length} entries on this page`;
  };
  const remember = () => {
    const chosen = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    const changed = columns.filter((box) => box.checked !== shown.get(box.id)).map((box) => box.id);
    if (changed.length) chosen.set("columns", changed.join(","));
    history.replaceState(null, "", chosen.size ? `#${chosen}` : location.pathname + location.search);
  };
  const recall = () => {
    const chosen = new URLSearchParams(location.hash.slice(1));
    for (const name of ["text", "profile", "kind", "since"]) form.elements[name].value = chosen.get(name) ?? "";
    const changed = (chosen.get("columns") ?? "").split(",");
    for (const box of columns) box.checked = shown.get(box.id) !== changed.includes(box.id);
    filter();
  };
  form.addEventListener("input", () => { filter(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const box of columns) box.addEventListener("change", remember);
  addEventListener("hashchange", recall);
  const value = (row, i) => row.cells[i].dataset.v ?? row.cells[i].textContent.trim().toLowerCase();
  const compare = (a, b) => (a === b ? 0 : a !== "" && b !== "" && !isNaN(a) && !isNaN(b) ? a - b : a < b ? -1 : 1);
  for (const head of document.querySelectorAll("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = head.closest("table").tBodies[0];
      const sign = down ? -1 : 1;
      body.append(...[...body.rows].sort((a, b) => sign * compare(value(a, head.cellIndex), value(b, head.cellIndex))));
    });
  }
  form.hidden = false;
  recall();
})();
