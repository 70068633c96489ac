// What a run will do: asked of the server after the form, the picture or the mask has changed, and shown here and on the canvas.
import { emit, enter, later, make, on, parts } from "./dom.js";
import { refit } from "./memory.js";
import * as page from "./page.js";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, props, server }) => {
  const part = parts(element);
  const PAUSE = 150; // milliseconds without a change before the server is asked
  const { kind } = props;
  let values = null;
  let turn = 0; // an answer that comes after a newer question is thrown away

  const painted = () => page.painted[kind];
  const boundsOf = (area) => {
    if (!area?.width) return null;
    if (values.inverted) return "inverse" in area ? area.inverse : [0, 0, area.width, area.height];
    return area.bounds;
  };

  const answer = async () => {
    if (!values) return;
    const mine = ++turn;
    const area = painted();
    const picture = area?.width ? [area.width, area.height] : null;
    const found = await server.plan({ values, picture, bounds: boundsOf(area) }).catch(() => null);
    if (!found || mine !== turn || !element.isConnected) return;
    show(found.lines);
    emit("preflight", { kind, box: found.box, sentence: found.label, crops: found.crops });
  };
  const ask = later(PAUSE, answer);
  const show = (lines) => part("lines").replaceChildren(...lines.map((line) => make("p", { textContent: line })));

  const hear = (form) => {
    values = form;
    ask();
  };
  on("form", ({ kind: whose, values: all }) => whose === kind && hear(all));
  if (page.forms[kind]) hear(page.forms[kind]); // a tab that is opened later than the page
  on("painted", (told) => told.kind === kind && ask());
  on("library", () => ask()); // a file that the form names may have come, or gone

  // A picture that was put in by hand brings a size that suits it; one that comes with settings has its own.
  on("opened", async ({ kind: whose, width, height }) => {
    if (whose !== kind || kind === "outpaint" || !values) return;
    const tiled = Boolean(values.tiling) && values.tiling !== "Off"; // then a large picture keeps its size
    const size = await server.fit({ checkpoint: values.checkpoint, picture: [width, height], tiled }).catch(() => null);
    if (!size?.length) return;
    enter(`#${kind}-width`, size[0]);
    enter(`#${kind}-height`, size[1]);
  });
  on("chosen", (detail) => {
    const { width, height } = painted() ?? {};
    if (detail.kind === kind && kind !== "outpaint" && width) refit(server.fit, detail, [width, height]);
  });

  // Results of what is on the canvas are candidates: they stand on it until one is kept.
  const adopt = async (picture) => {
    const taken = await server.adopt(picture.id);
    if (!taken.id) throw new Error(taken.message || "The picture could not be taken over.");
    page.canvases[kind].place(taken.id);
    if (kind === "outpaint") for (const side of ["left", "right", "top", "bottom"]) enter(`#outpaint-${side}`, 0);
  };
  on("drawn", ({ kind: whose, pictures }) => {
    if (whose !== kind || kind === "img2img" || !pictures.length || !page.canvases[kind]) return;
    if (values && pictures[0].from !== values.image) return;
    const list = pictures.map((picture, index) => ({
      src: `picture/${encodeURIComponent(picture.id)}.png`,
      label: `Result ${index + 1} of ${pictures.length}, seed ${picture.seed}`,
      keep: () => adopt(picture),
    }));
    page.canvases[kind].candidates(list);
  });
};
