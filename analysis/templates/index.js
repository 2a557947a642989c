"use strict";
// Sorts and filters the table of incidents. Reads text, writes none: alert text stays text.
const MOST = 500; // rows that a browser lays out without a wait; narrow the filter for others
(() => {
  const table = document.querySelector("table.incidents");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const box = document.getElementById("filter");
  const count = document.getElementById("count");
  document.getElementById("find").hidden = false;

  let order = rows.map((_, at) => at);
  const filter = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const at of order) {
      const fits = words.every((word) => texts[at].includes(word));
      found += fits;
      rows[at].hidden = !fits || found > MOST;
    }
    const first = found > MOST ? `, the first ${MOST} shown` : "";
    count.textContent = `${found} of ${rows.length}${first}`;
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
      order = keyed.map(([, at]) => at);
      filter();
      body.append(...order.map((at) => rows[at]));
    });
  });
})();
