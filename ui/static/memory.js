// What is typed stays in this browser: saved at each change, put back when the page opens. Nothing is sent.
(() => {
  const key = (kind) => `atelier.form.${kind}`;
  const restored = {}; // kind -> the checkpoint whose defaults the form follows; until it is there nothing is saved

  const load = (kind) => {
    try {
      const kept = JSON.parse(localStorage.getItem(key(kind)));
      return kept && typeof kept === "object" ? kept : {};
    } catch {
      return {};
    }
  };
  const byName = (names, values) => Object.fromEntries(names.map((name, index) => [name, values[index]]));

  // A kept value is used when it is of the same type and, for a choice, still offered.
  const usable = (kept, now, choices) =>
    typeof kept === typeof now && Array.isArray(kept) === Array.isArray(now) && (!choices || choices.includes(kept));

  const tell = (kind, values) => window.dispatchEvent(new CustomEvent("atelier:form", { detail: { kind, values } }));

  atelier.keep = (kind, names, values) => {
    if (!(kind in restored)) return;
    tell(kind, byName(names, values));
    try {
      localStorage.setItem(key(kind), JSON.stringify(byName(names, values)));
    } catch {
      // A full or forbidden store loses the copy, not the form.
    }
  };

  atelier.recall = (kind, names, values, choices) => {
    const kept = load(kind);
    const result = names.map((name, index) => (usable(kept[name], values[index], choices[name]) ? kept[name] : values[index]));
    restored[kind] = byName(names, result).checkpoint;
    tell(kind, byName(names, result));
    return result;
  };

  // A newly chosen checkpoint brings its defaults and size, but only where the old one's are still untouched.
  atelier.follow = (kind, names, values, starts = atelier.lists?.[kind]?.starts ?? {}) => {
    const chosen = byName(names, values).checkpoint;
    const before = starts[restored[kind]] || {};
    const after = starts[chosen] || {};
    restored[kind] = chosen;
    const untouched = (value, start) => JSON.stringify(value) === JSON.stringify(start) || String(value) === String(start);
    return names.map((name, index) => (name in after && untouched(values[index], before[name]) ? after[name] : values[index]));
  };

  // The button of the aspect that its form has is the pressed one, also in a tab that is opened later than the page.
  const press = () => {
    for (const [kind, { width, height }] of Object.entries(atelier.forms ?? {})) {
      const tab = document.getElementById(`${kind}-width`)?.closest('[role="tabpanel"]');
      for (const button of tab?.querySelectorAll("button.aspect") ?? []) {
        const [across, up] = button.textContent.split(":").map(Number);
        const close = Math.abs(Math.log((width / height) * (up / across))) < 0.06;
        button.setAttribute("aria-pressed", String(close));
      }
    }
  };
  window.addEventListener("atelier:form", () => queueMicrotask(press)); // when all have heard it, whoever keeps the values too
  new MutationObserver(press).observe(document.documentElement, { childList: true, subtree: true });

  atelier.aspect = (checkpoint, name, width, height) => {
    const lists = Object.values(atelier.lists ?? {}).find((list) => list.aspects?.[checkpoint]);
    return lists?.aspects[checkpoint][name] || [width, height];
  };
})();
