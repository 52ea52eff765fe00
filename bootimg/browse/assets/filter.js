// Hides the rows that do not match; the page's address keeps the search.  Links to coreos-assembler's release
// browser work: ?stream=prod/streams/NAME&arch=ARCH&release=BUILD#BUILD
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const query = new URLSearchParams(location.search);
  const rows = [...document.querySelectorAll("[data-filter]")];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const box = byId("filter-text");
  const selects = { stream: byId("filter-stream"), arch: byId("filter-arch") };
  const paths = new Map(rows.map((row) => [row.dataset.path, row.dataset.stream]));
  let unknown = "";

  function fill(name, select) {
    const values = [...new Set(rows.map((row) => row.dataset[name]))].filter(Boolean).sort();
    for (const value of values) select.append(new Option(value, value));
    const asked = query.get(name);
    if (!asked) return;
    const value = name === "stream" ? paths.get(asked) ?? asked : asked;
    if (values.includes(value)) select.value = value;
    else unknown = `There is no build of ${name} ${asked} here.`;
  }

  function matches(row, text, words) {
    return (
      words.every((word) => text.includes(word)) &&
      Object.entries(selects).every(([name, select]) => !select?.value || row.dataset[name] === select.value)
    );
  }

  function show() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row, index) => (row.hidden = !matches(row, texts[index], words)));
    for (const group of document.querySelectorAll("tbody[id]")) {
      group.hidden = [...group.rows].every((row) => row.hidden);
    }
    const count = rows.filter((row) => !row.hidden).length;
    byId("filter-status").textContent = `${unknown} ${count} of ${rows.length} shown`.trim();
  }

  function remember() {
    unknown = "";
    const now = new URLSearchParams();
    if (box.value) now.set("q", box.value);
    for (const [name, select] of Object.entries(selects)) if (select?.value) now.set(name, select.value);
    try {
      history.replaceState(null, "", `?${now}${location.hash}`);
    } catch {
      // Some browsers do not allow this change of a file:// address.
    }
    show();
  }

  function find(release) {
    const group = byId(release);
    if (group?.matches("tbody")) {
      group.classList.add("found");
      group.scrollIntoView({ block: "center" });
    } else unknown = `There is no build ${release} here.`;
  }

  box.value = query.get("q") ?? "";
  for (const [name, select] of Object.entries(selects)) if (select) fill(name, select);
  for (const each of [box, ...Object.values(selects)]) each?.addEventListener("input", remember);
  document.querySelector(".filters").hidden = false;
  const release = query.get("release");
  if (release && !byId(release)) find(release);
  show();
  if (release && byId(release)) find(release);
})();
