// What stands in the card of readings: values in three groups, models, and sentences. Everything that people wrote enters as text.
import { make } from "./dom.js";

/** @typedef {import("./messages.d.ts").ReadingNews} ReadingNews */
/** @typedef {import("./messages.d.ts").ReadValue} ReadValue */
/** @typedef {import("./messages.d.ts").ReadModel} ReadModel */
/** @typedef {(names: string[] | null, words: string) => void} Takes */

const LONG = 26; // letters of a value that needs the whole width
const STATES = {
  hash: ["found", "Here, the very file"],
  name: ["likely", "Here, by its name alone"],
  another: ["likely", "Another file of this name is here"],
  comparing: ["likely", "Here by its name; still being compared"],
  missing: ["missing", "Missing; the form keeps its own"],
};

// A button that takes fields over, and then says that it did.
const taker = (names, title, words, takes, says = "") => {
  const sign = make("i", { className: `icon small icon-arrow-left` });
  const button = make("button", { type: "button", className: "reading-take", title, "aria-label": title }, says || sign);
  button.addEventListener("click", () => {
    takes(names, words);
    button.dataset.done = "yes";
    sign.className = "icon small icon-check";
  });
  return button;
};

/** @type {(value: ReadValue, takes: Takes) => HTMLElement} */
const fact = (value, takes) => {
  const wide = value.shown.length > LONG || value.why;
  return make(
    "div",
    { className: `reading-fact${wide ? " wide" : ""}`, "data-field": value.name },
    make("dt", { textContent: value.title }),
    make("dd", {}, make("span", { className: "reading-text", textContent: value.shown || "–" }), taker([value.name], `Take over: ${value.title}`, `${value.title} is in the form.`, takes)),
    value.why && make("p", { className: "reading-why", textContent: value.why }),
  );
};

const heading = (title, count, ...more) => make("div", { className: "reading-heading" }, make("h3", {}, title, make("span", { className: "reading-count", textContent: ` ${count}` })), ...more);

/** @type {(title: string, how: string, values: ReadValue[], takes: Takes) => HTMLElement | null} */
const values = (title, how, those, takes) => {
  if (!those.length) return null;
  const groups = [...new Set(those.map(({ group }) => group))];
  const all = taker(those.map(({ name }) => name), `Take over all that is ${title.toLowerCase()}`, `What is ${title.toLowerCase()} is in the form.`, takes, "Take over");
  const section = make("section", { className: "reading-group", "data-how": how }, heading(title, those.length, all));
  for (const group of groups) {
    const own = those.filter((value) => value.group === group);
    const names = own.map(({ name }) => name);
    const takesGroup = own.length > 1 ? taker(names, `Take over the group: ${group}`, `${group} is in the form.`, takes, "Take over") : null;
    section.append(make("div", { className: "reading-caption" }, make("h4", { textContent: group }), takesGroup), make("dl", {}, ...own.map((value) => fact(value, takes))));
  }
  return section;
};

/** @type {(models: ReadModel[]) => HTMLElement | null} */
const modelsOf = (models) => {
  if (!models.length) return null;
  const row = ({ name, hash, here, how }) => {
    const [state, words] = STATES[how] ?? STATES.missing;
    return make(
      "li",
      { "data-state": state },
      make("span", { className: "reading-model" }, make("b", { textContent: name || "A model without a name" }), hash && make("code", { textContent: hash.slice(0, 12), title: hash })),
      make("span", { className: "reading-state" }, words, here && here !== name ? `: ${here}` : ""),
    );
  };
  return make("section", { className: "reading-group", "data-how": "models" }, heading("Models", models.length), make("ul", { className: "reading-models" }, ...models.map(row)));
};

const unknownOf = (unknown) => {
  if (!unknown.length) return null;
  const rows = unknown.map(({ name, shown }) => make("div", {}, make("dt", { textContent: name }), make("dd", { className: "reading-text", textContent: shown })));
  const list = make("dl", { className: "reading-unknown", tabIndex: 0, role: "region", "aria-label": "What is not understood" }, ...rows);
  return make("section", { className: "reading-group", "data-how": "unknown" }, heading("Not understood", unknown.length), list);
};

const notesOf = (notes) => (notes.length ? make("ul", { className: "reading-notes" }, ...notes.map((note) => make("li", { textContent: note }))) : null);

/** @type {(told: ReadingNews, takes: Takes, note: string) => HTMLElement[]} */
export const known = (told, takes, note) =>
  [
    notesOf([note, ...told.notes].filter(Boolean)),
    values("Read", "read", told.values.filter(({ how }) => how === "read"), takes),
    values("Guessed", "guessed", told.values.filter(({ how }) => how === "guessed"), takes),
    unknownOf(told.unknown),
    modelsOf(told.models),
  ].filter(Boolean);
