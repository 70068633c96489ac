// Checkpoints, LoRAs and the like as cards with pictures: one is put into the form by a press, and its trigger words into the prompt.
import { notify } from "./desk.js";
import { emit, find, findAll, make, on } from "./dom.js";
import { addWord } from "./keys.js";
import { setPicture } from "./library_card.js";
import * as page from "./page.js";

/** @typedef {import("./messages.d.ts").OfferedFile} OfferedFile */

const SHOWN = 400; // cards; a search narrows them
const WORDS = 4; // trigger words of a card

/** @type {any} */
let dialog = null;

const likeness = ({ id, name, picture }) =>
  picture
    ? make("img", { src: `cards/${id}/picture?of=${picture}`, alt: "", loading: "lazy" })
    : make("span", { className: "model-none", "aria-hidden": "true", textContent: [...name][0]?.toUpperCase() ?? "–" });

const built = () => {
  const title = make("h2", { id: "cards-title" });
  const close = make("button", { type: "button", className: "round", "aria-label": "Close", title: "Close (Esc)" }, make("i", { className: "icon icon-x" }));
  const search = make("input", { type: "search", placeholder: "Search names and trigger words", "aria-label": "Search names and trigger words", autocomplete: "off", spellcheck: false });
  const rows = make("ul", { className: "model-cards" });
  const spoken = make("p", { className: "sr", role: "status", "aria-live": "polite" });
  const made = make("dialog", { className: "models-dialog", "aria-labelledby": "cards-title" }, make("div", { className: "models-head" }, title, search, close), rows, spoken);
  let given = null;

  /** @param {OfferedFile} file */
  const card = (file) => {
    const strength = file.strength == null ? "" : `strength ${file.strength}`;
    const note = file.misfit || file.line.replace(`${file.name} · `, "") || strength;
    const press = make("button", { type: "button", className: "model-card", disabled: !!file.reason, title: file.reason || given.does(file) }, likeness(file), make("b", { textContent: file.name }), note && make("span", { textContent: note }));
    press.addEventListener("click", () => (made.close(), given.add(file))); // what it puts may need the focus
    const words = file.words.slice(0, WORDS).map(({ said, written }) => {
      const chip = make("button", { type: "button", className: "rack-word", textContent: said, title: "Put this word into the prompt" });
      chip.addEventListener("click", () => {
        given.word(written);
        chip.dataset.done = "yes";
        spoken.textContent = `“${said}” is in the prompt.`;
      });
      return chip;
    });
    return make("li", {}, press, words.length ? make("div", { className: "rack-words" }, ...words) : "");
  };
  const draw = () => {
    const asked = search.value.trim().toLowerCase().split(/\s+/);
    const says = (file) => asked.every((word) => `${file.name} ${file.words.map(({ said }) => said).join(" ")}`.toLowerCase().includes(word));
    const found = given.offered().filter(says);
    rows.replaceChildren(...found.slice(0, SHOWN).map(card));
    if (!found.length) rows.append(make("li", { className: "models-quiet", textContent: "Nothing here has that in its name or words." }));
  };
  search.addEventListener("input", draw);
  on("lists", () => made.open && draw()); // what is offered may change while one looks
  close.addEventListener("click", () => made.close());
  (find(".gradio-container") ?? document.body).append(made);
  return Object.assign(made, {
    open_with(those) {
      given = those;
      title.textContent = those.title;
      search.value = "";
      draw();
      made.showModal();
      search.focus();
    },
  });
};

/** @param {{ title: string, offered: () => OfferedFile[], add: (file: OfferedFile) => void, word?: (text: string) => void, does?: (file: OfferedFile) => string }} those */
export const showCards = (those) => {
  dialog ??= built();
  dialog.open_with({ does: ({ name }) => `Put ${name} into the form`, ...those });
};

// As a hand chooses it from the list of the form, so that all that goes with a choice goes with it.
const choose = async (kind, { line }) => {
  const field = /** @type {HTMLElement} */ (find(`#${kind}-checkpoint input`));
  field.focus();
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const option = findAll("[role=option]").find((each) => each.getAttribute("aria-label") === line);
  option?.dispatchEvent(new MouseEvent("mousedown", { bubbles: true, cancelable: true }));
  field.blur();
};
export const showCheckpoints = (kind) =>
  showCards({ title: "Checkpoints", offered: () => page.lists[kind]?.checkpoints ?? [], add: (file) => choose(kind, file), word: (text) => addWord(kind, text) });

// A finished picture as that of one of the models that drew it.
export const showModelsOf = async (id) => {
  const answer = await fetch(`picture/${id}/details`).catch(() => null);
  const told = answer?.ok ? await answer.json().catch(() => null) : null;
  const used = new Set((told?.groups ?? []).flatMap(({ values }) => values).flatMap(({ raw }) => (Array.isArray(raw) ? raw.map((each) => each?.id) : [raw])));
  const known = Object.values(page.lists).flatMap(({ checkpoints = [], loras = [], hypernetworks = [] }) => [...checkpoints, ...loras, ...hypernetworks]);
  const offered = [...new Map(known.map((file) => [file.id, file])).values()].filter((file) => used.has(file.id));
  if (!offered.length) return notify("None of the models that drew this picture is here.");
  const plain = offered.map((file) => ({ ...file, words: [], strength: null, reason: "", misfit: file.picture ? "has a picture" : "has none yet" }));
  const add = async (file) => {
    const small = await fetch(`thumb/${id}`).catch(() => null);
    const given = small?.ok ? await setPicture(file.id, await small.blob()) : null;
    notify(given?.ok ? `${file.name} has this picture now.` : "The picture could not be given. Try again.");
    emit("library");
  };
  showCards({ title: "Whose picture is it to be?", offered: () => plain, add, does: ({ name }) => `Make it the picture of ${name}` });
};
