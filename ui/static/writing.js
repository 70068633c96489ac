// Help while a prompt is written: it comes with the first key that needs it, so that a page that is only looked at does without.
import { wanted } from "./on_demand.js";

const PROMPTS = ".weighable textarea";

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
