// Ways to keep a picture: as it was saved, or in another format, with its settings inside or without.
import { make } from "./dom.js";
import { formats } from "./format_names.js";
import * as page from "./page.js";

let inside = true; // whether the settings go with it; the next menu begins as the last one was left

// What a menu of them holds. `save(format, settings)`: "" is the format in which it was saved.
// `moves`: a clip, which may become a film.
/** @type {(close: () => void, save: (format: string, settings: boolean) => void, moves?: boolean) => HTMLElement[]} */
export const ways = (close, save, moves = false) => {
  const tick = make("input", { type: "checkbox", checked: inside });
  tick.addEventListener("change", () => (inside = tick.checked));
  const button = (says, format) => {
    const made = make("button", { type: "button", "data-format": format }, make("span", { textContent: says }));
    made.addEventListener("click", () => (close(), save(format, inside)));
    return made;
  };
  const rows = Object.entries(formats).map(([name, says]) => button(moves && name !== "webp" ? `First frame as ${says}` : `As ${says}`, name));
  if (moves) rows.unshift(button("Frames as PNG, in a ZIP", "frames"));
  if (moves && page.told.engine?.mp4) rows.unshift(button("As MP4", "mp4"));
  if (page.told.engine?.you?.bare) return [button("As it was saved", ""), ...rows, make("p", { className: "menu-title", textContent: "Without settings, by your link" })];
  return [button("As it was saved", ""), ...rows, make("label", { className: "menu-tick", title: "Prompt, seed, models: what makes the picture again" }, tick, "With its settings")];
};

// Has the browser keep what an address gives.
export const keep = (href, name = "") => {
  const link = make("a", { href, download: name });
  document.body.append(link);
  link.click();
  link.remove();
};
