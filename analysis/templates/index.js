"use strict";
// Sorts and filters the table of incidents. Reads text, writes none: alert text stays text.
(() => {
  const table = document.querySelector("table.incidents");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const box = document.getElementById("filter");
  const count = document.getElementById("count");
  document.getElementById("find").hidden = false;

  const filter = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, at) => {
      const found = words.every((word) => texts[at].includes(word));
      row.hidden = !found;
      shown += found;
    });
    count.textContent = `${shown} of ${rows.length}`;
  };
  let waiting = 0;
  box.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 60);
  });
  filter();

  const value = (row, column) => {
    const cell = row.cells[column];
    const number = cell.dataset.value;
    return number === undefined ? cell.textContent.trim().toLowerCase() : Number(number);
  };
  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keyed = rows.map((row, at) => [value(row, column), at]);
      keyed.sort(([a, at], [b, before]) => (a < b ? -1 : a > b ? 1 : at - before));
      if (down) keyed.reverse();
      body.append(...keyed.map(([, at]) => rows[at]));
    });
  });
})();
