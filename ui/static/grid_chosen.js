// The cells that are chosen, and what is done with them: one is opened, used or gone on from, two and more are compared.
import { emit, find, make } from "./dom.js";
import { surface } from "./gallery_surface.js";
import { button, plural } from "./grid_frame.js";
import { redraw } from "./library_card.js";
import * as page from "./page.js";

const lays = surface({});

/**
 * `bar`: where it is shown. `room`: the cells by their places, the sheet that they are on, whether they are of a grid that is begun,
 * and what the room does: it closes, has a grid made around a picture, has a cell drawn again.
 */
export const chosenCells = (bar, room) => {
  let picked = /** @type {string[]} */ ([]);
  let pairs = false; // the next cell is compared with the one that is chosen

  const pictureOf = (place) => room.cells()[place]?.picture ?? null;
  const choose = (places) => {
    picked = places;
    room.sheet().pick(picked);
    draw();
  };
  const lay = (shown, steps = false) => {
    room.close();
    if (page.open.tab in page.forms) emit("surface", shown);
    else lays(shown);
    const film = find('[data-part="steps"][aria-pressed="false"]');
    if (steps && film) film.click();
  };
  // `more`: beside those that are chosen.
  const pick = (place, more) => {
    if (pairs && picked.length && place !== picked[0]) {
      const ids = [picked[0], place].map((each) => pictureOf(each)?.id).filter(Boolean);
      pairs = false;
      if (ids.length === 2) emit("compare", { ids });
      return choose([place]);
    }
    if (!more) return choose([place]);
    choose(picked.includes(place) ? picked.filter((each) => each !== place) : [...picked, place].slice(-4));
  };
  const compare = () => {
    const ids = picked.map((place) => pictureOf(place)?.id).filter(Boolean);
    if (ids.length > 1) return emit("compare", { ids });
    pairs = !pairs;
    draw();
  };
  const draw = () => {
    const [place] = picked;
    const shown = place ? pictureOf(place) : null;
    const cell = place ? room.cells()[place] : null;
    bar.hidden = !place || !room.begun();
    if (bar.hidden) return;
    const many = picked.length > 1;
    const says = pairs ? "Choose the cell to compare it with" : many ? plural(picked.length, "cell") : room.sheet().legend(place);
    const lacks = !shown && cell && !["waiting", "running"].includes(cell.state);
    redraw(bar, [
      make("p", { className: "grid-said", title: says }, make("b", { textContent: says }), cell?.message && !shown ? make("span", { textContent: cell.message }) : ""),
      shown && !many && button("eye", "Open", "Lay it on the surface, with all about it in the inspector", () => lay(shown)),
      shown && button("columns-2", "Compare", "Compare it with another cell; with Ctrl or Shift several are chosen", compare),
      shown && !many && button("sliders-horizontal", "Use settings", "The form gets all that made it", () => (room.close(), emit("send", { id: shown.id, kind: shown.kind, to: "" }))),
      shown && !many && button("git-branch", "Branch", "Go back through its steps, and branch off from one", () => lay(shown, true)),
      shown && !many && button("grid-3x3", "Explore", "Make a grid around this cell, and go on from there", () => room.explore(shown.id)),
      lacks && button("rotate-ccw", "Draw it again", "This cell alone", () => room.again(place)),
    ].filter(Boolean));
    const compares = [...bar.querySelectorAll("button")].find(({ textContent }) => textContent === "Compare");
    compares?.setAttribute("aria-pressed", String(pairs));
  };
  const unpair = () => {
    const paired = pairs;
    pairs = false;
    if (paired) draw();
    return paired;
  };
  return { choose, pick, draw, unpair, open: (place) => pictureOf(place) && lay(pictureOf(place)) };
};
