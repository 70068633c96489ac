// Grids: a sign beside Generate, and what their room is made of, which comes when somebody opens it for a form of a kind, or around a picture.
import { notify } from "./desk.js";
import { make, on } from "./dom.js";
import { wanted } from "./on_demand.js";

/** @type {(asked: { kind?: string, picture?: string }) => Promise<void>} */
export const openGrid = async (asked) => {
  try {
    (await wanted("grid_room")).gridRoom(asked);
  } catch {
    notify("The grid could not be fetched. See that Atelier still runs, then try again.");
  }
};

on("form", ({ kind, values }) => {
  const generate = document.getElementById(`${kind}-generate`);
  if (!("prompt" in values) || !generate || generate.nextElementSibling?.matches(".grid-sign")) return;
  const sign = make("button", { type: "button", className: "sign icon-grid-3x3 grid-sign", title: "The same in many ways, side by side", textContent: "Grid" });
  sign.addEventListener("click", () => openGrid({ kind }));
  generate.after(sign);
});
