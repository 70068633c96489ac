// Grids: what their room is made of comes when somebody opens it, for a form of a kind, or around a picture.
import { notify } from "./desk.js";
import { wanted } from "./on_demand.js";

/** @type {(asked: { kind?: string, picture?: string }) => Promise<void>} */
export const openGrid = async (asked) => {
  try {
    (await wanted("grid_room")).gridRoom(asked);
  } catch {
    notify("The grid could not be fetched. See that Atelier still runs, then try again.");
  }
};
