// An enlarged picture as it was drawn, before an upscaler enlarged it: one press away on the surface, and one back.
import { address } from "./stage_live.js";
import { facts } from "./stage_words.js";

// `picture()`: the one that is selected. `begin(picture)`: another one, or the same anew, is shown as it is kept.
export const asDrawn = (part, picture, speak) => {
  let pressed = false;
  const press = (wanted) => {
    pressed = wanted;
    part("raw").setAttribute("aria-pressed", String(pressed));
  };

  /** @param {import("./messages.d.ts").PictureSummary | undefined} shown */
  const begin = (shown) => {
    press(false);
    part("raw").hidden = !shown?.as_drawn;
  };
  const toggle = async () => {
    const shown = picture();
    if (!shown?.as_drawn) return;
    press(!pressed);
    const mine = pressed;
    const source = `${mine ? address("input", shown.as_drawn) : address("picture", shown.id)}.png`;
    const ready = Object.assign(new Image(), { src: source });
    await ready.decode().catch(() => {}); // shown when it is complete, so that nothing blinks
    if (picture() !== shown || pressed !== mine) return;
    part("picture").src = source;
    part("facts").textContent = facts({ ...shown, width: ready.naturalWidth, height: ready.naturalHeight });
    speak(mine ? "The picture as it was drawn." : "The enlarged picture.");
  };
  return { begin, toggle };
};
