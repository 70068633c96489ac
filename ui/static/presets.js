// Presets: what the dialog is made of comes when somebody opens it.
import { notify } from "./desk.js";
import { on, parts } from "./dom.js";
import { wanted } from "./on_demand.js";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger }) => {
  let opens = null;
  on("presets", async ({ kind }) => {
    try {
      opens ??= (await wanted("preset_list")).presetList(parts(element)("dialog"), (told) => trigger("fill", told));
      opens(kind);
    } catch {
      notify("The presets could not be fetched. See that Atelier still runs, then try again.");
    }
  });
};
