// On a phone the form is a sheet at the thumb: closed it has the words, the numbers and Generate; open it has all the rest.
import { findAll, on } from "./dom.js";

const OPEN = "sheet-open"; // class of the room
const room = () => document.getElementById("room");
const say = () => {
  const open = room().classList.contains(OPEN);
  for (const button of findAll("button.sheet-more")) {
    button.setAttribute("aria-expanded", String(open));
    button.title = open ? "Close the settings" : "All settings";
  }
};
export const toggleSheet = () => {
  room().classList.toggle(OPEN);
  say();
};
const close = () => (room().classList.remove(OPEN), say());
/** Closes the sheet, and the button that opened it has the focus again. True when it was open. */
export const closeSheet = () => {
  const more = findAll("button.sheet-more").find((button) => button.getClientRects().length);
  if (!more || !room().classList.contains(OPEN)) return false;
  close();
  more.focus();
  return true;
};

// What is drawn is to be seen.
document.addEventListener("click", ({ target }) => /** @type {Element} */ (target).closest?.("button.generate, .surface, .canvas-side, .recent") && room() && close());
on("tab", () => requestAnimationFrame(say));
