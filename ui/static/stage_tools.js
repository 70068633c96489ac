// What is done with the shown picture beside the surface: it is kept as a file, its steps are looked at, it is compared with others.
import { emit, find, on } from "./dom.js";
import { dropdown } from "./dropdown.js";
import { wanted } from "./on_demand.js";
import * as page from "./page.js";
import { begins } from "./pairing.js";
import { keep, ways } from "./save_as.js";
import { address } from "./stage_live.js";

// `id()`, `picture()`: of what is shown. `watch()`: what is drawn is to be shown again. `relay()`: the surface is laid anew.
export const tools = (part, { element, id, picture, notice, speak, watch, relay }) => {
  // The film under the surface, once somebody has asked for it.
  /** @type {{ toggle: () => void, follow: () => void } | null} */
  let steps = null;

  const save = (format, settings) =>
    keep(`${address("picture", id())}.png?${new URLSearchParams({ download: "1", ...(format && { as: format }), ...(settings ? {} : { settings: "0" }) })}`);
  const showWays = dropdown(part("download"), part("ways"), () => part("ways").replaceChildren(...ways(() => showWays(false), save, picture()?.frames > 1)));

  part("steps").addEventListener("click", async () => {
    const later = await wanted("film").catch(() => notice("The server did not answer. Try again."));
    steps ??= later?.film({ room: find(".under", element), frame: part("frame"), trigger: part("steps"), picture, watch, speak }) ?? null;
    steps?.toggle();
  });
  // Heat over what forms: the same switch for the chip and for the Inside tab.
  let heat = null;
  const turn = async () => {
    page.open.heat = !page.open.heat;
    part("heats").setAttribute("aria-pressed", String(page.open.heat));
    const later = await wanted("stage_heat").catch(() => notice("The server did not answer. Try again."));
    heat ??= later?.heatOver(part("frame"), part("preview"), find(".under", element)) ?? null;
    heat?.turn(page.open.heat);
  };
  on("heat", () => (turn(), relay()));
  part("heats").addEventListener("click", () => emit("heat", undefined));
  begins(part("compare"), part("compares"), part("compares").textContent, id, speak);
  return { follow: () => steps?.follow() };
};
