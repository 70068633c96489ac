// Help while a prompt is written: it comes with the first key that needs it, so that a page that is only looked at does without.
import { findAll, on } from "./dom.js";
import { wanted } from "./on_demand.js";

const PROMPTS = ".weighable textarea";

// Who comes can type at once, unless they have gone elsewhere meanwhile, or a keyboard would come up over what they look at. Gradio's own
// autofocus is left out: it takes the keys anew when the text changes, from whatever field somebody types in by then.
const arrived = new AbortController();
const begin = () => {
  const field = findAll(PROMPTS).find((each) => each.getClientRects().length);
  if (!field) return;
  arrived.abort();
  if (document.activeElement === document.body && !matchMedia("(pointer: coarse)").matches) field.focus({ preventScroll: true });
};
on("form", begin, { signal: arrived.signal });

const first = (event) => {
  if (!event.inputType || !event.target.matches?.(PROMPTS)) return;
  document.removeEventListener("input", first, true);
  wanted("completion").then(({ help }) => help(event.target), () => document.addEventListener("input", first, true));
};
document.addEventListener("input", first, true);

// Alt+Up and Alt+Down: what was written before.
const recall = (event) => {
  const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (!by || !event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.isComposing || !event.target.matches?.(PROMPTS)) return;
  event.preventDefault();
  event.stopPropagation();
  wanted("prompt_history").then(({ step }) => step(event.target, by), () => {});
};
document.addEventListener("keydown", recall, true);
