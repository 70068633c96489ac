// What is dropped on the page or pasted into it, where nothing of its own takes it, is read: see reading.js.
import { notify } from "./desk.js";
import { typing } from "./keyboard.js";

const STILL = 400; // milliseconds without word of what is dragged, after which it has left
const SETTINGS = /(^|\n)Steps: \d+, .*\b(Sampler|CFG scale|Seed|Size): /; // what many programs write under a prompt

// `card` is the dialog that shows what was read, `over` says that a file may be dropped.
export const catches = (card, over, readFile, readText) => {
  let own = false; // what is dragged began on this page
  let timer = 0;
  const above = () => [...document.querySelectorAll("dialog[open]")].some((dialog) => dialog !== card);
  const lit = (wanted) => {
    over.hidden = !wanted;
    clearTimeout(timer);
    if (wanted) timer = window.setTimeout(() => lit(false), STILL);
  };

  // ---- dropped ------------------------------------------------------------------------------------------------------------

  const takes = (event) => !own && !event.defaultPrevented && !above() && event.dataTransfer?.types.includes("Files");
  window.addEventListener("dragstart", () => (own = true), true);
  window.addEventListener("dragend", () => (own = false), true);
  window.addEventListener("dragover", (event) => {
    if (!takes(event)) return lit(false);
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    lit(true);
  });
  window.addEventListener("drop", (event) => {
    lit(false);
    if (!takes(event)) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    if (files.length) readFile(files[0], files.length > 1 ? `The first of ${files.length} files was read.` : "");
  });

  // ---- pasted -------------------------------------------------------------------------------------------------------------

  // A prompt keeps what is pasted into it; it is only asked whether it was meant so.
  const offer = (text) => SETTINGS.test(text) && notify("This text holds settings.", { says: "Read them", does: () => readText(text) }, 20_000);
  window.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    const text = event.clipboardData?.getData("text/plain") ?? "";
    const target = /** @type {HTMLElement} */ (event.target);
    if (above()) return;
    if (typing(target) && !(file && card.contains(target))) {
      if (text && target.closest?.('.form-side [id$="prompt"]')) offer(text);
      return;
    }
    // Whoever listens after this one may still take it.
    setTimeout(() => {
      if (event.defaultPrevented && !card.contains(target)) return;
      if (file) readFile(file);
      else if (text.trim()) readText(text);
    });
  });
};
