// What a person has asked for before: Alt+Up and Alt+Down in a prompt, and a dialog that searches it.
import { notify, snapshot } from "./desk.js";
import { find, findAll, later, make, on, typeInto, write } from "./dom.js";

/** @typedef {import("./messages.d.ts").PromptList} PromptList */
/** @typedef {import("./messages.d.ts").WrittenPrompt} WrittenPrompt */

const SOON = 160; // milliseconds without a key until a search is asked for
const AWAY = "The history could not be fetched. See that Atelier still runs, then try again.";

/** @type {(search?: string) => Promise<PromptList>} */
const fetched = async (search = "") => {
  const answer = await fetch(`prompts?search=${encodeURIComponent(search)}`).catch(() => null);
  const told = answer ? await answer.json().catch(() => ({})) : {};
  if (!answer?.ok) throw new Error(told.message || AWAY);
  return told;
};

// ---- in the field --------------------------------------------------------------------------------------------------------------

/** @type {string[] | null} */
let texts = null; // of the field that one goes through, the newest first; null: to be asked for
let walked = { field: null, at: -1, draft: "", shown: "" };
let turn = Promise.resolve(); // one press after another

const move = async (field, by) => {
  if (walked.field !== field || field.value !== walked.shown) {
    walked = { field, at: -1, draft: field.value, shown: field.value }; // somebody has typed since
    texts = null;
  }
  const which = field.closest('[id$="negative_prompt"]') ? "negative_prompt" : "prompt";
  texts ??= [...new Set((await fetched()).prompts.map((each) => each[which]))].filter((text) => text.trim() && text !== walked.draft);
  const at = Math.max(-1, Math.min(texts.length - 1, walked.at + by));
  if (at === walked.at || field.value !== walked.shown) return;
  const text = at < 0 ? walked.draft : texts[at];
  walked = { ...walked, at, shown: text };
  typeInto(field, text);
  field.setSelectionRange(text.length, text.length);
};
// One prompt back (1) or on (-1); at the end stands what was typed.
export const step = (field, by) => {
  turn = turn.then(() => move(field, by)).catch((error) => notify(error.message));
};
on("drawn", () => (texts = null)); // there is one more

// ---- the dialog ----------------------------------------------------------------------------------------------------------------

/** @type {any} */
let dialog = null;
let kind = "";

const said = (when) => new Date(when * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

const use = ({ prompt, negative_prompt }) => {
  snapshot(kind);
  for (const [name, text] of Object.entries({ negative_prompt, prompt })) {
    const field = find(`#${kind}-${name} textarea`);
    if (field && field.value !== text) typeInto(field, text);
  }
};
/** @param {WrittenPrompt} each */
const row = (each) => {
  const picture = each.picture ? make("img", { src: `thumb/${each.picture}`, alt: "", loading: "lazy" }) : make("span", { className: "history-none" });
  const words = make("span", { className: "history-words" }, make("b", { textContent: each.prompt || "No prompt" }), each.negative_prompt && make("span", { textContent: `Not: ${each.negative_prompt}` }), make("time", { textContent: said(each.when) }));
  const made = make("button", { type: "button", className: "history-row", title: "Put these words into the form" }, picture, words);
  made.addEventListener("click", () => (dialog.close(), use(each)));
  return make("li", {}, made);
};

const built = () => {
  const search = make("input", { type: "search", placeholder: "Search your prompts", "aria-label": "Search your prompts", autocomplete: "off", spellcheck: false });
  const rows = make("ul", { className: "history-rows", "aria-label": "Prompts" });
  const note = make("p", { className: "history-note", role: "status" });
  const close = make("button", { type: "button", className: "round", "aria-label": "Close", title: "Close (Esc)" }, make("i", { className: "icon icon-x" }));
  const made = make("dialog", { className: "history-dialog", "aria-labelledby": "history-title" }, make("div", { className: "history-head" }, make("h2", { id: "history-title", textContent: "Your prompts" }), close), search, note, rows);
  let newest = 0; // of the questions: an answer to an earlier one is not shown
  const look = async () => {
    const mine = (newest += 1);
    const told = await fetched(search.value).catch((error) => (write(note, error.message), null));
    if (!told || mine !== newest) return;
    rows.replaceChildren(...told.prompts.map(row));
    const none = search.value ? "No prompt of yours has these words." : "Nothing yet. What you draw is kept here with its words.";
    write(note, told.prompts.length ? (told.more ? "The newest 200. Search to find others." : "") : none);
  };
  search.addEventListener("input", later(SOON, look));
  search.addEventListener("keydown", (event) => {
    if (!["ArrowDown", "Enter"].includes(event.key)) return;
    event.preventDefault();
    find(".history-row", rows)?.[event.key === "Enter" ? "click" : "focus"]();
  });
  rows.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const all = findAll(".history-row", rows);
    const at = all.indexOf(document.activeElement) + by;
    (all[at] ?? (at < 0 ? search : all[all.length - 1])).focus();
  });
  close.addEventListener("click", () => made.close());
  const room = find(".gradio-container") ?? document.body;
  room.append(made);
  return Object.assign(made, { open_anew: () => ((search.value = ""), rows.replaceChildren(), made.showModal(), search.focus(), look()) });
};

// For the form of a kind.
export const showHistory = (whose) => {
  kind = whose;
  dialog ??= built();
  dialog.open_anew();
};
