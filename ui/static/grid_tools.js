// The tools of a grid: how large it is seen, and how it leaves.
import { notify } from "./desk.js";
import { make } from "./dom.js";
import { order } from "./grid_ask.js";
import { button } from "./grid_frame.js";
import { keep } from "./save_as.js";

/** `room`: the id of its grid, "" while it is only planned, the cells by their places, and what it does: it tries, and begins anew. */
export const gridTools = (element, sheet, room) => {
  const slider = make("input", { type: "range", min: sheet.bounds[0], max: sheet.bounds[1], step: 1, "aria-label": "Size of the cells", className: "grid-zoom" });
  slider.addEventListener("input", () => sheet.zoomTo(Number(slider.value)));
  sheet.onZoom(() => (slider.value = String(sheet.size())));
  const zip = () => room.tried(async () => {
    const ids = Object.values(room.cells()).map(({ picture: own }) => own?.id).filter(Boolean);
    const answer = await fetch("library/zip", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ids, settings: true }) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.message);
    keep(`library/zip/${told.id}`);
  });
  const ways = make("div", { className: "grid-menu", popover: "auto", id: "grid-export" },
    button("image", "One picture", "With legends, as PNG", () => keep(`grids/${room.grid()}/sheet.png`)),
    button("images", "All pictures", "As a ZIP, with their settings in them", zip),
    button("file-plus", "A page", "HTML with all pictures in it, to be sent or shown anywhere", () => keep(`grids/${room.grid()}/page.html`)),
    button("trash-2", "Take this grid away", "Its pictures stay in the library", () => room.tried(async () => {
      await order(`/${room.grid()}/remove`);
      notify("The grid is gone; its pictures are in the library.");
      room.blank();
    })));
  ways.addEventListener("click", () => ways.hidePopover());
  const out = button("download", "Export", "As a picture, a ZIP or a page", () => room.grid() && ways.togglePopover());
  element.append(slider, button("maximize", "Fit", "As large as all of it fits", sheet.fit), out, ways);
};
