// The tabs that a picture can go to, by their kinds, as the menu of the stage has them.
import { findAll } from "./dom.js";

/** @type {(but?: string[]) => Record<string, string>} */
export const targets = (but = []) => {
  const found = findAll('button[data-part^="to-"]').map((button) => [button.dataset.part.slice(3), button.textContent]);
  return Object.fromEntries(found.filter(([kind]) => ![...but, "inside"].includes(kind)));
};
