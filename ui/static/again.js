// Made again: a picture is drawn once more by its record, beside everything else, and compared with its file.
import { make, pause } from "./dom.js";
import { ASKED, GOES_ON, POST, asked, stopLooks } from "./inside_asked.js";
import { address } from "./stage_live.js";

/** @typedef {import("./messages.d.ts").AgainFound} Found */
/** @typedef {import("./messages.d.ts").InsideLook} Look */

const sign = (icon) => make("i", { className: `icon icon-${icon}` });
const count = (number) => number.toLocaleString("en");

/** What was found, in words. @type {(found: Found) => string} */
export const outcome = ({ same, differing, pixels, most }) => {
  if (same) return "Made again bit for bit: every pixel is the same.";
  return differing ? `${count(differing)} of ${count(pixels)} pixels differ, by ${most} of 255 at most.` : "It is another picture now.";
};

/** @type {(found: Found) => any[]} */
const said = (found) => [
  make("p", {}, sign(found.same ? "check" : "info"), make("span", { textContent: outcome(found) })),
  ...(found.reasons.length ? [make("ul", {}, ...found.reasons.map((reason) => make("li", { textContent: reason })))] : []),
];

const waits = ({ state, step, steps }, stop) => {
  const button = make("button", { type: "button", className: "quiet", textContent: "Stop" });
  button.addEventListener("click", stop);
  const words = state === "waiting" ? "Waits for what is being drawn…" : step ? `Drawn again: step ${step} of ${steps}` : "Drawn again…";
  return [make("p", {}, make("span", { textContent: words }), button)];
};

/** @type {(problem: Error) => Look} */
const failed = ({ message }) => ({ part: "again", state: "failed", step: 0, steps: 0, message, found: null });

/** @type {(place: HTMLElement, id: string) => Promise<void>} */
export const again = async (place, id) => {
  const own = `${address("inside", id)}/again`;
  place.dataset.picture = id;
  place.hidden = false;
  const here = () => place.dataset.picture === id && !place.hidden;
  let look = await asked(own, POST).catch(failed);
  while (GOES_ON.includes(look.state) && here()) {
    place.replaceChildren(...waits(look, stopLooks));
    await pause(ASKED);
    look = await asked(own).catch(failed);
  }
  if (!here()) return;
  place.dataset.same = String(/** @type {Found | null} */ (look.found)?.same ?? "");
  if (look.state === "done") place.replaceChildren(...said(/** @type {Found} */ (look.found)));
  else place.replaceChildren(make("p", { textContent: look.state === "stopped" ? "Stopped." : look.message }));
};
