// A picture that waits for another one to be compared with: whichever part of the page somebody chooses it in.
import { emit, on } from "./dom.js";

const waiting = { id: "" };
const wait = (id) => {
  waiting.id = id;
  emit("pairing", { id });
};

/** Somebody has chosen this picture: true when it was the other one of a pair, which is compared now; the first one again ends it. */
export const completes = (id) => {
  const first = waiting.id;
  if (!first || !id) return false;
  wait("");
  if (id !== first) emit("compare", { ids: [first, id] });
  return true;
};

/** A button that says `words` and begins a pair with the picture that `shown` gives; while one waits, it ends that. */
export const begins = (button, label, words, shown, speak) => {
  button.addEventListener("click", () => {
    wait(waiting.id ? "" : (shown() ?? ""));
    if (waiting.id) speak("Choose the picture to compare this one with.");
  });
  on("pairing", ({ id }) => {
    button.setAttribute("aria-pressed", String(!!id));
    label.textContent = id ? "Choose the other one…" : words;
  });
};
