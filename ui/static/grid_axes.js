// The axes of a grid: up to four rows, each with what varies, found by its name, and the values that it takes.
import { find, later, make, write } from "./dom.js";

/** @typedef {import("./messages.d.ts").AxisOffer} Offer */
/** @typedef {{ name: string, typed: string }} Typed */

const LETTERS = ["X", "Y", "Z", "W"];
const WHERE = ["across", "down", "one sheet each", "one sheet each"];
const SOON = 250; // milliseconds after the last key until what comes of it is asked for

const sign = (icon) => make("i", { className: `icon small icon-${icon}` });
const round = (icon, title, act) => {
  const made = make("button", { type: "button", className: "round", title, "aria-label": title }, sign(icon));
  made.addEventListener("click", act);
  return made;
};

let boxes = 0;

// A field that is searched: the offers whose names have all the words that are typed, under their groups.
/** @param {() => Offer[]} offers @param {(name: string) => void} choose */
const picker = (offers, choose) => {
  const id = `grid-picker-${(boxes += 1)}`;
  const field = make("input", { type: "text", role: "combobox", "aria-label": "What varies", "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list", autocomplete: "off", spellcheck: false, placeholder: "Choose what varies" });
  const list = make("ul", { id, role: "listbox", className: "grid-offers", hidden: true });
  const root = make("span", { className: "grid-picker" }, field, list);
  let chosen = "";
  let at = -1; // of the options that are listed

  const options = () => [...list.querySelectorAll('[role="option"]')];
  const said = () => offers().find(({ name }) => name === chosen)?.title ?? "";
  const open = (wanted) => {
    list.hidden = !wanted;
    field.setAttribute("aria-expanded", String(wanted));
    if (!wanted) field.value = said();
  };
  const mark = (next) => {
    at = next;
    for (const [place, option] of options().entries()) {
      option.setAttribute("aria-selected", String(place === at));
      if (place === at) option.scrollIntoView({ block: "nearest" });
    }
    field.setAttribute("aria-activedescendant", options()[at]?.id ?? "");
  };
  const take = (name) => {
    chosen = name;
    open(false);
    choose(name);
  };
  const option = (offer, place) => {
    const made = make("li", { role: "option", id: `${id}-${place}`, textContent: offer.title });
    made.addEventListener("pointerdown", (event) => event.preventDefault());
    made.addEventListener("click", () => take(offer.name));
    return made;
  };
  const fill = (asked = "") => {
    const words = asked.trim().toLowerCase().split(/\s+/);
    const found = offers().filter(({ title, group }) => words.every((word) => `${title} ${group}`.toLowerCase().includes(word)));
    const rows = [];
    for (const [place, offer] of found.entries()) {
      if (offer.group !== found[place - 1]?.group) rows.push(make("li", { className: "grid-group", role: "presentation", textContent: offer.group }));
      rows.push(option(offer, place));
    }
    list.replaceChildren(...(found.length ? rows : [make("li", { className: "grid-group", role: "presentation", textContent: "Nothing has these words" })]));
    mark(asked && found.length ? 0 : found.findIndex(({ name }) => name === chosen));
  };
  field.addEventListener("focus", () => (field.select(), fill(), open(true)));
  field.addEventListener("click", () => list.hidden && (fill(), open(true)));
  field.addEventListener("blur", () => open(false));
  field.addEventListener("input", () => (fill(field.value), open(true)));
  field.addEventListener("keydown", (event) => {
    const last = options().length - 1;
    const next = { ArrowDown: Math.min(at + 1, last), ArrowUp: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    if (next !== undefined && !list.hidden && (event.key.startsWith("Arrow") || field.value === "")) mark(next);
    else if (event.key === "Enter" && !list.hidden && options()[at]) options()[at].click();
    else if (event.key === "Escape" && !list.hidden) open(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return {
    root,
    field,
    show: (name) => {
      chosen = name;
      field.value = said();
    },
  };
};

/** @param {HTMLElement} root @param {{ changed: () => void, refilled: () => void }} hears */
export const axisRows = (root, { changed, refilled }) => {
  /** @type {Offer[]} */
  let offers = [];
  /** @type {Typed[]} */
  let axes = [];
  let fixed = 0; // so many axes are those of a grid that is begun: they may be taken away, and vary nothing else
  /** @type {{ problems: string[], counts: number[] }} */
  let said = { problems: [], counts: [] };
  const soon = later(SOON, changed);
  const offer = (name) => offers.find((each) => each.name === name);

  const row = (axis, place) => {
    const values = make("textarea", { className: "grid-values", rows: 2, value: axis.typed, spellcheck: false, "aria-label": `Values of axis ${LETTERS[place]}`, placeholder: axis.name ? "Values, with commas" : "" });
    const hint = make("p", { className: "grid-hint" });
    const problem = make("p", { className: "grid-wrong", role: "alert", hidden: true });
    const fill = round("sparkles", "Fill in values about the present one", () => {
      axis.typed = values.value = offer(axis.name)?.fill ?? "";
      tell();
      changed();
    });
    const tell = () => {
      const known = offer(axis.name);
      write(problem, axis.typed.trim() ? said.problems[place] : "");
      const count = said.counts[place];
      write(hint, problem.hidden && known ? (count && axis.typed.trim() ? `${count} value${count === 1 ? "" : "s"} · ${known.hint}` : known.hint) : "");
      hint.title = known?.hint ?? "";
      fill.disabled = !known?.fill;
    };
    const pick = picker(() => offers, (name) => {
      axis.name = name;
      axis.typed = values.value = offer(name)?.fill ?? "";
      said.problems[place] = "";
      said.counts[place] = 0;
      tell();
      changed();
      values.focus();
    });
    pick.show(axis.name);
    pick.field.disabled = place < fixed;
    values.addEventListener("input", () => {
      axis.typed = values.value;
      soon();
    });
    tell();
    const gone = round("x", "Take this axis away", () => {
      axes.splice(place, 1);
      if (place < fixed) fixed -= 1;
      draw();
      changed();
    });
    gone.hidden = axes.length < 2;
    const made = make("section", { className: "grid-axis", "aria-label": `Axis ${LETTERS[place]}` },
      make("span", { className: "grid-letter", title: WHERE[place], textContent: LETTERS[place] }), pick.root, fill, gone, values, problem, hint);
    return Object.assign(made, { tell });
  };

  const add = make("button", { type: "button", className: "act" }, sign("plus"), "Add an axis");
  const swap = make("button", { type: "button", className: "act", title: "What goes across goes down, and the other way round" }, sign("arrow-left-right"), "Swap X and Y");
  add.addEventListener("click", () => {
    axes.push({ name: "", typed: "" });
    draw();
    find(".grid-axis:last-of-type input", root)?.focus();
  });
  swap.addEventListener("click", () => {
    axes = [axes[1], axes[0], ...axes.slice(2)];
    draw();
    refilled();
  });

  const draw = () => {
    if (!axes.length) axes.push({ name: "", typed: "" });
    add.hidden = axes.length >= LETTERS.length;
    swap.hidden = axes.length < 2;
    root.replaceChildren(...axes.map(row), make("div", { className: "grid-axis-acts" }, add, swap));
  };

  return {
    /** @param {Offer[]} fresh */
    offer: (fresh) => {
      offers = fresh;
      draw();
    },
    // Nothing can be typed that would be lost when what is offered comes.
    clear: () => root.replaceChildren(),
    /** @param {Typed[]} fresh @param {boolean} [stay] */
    put: (fresh, stay = false) => {
      axes = fresh.map(({ name, typed }) => ({ name, typed }));
      fixed = stay ? axes.length : 0;
      said = { problems: [], counts: [] };
      draw();
    },
    /** @returns {Typed[]} */
    axes: () => axes.filter(({ name, typed }) => name && typed.trim()).map(({ name, typed }) => ({ name, typed })),
    // What the server says of those axes that have values.
    /** @param {{ problems: string[], counts: number[] }} plan */
    tell: ({ problems, counts }) => {
      let next = 0;
      said = { problems: [], counts: [] };
      for (const [place, { name, typed }] of axes.entries()) {
        if (!name || !typed.trim()) continue;
        said.problems[place] = problems[next];
        said.counts[place] = counts[next];
        next += 1;
      }
      for (const each of root.querySelectorAll(".grid-axis")) /** @type {any} */ (each).tell();
    },
  };
};
