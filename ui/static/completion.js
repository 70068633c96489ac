// Completion in the prompts: a list below the cursor of what may be meant. The field stays a plain textarea that keeps the focus; the keys of
// the list count only while it is open, and nothing is asked for while an input method composes.
import { later, make, typeOver } from "./dom.js";
import * as page from "./page.js";

/** @typedef {import("./messages.d.ts").CompletionItem} Item */

const SOON = 70; // milliseconds without a key until the server is asked
const LONGEST = 400; // letters before the cursor that it needs
const NOT_TYPED = 60; // milliseconds after a field was given the focus in which a script has written, not a hand
const FIELDS = ".weighable textarea";
/** @type {Record<string, string>} */
const KINDS = { lora: "LoRA", hypernet: "hypernetwork", embedding: "embedding", wildcard: "wildcard", trigger: "trigger word", word: "", phrase: "", tag: "" };

/** @type {HTMLTextAreaElement | null} */
let field = null; // in which the list is open, or was last
/** @type {Item[]} */
let items = [];
let active = -1; // which of them is chosen; -1: none yet
let asking = null; // the question that is on its way
let writes = false; // what was chosen is being written
let before = { text: "", at: 0 }; // the field as it was when something was chosen last
let focused = 0; // when a field was given the focus

const list = make("ul", { className: "completion", id: "completion", role: "listbox", "aria-label": "What may be meant", hidden: true });
const spoken = make("p", { className: "sr", role: "status", "aria-live": "polite" });
document.body.append(spoken); // the list is there while it is open alone

const isOpen = () => !list.hidden;
const close = () => {
  asking?.abort();
  asking = null;
  if (!isOpen()) return;
  list.hidden = true;
  list.remove(); // what asks whether something is open looks for a listbox
  spoken.textContent = "";
  for (const name of ["aria-controls", "aria-activedescendant"]) field?.removeAttribute(name);
};

// Where the letter at a place of the text stands, by the copy of it that lies below the field.
const spot = (at) => {
  const box = field.getBoundingClientRect();
  const words = field.parentElement?.querySelector(".layer-words");
  let rest = at;
  for (const node of words ? [...words.childNodes].map((each) => each.firstChild ?? each) : []) {
    const long = node.textContent?.length ?? 0;
    if (rest <= long && node.nodeType === Node.TEXT_NODE) {
      const range = document.createRange();
      range.setStart(node, rest);
      range.collapse(true);
      const found = range.getClientRects()[0];
      if (found) return { left: found.left, top: Math.max(found.top, box.top), bottom: Math.min(found.bottom, box.bottom) };
    }
    rest -= long;
  }
  return { left: box.left + 12, top: box.top, bottom: box.bottom };
};
const place = () => {
  const { left, top, bottom } = spot(field.selectionStart - items[0].back);
  const view = window.visualViewport ?? { width: innerWidth, height: innerHeight, offsetTop: 0 };
  const below = view.offsetTop + view.height - bottom;
  const above = top - view.offsetTop;
  const under = below >= Math.min(list.scrollHeight, 240) + 12 || below >= above;
  list.style.maxHeight = `${Math.min(320, (under ? below : above) - 16)}px`;
  list.style.left = `${Math.max(8, Math.min(left - 10, view.width - list.offsetWidth - 8))}px`;
  list.style.top = under ? `${bottom + 5}px` : "";
  list.style.bottom = under ? "" : `${innerHeight - top + 5}px`;
};

const choose = (at) => {
  active = at;
  [...list.children].forEach((row, place) => {
    row.setAttribute("aria-selected", String(place === active));
    if (place === active) row.scrollIntoView({ block: "nearest" });
  });
  if (active >= 0) field.setAttribute("aria-activedescendant", `completion-${active}`);
  else field.removeAttribute("aria-activedescendant");
};

// A list goes on: behind what was chosen stands a comma, unless one does already. Words of a sentence stay without.
const take = (at) => {
  const { kind, written, back } = items[at];
  const end = field.selectionStart;
  const after = field.value.slice(field.selectionEnd);
  const listed = ["tag", "phrase", "trigger", "embedding"].includes(kind);
  const mark = listed && !/^\s*[,)\]}|>:]/.test(after) ? ", " : "";
  const into = field;
  before = { text: into.value, at: end };
  close();
  writes = true;
  typeOver(into, end - back, field.selectionEnd, written + mark);
  writes = false;
  const cursor = end - back + written.length + mark.length;
  into.setSelectionRange(cursor, cursor);
};

