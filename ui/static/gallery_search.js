// The search field of the library. Filters are chips, as the server read them: it alone knows the grammar.
import { dropdown } from "./dropdown.js";
import { findAll, later, make } from "./dom.js";

const TYPING = 220; // milliseconds without a key until the server is asked
const FIELD = /^-?(\w+):/;

/** @typedef {import("./messages.d.ts").GalleryChip} Chip */

export const quoted = (words) => `"${words.replace(/(["\\])/g, "\\$1")}"`;
const day = (back) => {
  const date = new Date();
  date.setDate(date.getDate() - back);
  return `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;
};
const FIXED = { like: "Like one picture's settings", job: "One job", in: "In the bin", is: "Favourites" };

/** @type {(chip: Chip, kinds: Record<string, string>) => string} */
const said = (chip, kinds) => {
  const { field, value } = chip;
  const words = FIXED[field] ?? { "": value, kind: kinds[value] ?? value, with: `With ${value}`, rating: `${value.replace(">=", "≥ ")} stars`, board: `Board: ${value}` }[field] ?? `${field}: ${value}`;
  return chip.negated ? `not ${words}` : words;
};

// `changed(query)`: a search is wanted. `offers`: kinds (name -> title), the boards of now, and what asks the server for the names
// that occur.
export const search = (part, { offers, changed }) => {
  let kept = []; // texts of the chips
  /** @type {Chip[]} */
  let chips = []; // what the server made of them
  let adopts = true; // the words that are typed become chips with the next answer
  const words = part("words");

  const query = () => [...kept, words.value.trim()].filter(Boolean).join(" ");
  const ask = () => changed(query());
  const type = later(TYPING, ask);

  const chip = (each, index) => {
    const label = said(each, offers.kinds);
    const button = make("button", { type: "button", className: "gallery-chip", title: `Remove: ${each.text}`, "data-field": each.field }, make("span", { textContent: label }), make("i", { className: "icon small icon-x" }));
    button.addEventListener("click", () => remove(index));
    return make("li", {}, button);
  };
  const draw = () => {
    part("chips").replaceChildren(...chips.map(chip));
    part("clear").hidden = !query();
  };
  const set = (texts) => {
    kept = texts;
    adopts = true;
    ask();
  };
  const remove = (index) => {
    words.focus({ preventScroll: true });
    chips = chips.filter((_, each) => each !== index);
    kept = kept.filter((_, each) => each !== index);
    draw();
    ask();
  };
  // A filter takes the place of one of the same name; one of nothing goes.
  const filter = (field, text) => set([...kept.filter((each) => FIELD.exec(each)?.[1] !== field), ...(text ? [text] : [])]);

  /** What the server understood of `asked`. @type {(asked: string, told: { chips: Chip[], notes: string[] }) => void} */
  const told = (asked, { chips: read, notes }) => {
    if (asked !== query()) return;
    if (adopts && !notes.length) {
      kept = read.map(({ text }) => text);
      words.value = "";
      adopts = false;
    }
    chips = read.slice(0, kept.length);
    draw();
  };

  // ---- the menu ------------------------------------------------------------------------------------------------------------

  const held = (field) => chips.find((each) => each.field === field && !each.negated);
  const option = ([value, name]) => make("option", { value, textContent: name });
  const choice = (field, options, text) => {
    const made = make("select", { "data-filter": field }, ...[["", "Any"], ...options].map(option));
    made.addEventListener("change", () => filter(field, made.value && text(made.value)));
    return made;
  };
  const field = (name, placeholder, text) => {
    const made = make("input", { type: "text", placeholder, "data-filter": name, autocomplete: "off" });
    made.value = held(name)?.value ?? "";
    made.addEventListener("change", () => filter(name, made.value.trim() && text(made.value.trim())));
    return made;
  };
  const row = (name, ...fields) => make("label", { className: "gallery-filter" }, make("span", { textContent: name }), ...fields);
  const toggle = (name, says, text) => {
    const made = make("input", { type: "checkbox", "data-filter": name, checked: !!held(name) });
    made.addEventListener("change", () => filter(name, made.checked ? text : ""));
    return make("label", { className: "gallery-toggle" }, made, make("span", { textContent: says }));
  };
  // Names that occur among one's pictures, and in how many: the list is asked for when the menu opens, and shows what is chosen meanwhile.
  const named = (name, title) => {
    const made = make("select", { "data-filter": name, "data-names": title }, ...["", held(name)?.value].filter((value) => value !== undefined).map((value) => option([value, value || "Any"])));
    made.addEventListener("change", () => filter(name, made.value && `${name}:=${quoted(made.value)}`));
    return made;
  };
  const fillNames = (told) => {
    for (const select of findAll("select[data-names]", part("filter-menu"))) {
      const [value, names] = [select.value, told?.[select.dataset.names] ?? []];
      const known = names.find(({ name }) => name.toLowerCase() === value.toLowerCase());
      const rest = value && !known ? [[value, value]] : [];
      select.replaceChildren(...[["", "Any"], ...rest, ...names.map(({ name, count }) => [name, `${name} · ${count.toLocaleString("en")}`])].map(option));
      select.value = known?.name ?? value;
      select.disabled = !names.length && !value;
    }
  };
  const fill = () => {
    const since = (count) => `>=${day(count)}`;
    const dates = [["today", "Today"], ["yesterday", "Yesterday"], [since(6), "The last 7 days"], [since(29), "The last 30 days"]];
    const ratings = [5, 4, 3, 2, 1].map((count) => [`>=${count}`, count === 5 ? "5 stars" : `${count} stars or more`]);
    const rows = [
      row("Model", named("model", "models")),
      row("LoRA", named("lora", "loras")),
      row("Sampler", named("sampler", "samplers")),
      row("Kind", choice("kind", Object.entries(offers.kinds), (value) => `kind:${value}`)),
      row("Rating", choice("rating", [...ratings, ["0", "None yet"]], (value) => `rating:${value}`)),
      row("Board", choice("board", offers.boards().map(({ name }) => [name, name]), (value) => `board:=${quoted(value)}`)),
      row("Date", choice("date", dates, (value) => `date:${value}`)),
      row("Size", field("size", "512x768", (value) => `size:${value.replace(/\s/g, "")}`)),
      row("Seed", field("seed", "A number", (value) => `seed:${value.replace(/\s/g, "")}`)),
      make("div", { className: "gallery-toggles" }, toggle("is", "Favourites", "is:favourite"), toggle("with", "With control", "with:control")),
    ];
    part("filter-menu").replaceChildren(...rows);
    for (const each of findAll("select", part("filter-menu"))) each.value = held(each.dataset.filter)?.value ?? "";
    offers.names().then(fillNames);
  };
  const open = dropdown(part("filters"), part("filter-menu"), fill);

  // ---- keys ----------------------------------------------------------------------------------------------------------------

  words.addEventListener("input", () => (adopts = false, part("clear").hidden = !query(), type()));
  words.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") ((adopts = true), ask());
    if (event.key === "Backspace" && !words.value && kept.length) remove(kept.length - 1);
    if (event.key === "Escape" && query()) (event.stopPropagation(), clear());
  });
  const clear = () => {
    words.value = "";
    chips = [];
    set([]);
    draw();
  };
  part("clear").addEventListener("click", () => (clear(), words.focus({ preventScroll: true })));
  return { query, set: (texts) => ((words.value = ""), set(texts)), filter, told, clear, close: () => open(false), chips: () => chips };
};
