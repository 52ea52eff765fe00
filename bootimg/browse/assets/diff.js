// Compares the packages of two builds.  The query has the keys of coreos-assembler's release browser:
// ?first_stream&first_release&second_stream&second_release&arch; the first build is the old one.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const { rows, builds } = JSON.parse(byId("diff-data").textContent);
  const query = new URLSearchParams(location.search);
  const arch = byId("diff-arch");
  const first = byId("diff-first");
  const second = byId("diff-second");
  const NAME = 0, VERSION = 1, RANK = 2;

  // A build's packages are those of its base with some dropped and added; bases are older, so the chain ends.
  function packages(build) {
    const chain = [];
    for (let each = build; each; each = builds[each.base]) chain.push(each);
    const found = new Set();
    for (const each of chain.reverse()) {
      each.drop.forEach((row) => found.delete(row));
      each.add.forEach((row) => found.add(row));
    }
    return found;
  }

  function byName(build) {
    const found = new Map();
    for (const row of [...packages(build)].sort((one, other) => one - other)) {
      const name = rows[row][NAME];
      found.set(name, [...(found.get(name) ?? []), row]);
    }
    return found;
  }

  function kind(old, young) {
    if (!old) return "added";
    if (!young) return "removed";
    const [before, after] = [old, young].map((each) => rows[each.at(-1)][RANK]);
    return before < after ? "upgraded" : before > after ? "downgraded" : "changed";
  }

  function changes(one, other) {
    const [old, young] = [byName(one), byName(other)];
    const names = [...new Set([...old.keys(), ...young.keys()])];
    return names
      .filter((name) => String(old.get(name)) !== String(young.get(name)))
      .map((name) => ({ row: (old.get(name) ?? young.get(name))[0], name, old: old.get(name), young: young.get(name) }))
      .sort((one, other) => one.row - other.row);
  }

  function cell(tag, text) {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  }

  function line(change) {
    const made = document.createElement("tr");
    const badge = cell("span", kind(change.old, change.young));
    badge.className = `badge ${badge.textContent}`;
    const name = cell("th", change.name);
    name.scope = "row";
    const mark = document.createElement("td");
    mark.append(badge);
    const versions = (found) => (found ?? []).map((row) => rows[row][VERSION]).join(", ");
    made.append(name, mark, cell("td", versions(change.old)), cell("td", versions(change.young)));
    return made;
  }

  function say(text, found = []) {
    byId("diff-status").textContent = text;
    byId("diff-rows").replaceChildren(...found.map(line));
    document.querySelector("main .scroll").hidden = !found.length;
  }

  function show() {
    const [one, other] = [builds[first.value], builds[second.value]];
    if (!one || !other) return say("There are no builds to compare.");
    const unknown = [one, other].find((each) => !each.add);
    if (unknown) return say(`The packages of ${unknown.id} are not known: ${unknown.reason}.`);
    const found = changes(one, other);
    const count = found.length === 1 ? "1 package" : `${found.length || "No"} packages`;
    say(`${count} changed from ${one.id} to ${other.id}.`, found);
  }

  function remember() {
    const [one, other] = [builds[first.value], builds[second.value]];
    if (one && other) {
      const now = new URLSearchParams({
        first_stream: one.path, first_release: one.id,
        second_stream: other.path, second_release: other.id, arch: arch.value,
      });
      try {
        history.replaceState(null, "", `?${now}`);
      } catch {
        // Some browsers do not allow this change of a file:// address.
      }
    }
    show();
  }

  function fill() {
    const numbers = builds.map((_, number) => number).filter((number) => builds[number].arch === arch.value);
    for (const select of [first, second]) {
      const options = numbers.map((number) => {
        const { id, stream } = builds[number];
        return new Option(stream ? `${id} (${stream})` : id, number);
      });
      select.replaceChildren(...options);
    }
    const newest = numbers.find((number) => builds[number].base != null) ?? numbers[0];
    first.value = builds[newest]?.base ?? numbers[1] ?? newest;
    second.value = newest;
  }

  // A release's id is enough to find the build.
  function choose(select, name) {
    const release = query.get(`${name}_release`);
    if (!release) return "";
    const number = builds.findIndex((each) => each.id === release && each.arch === arch.value);
    if (number < 0) return release;
    select.value = number;
    return "";
  }

  for (const each of [...new Set(builds.map((build) => build.arch))].sort()) arch.append(new Option(each, each));
  const asked = query.get("arch") ?? builds[0]?.arch ?? "";
  if ([...arch.options].some((option) => option.value === asked)) arch.value = asked;
  fill();
  const missing = [choose(first, "first"), choose(second, "second")].filter(Boolean);
  if (arch.value !== asked) say(`There is no build for ${asked} here.`);
  else if (missing.length) say(`There is no build ${missing.join(" and no build ")} for ${asked} here.`);
  else show();
  arch.addEventListener("input", () => { fill(); remember(); });
  for (const each of [first, second]) each.addEventListener("input", remember);
  document.querySelector(".filters").hidden = false;
})();
