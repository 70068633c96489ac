// Hints: what a field is about, beside its name, when a mouse rests on the name, a finger presses it, or a key leads to the field.
import { make } from "./dom.js";

const REST = 350; // milliseconds that a mouse rests
const LASTS = 7000; // milliseconds after a press of a finger
const NAME = '.form-side [data-testid="block-info"], .form-side .checkbox-container';
let shown = null;
let timer = 0;

// Gradio writes the sentence behind the name, where it is read out and not seen.
const sentence = (name) => name.closest(".block")?.querySelector(".info-text")?.textContent.trim() ?? "";
const hide = () => {
  clearTimeout(timer);
  shown?.remove();
  shown = null;
};
// Below the name; above it at the foot of the form, where Generate is never covered.
const place = (hint, name) => {
  const { left, bottom, top } = name.getBoundingClientRect();
  const { width, height } = hint.getBoundingClientRect();
  const above = name.closest(".form-foot") || bottom + height + 12 >= innerHeight;
  hint.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  hint.style.top = `${above ? top - height - 8 : bottom + 6}px`;
};
const show = (name) => {
  hide();
  const words = sentence(name);
  if (!words) return;
  shown = make("div", { className: "hint", textContent: words, "aria-hidden": "true" });
  document.body.append(shown);
  place(shown, name);
};
const later = (name, time) => {
  hide();
  timer = setTimeout(() => name.isConnected && show(name), time);
};

document.addEventListener("pointerover", ({ target, pointerType }) => {
  const name = pointerType === "mouse" && /** @type {Element} */ (target).closest?.(NAME);
  if (name) later(name, REST);
  else if (pointerType === "mouse") hide();
});
// A finger that presses a name wants to know, and not yet to type.
document.addEventListener("click", (event) => {
  const { target, pointerType } = /** @type {PointerEvent & { target: Element }} */ (event);
  const name = pointerType === "touch" && target.closest?.('.form-side [data-testid="block-info"]');
  if (!name) return hide();
  event.preventDefault();
  show(name);
  timer = setTimeout(hide, LASTS);
}, true);
document.addEventListener("focusin", ({ target }) => {
  const field = /** @type {Element} */ (target);
  const name = field.matches?.(":focus-visible") && !field.matches("textarea") && field.closest(".form-side .block")?.querySelector(NAME);
  if (name && sentence(name)) later(name, 2 * REST);
});
for (const kind of ["focusout", "keydown", "scroll", "wheel"]) document.addEventListener(kind, hide, { capture: true, passive: true });
