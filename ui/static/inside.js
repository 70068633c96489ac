// The Inside tab. What it shows comes when it is first opened; here it only hears which picture is meant.
import { notify } from "./desk.js";
import { on, parts } from "./dom.js";
import { wanted } from "./on_demand.js";
import * as page from "./page.js";

const AWAY = "The server did not answer. See that Atelier still runs, then open the tab again.";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element }) => {
  let asked = page.inside.picture; // the id of the picture that was asked for last
  let newest = ""; // of this session
  let shown = null;

  const open = async () => {
    if (page.open.tab !== "inside") return;
    shown ??= wanted("inside_page").then((later) => later.inside(parts(element)("room")));
    const view = await shown.catch(() => ((shown = null), notify(AWAY)));
    view?.show(asked || page.open.picture || newest);
  };
  let drawing = false; // at this moment the stage goes on by itself to what was drawn, and nobody has chosen it
  on("picture", ({ id }) => {
    if (!id || (drawing && asked && page.open.tab === "inside")) return;
    asked = id;
    open();
  });
  on("drawn", ({ pictures }) => {
    newest = pictures[0]?.id ?? newest;
    drawing = true;
    setTimeout(() => (drawing = false));
    open();
  });
  on("tab", open);
  on("inside", ({ id }) => ((asked = id), open()));
  open();
};
