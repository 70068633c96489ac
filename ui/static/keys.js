// Ctrl+Enter generates, or sends a comment, Ctrl+Up and Ctrl+Down weigh, Ctrl+/ switches a phrase off, Esc closes what is open, or else stops.
import { find, findAll, typeInto } from "./dom.js";
import { closePanelSheet } from "./panel.js";
import { closeSheet } from "./sheets.js";
import { switched } from "./switching.js";
import { reweigh } from "./weights.js";

const visible = (selector) => findAll(selector).find((part) => part.getClientRects().length && !part.disabled);

// Whether the words stand in the text, not as a part of longer ones.
const stands = (text, words) => {
  for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + 1))
    if (!/[\p{L}\p{N}_]$/u.test(text.slice(0, at)) && !/^[\p{L}\p{N}_]/u.test(text.slice(at + words.length))) return true;
  return false;
};
// Puts a word at the end of a prompt, once, as the server says that it must be written.
export const addWord = (kind, word) => {
  const field = find(`#${kind}-prompt textarea`);
  if (!field || stands(field.value.toLowerCase(), word.toLowerCase())) return;
  typeInto(field, field.value.trim() ? `${field.value.trimEnd().replace(/,$/, "")}, ${word}` : word);
};

const rewrite = (field, next) => {
  if (next.text === field.value) return;
  const top = field.scrollTop;
  typeInto(field, next.text);
  field.setSelectionRange(next.start, next.end);
  field.scrollTop = top;
};
let last = {}; // what the last press left: its selection is taken as it is, also where a hand would not have put it
const weigh = (field, direction) => {
  const { value: text, selectionStart: start, selectionEnd: end } = field;
  const next = reweigh(text, start, end, direction, last.text === text && last.start === start && last.end === end);
  if (next.text !== text) last = next;
  rewrite(field, next);
};
const prompts = ".weighable textarea";

const command = (event) => (event.ctrlKey || event.metaKey) && !event.altKey;
const somethingOpen = () => document.querySelector('dialog[open], ul[role="listbox"]');

const onKey = (event) => {
  if (event.isComposing || document.querySelector("dialog[open]")) return;
  const field = event.target;
  if (command(event) && event.key === "Enter") {
    event.preventDefault();
    event.stopPropagation();
    const said = field.closest?.("form.says");
    if (said) return said.requestSubmit();
    visible("button.put-back, button.generate")?.click();
  } else if (command(event) && ["ArrowUp", "ArrowDown"].includes(event.key) && field.matches?.(prompts)) {
    event.preventDefault();
    weigh(field, event.key === "ArrowUp" ? 1 : -1);
  } else if (command(event) && event.key === "/" && field.matches?.(prompts)) {
    event.preventDefault();
    rewrite(field, switched(field.value, field.selectionStart, field.selectionEnd));
  } else if (event.key === "Escape" && !somethingOpen()) {
    if (!closePanelSheet() && !closeSheet()) visible("button.stop-job")?.click();
  }
};
document.addEventListener("keydown", onKey, true);

// Gradio's buttons have no place for these words.
const TITLES = {
  "#turn-generate": "Shows the object from where the camera is (Ctrl+Enter)",
  ":is(#enlarge-generate, #upscale-generate)": "Makes the picture in its new size (Ctrl+Enter)",
  "#video-generate": "Makes a clip of the picture (Ctrl+Enter)",
  "button.generate:not(#enlarge-generate, #upscale-generate, #video-generate, #turn-generate)": "Draws the picture that the prompt describes (Ctrl+Enter)",
  "button.swap": "Swap width and height",
  "button.dice": "A new seed each time",
  "button.reuse": "Take the seed of the last picture",
  "button.aspect-1-1": "Square",
  "button.aspect-3-4": "Portrait, 3 to 4",
  "button.aspect-2-3": "Portrait, 2 to 3",
  "button.aspect-4-3": "Landscape, 4 to 3",
  "button.aspect-3-2": "Landscape, 3 to 2",
  "button.aspect-16-9": "Landscape, 16 to 9",
};
const label = () => {
  for (const [selector, words] of Object.entries(TITLES))
    for (const button of findAll(selector)) if (button.title !== words) button.title = words;
};
new MutationObserver(label).observe(document.documentElement, { childList: true, subtree: true });
