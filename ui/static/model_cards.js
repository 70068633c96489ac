// LoRAs and the like as cards with pictures: one is put into the form by a press, and its trigger words into the prompt.
import { find, make } from "./dom.js";

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
    const note = file.misfit || strength;
    const press = make("button", { type: "button", className: "model-card", disabled: !!file.reason, title: file.reason || `Put ${file.name} into the form` }, likeness(file), make("b", { textContent: file.name }), note && make("span", { textContent: note }));
    press.addEventListener("click", () => (given.add(file), made.close()));
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
    const found = given.offered.filter(says);
    rows.replaceChildren(...found.slice(0, SHOWN).map(card));
    if (!found.length) rows.append(make("li", { className: "models-quiet", textContent: "Nothing here has that in its name or words." }));
  };
  search.addEventListener("input", draw);
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

/** @param {{ title: string, kind: string, offered: OfferedFile[], add: (file: OfferedFile) => void, word: (text: string) => void }} those */
export const showCards = (those) => {
  dialog ??= built();
  dialog.open_with(those);
};
