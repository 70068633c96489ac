// Help while a prompt is written: it comes with the first key, so that a page that is only looked at does without.
import { wanted } from "./on_demand.js";

const first = (event) => {
  if (!event.inputType || !event.target.matches?.(".weighable textarea")) return;
  document.removeEventListener("input", first, true);
  wanted("completion").then(({ help }) => help(event.target), () => document.addEventListener("input", first, true));
};
document.addEventListener("input", first, true);