const row = (item, at) => {
  const kind = KINDS[item.kind];
  const note = [kind, item.note].filter(Boolean).join(" · ");
  const made = make("li", { id: `completion-${at}`, role: "option", "data-kind": item.kind, "aria-selected": "false" }, make("i", { className: "completion-dot" }), make("span", { className: "completion-said", textContent: item.said }), note && make("span", { className: "completion-note", textContent: note }));
  made.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
  made.addEventListener("click", () => take(at));
  return made;
};
const show = () => {
  list.replaceChildren(...items.map(row));
  list.hidden = false;
  document.body.append(list);
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", list.id);
  // Where a name is asked for, the first one is meant until another is chosen; among words Enter still ends a line.
  choose(["lora", "hypernet", "wildcard"].includes(items[0].kind) && field.value.slice(0, field.selectionStart).match(/[<_][^\s]*$/) ? 0 : -1);
  place();
  spoken.textContent = `${items.length} ${items.length === 1 ? "suggestion" : "suggestions"}; Tab takes the first, the arrow keys choose.`;
};

const kindOf = (into) => into.closest('[id*="-"].weighable')?.id.split("-") ?? ["", ""];
const ask = later(SOON, async () => {
  const into = field;
  if (!into || document.activeElement !== into || into.selectionStart !== into.selectionEnd) return close();
  const [kind, name] = kindOf(into);
  const { checkpoint = "", loras = [] } = page.forms[kind] ?? {};
  const at = into.selectionStart;
  const order = { before: into.value.slice(Math.max(0, at - LONGEST), at), text: into.value, checkpoint, against: name.includes("negative"), loras: loras.map(({ id }) => id) };
  const mine = new AbortController();
  asking?.abort();
  asking = mine;
  const answer = await fetch("complete", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(order), signal: mine.signal }).catch(() => null);
  const told = answer?.ok ? await answer.json().catch(() => null) : null;
  if (asking !== mine) return;
  asking = null;
  if (into !== document.activeElement || into.selectionStart !== at || !told?.items.length) return close();
  items = told.items;
  show();
});

// Somebody has typed into this field.
export const help = (into) => {
  if (document.activeElement !== into || writes) return;
  if (field !== into) close();
  field = into;
  ask();
};

const onKey = (event) => {
  if (!isOpen() || event.target !== field || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const acts = {
    ArrowDown: () => choose((active + 1) % items.length),
    ArrowUp: () => choose((active <= 0 ? items.length : active) - 1),
    Tab: () => take(Math.max(active, 0)),
    Enter: () => take(active),
    Escape: close,
  };
  const act = acts[event.key];
  if (!act || event.shiftKey || (event.key === "Enter" && active < 0)) return event.key === "Enter" ? close() : undefined;
  event.preventDefault();
  event.stopPropagation();
  act();
};
document.addEventListener("keydown", onKey, true);
/** @param {any} event */
const onInput = (event) => {
  if (writes || event.isComposing || !event.inputType || !event.target.matches?.(FIELDS)) return;
  // What the browser's undo gives back it also selects, and the next key would write over it.
  if (event.inputType === "historyUndo" && event.target.value === before.text) event.target.setSelectionRange(before.at, before.at);
  if (performance.now() - focused < NOT_TYPED || !/^(insert|delete)/.test(event.inputType)) return close();
  help(event.target);
};
document.addEventListener("input", onInput, true);
document.addEventListener("compositionend", (/** @type {any} */ { target }) => target.matches?.(FIELDS) && help(target));
document.addEventListener("focusin", () => (focused = performance.now()));
document.addEventListener("focusout", close);
document.addEventListener("selectionchange", () => isOpen() && field.selectionStart !== field.selectionEnd && close());
document.addEventListener("pointerdown", ({ target }) => isOpen() && !list.contains(/** @type {Node} */ (target)) && close());
document.addEventListener("scroll", ({ target }) => isOpen() && target !== list && place(), { capture: true, passive: true });
addEventListener("resize", close);
