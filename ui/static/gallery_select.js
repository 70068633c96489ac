// Which pictures of the library are selected, in the order in which they were.
import { emit, later } from "./dom.js";
import { notify } from "./desk.js";

const MOST = 10_000; // pictures: what the server takes in one order
const LOOK = 120; // milliseconds until the inspector is told

/** @typedef {import("./messages.d.ts").GalleryPicture} Picture */

// `at` and `between` find pictures by place; `changed` hears of each change.
export const selection = ({ at, between, total, changed }) => {
  /** @type {Map<string, Picture>} */
  let chosen = new Map();
  let anchor = 0; // where a range begins
  let latest = "";
  const inspect = later(LOOK, () => latest && emit("picture", { id: latest, chosen: true }));
  const tell = (picture) => {
    if (picture) (latest = picture.id), inspect();
    changed();
  };

  const only = (index) => {
    anchor = index;
    const picture = at(index);
    chosen = new Map(picture ? [[picture.id, picture]] : []);
    tell(picture);
  };
  const toggle = (index) => {
    anchor = index;
    const picture = at(index);
    if (!picture) return;
    if (!chosen.delete(picture.id)) chosen.set(picture.id, picture);
    tell(picture);
  };
  const tooMany = () => notify(`${MOST.toLocaleString("en")} pictures are the most that can be selected at once.`);
  const fill = async (first, end) => {
    const pictures = await between(first, Math.min(end, first + MOST));
    chosen = new Map(pictures.map((picture) => [picture.id, picture]));
    if (end - first > MOST) tooMany();
    tell(null);
  };
  const range = (index) => fill(Math.min(anchor, index), Math.max(anchor, index) + 1);
  const clear = () => {
    chosen = new Map();
    changed();
  };

  // ---- a rubber band ---------------------------------------------------------------------------------------------------------

  let band = null; // {before, way, places} while one is drawn: what was selected before it, and what it touches
  const put = ({ way, before }, pictures) => (chosen = new Map([...(way === "only" ? [] : before), ...pictures.map((picture) => [picture.id, picture])]));
  // `way`: what it touches alone ("only"), besides what is selected ("add"), or with all that lies between it and where a range begins.
  const begin = (way) => (band = { before: chosen, way, places: [] });
  const stretch = (places) => {
    const [first, last] = band.way === "extend" && places.length ? [Math.min(anchor, places[0]), Math.max(anchor, places.at(-1))] : [0, -1];
    band.places = last < first ? places.slice(0, MOST) : Array.from({ length: Math.min(last - first + 1, MOST) }, (_, each) => first + each);
    put(band, band.places.map(at).filter(Boolean));
    changed();
  };
  // It ends: what it touches stays selected, also what was never seen; or all is as it was before.
  const stretched = async (keeps) => {
    const mine = band;
    const { places, before, way } = mine;
    band = null;
    if (places.length === MOST) tooMany();
    if (!keeps) chosen = before;
    else if (places.length) {
      const wanted = new Set(places);
      const [first, last] = [places[0], places.at(-1)];
      if (!places.every((place) => at(place))) put(mine, (await between(first, last + 1)).filter((_, index) => wanted.has(first + index)));
      if (way !== "extend") anchor = first;
    }
    tell(keeps ? at(places[0] ?? -1) : null);
  };
  return {
    only, toggle, range, clear, begin, stretch, stretched,
    all: () => [...chosen.values()],
    has: (id) => chosen.has(id),
    everything: () => fill(0, total()),
    drop: (ids) => ids.forEach((id) => void chosen.delete(id)),
    change: (ids, changes) => {
      for (const id of ids) if (chosen.has(id)) chosen.set(id, { ...chosen.get(id), ...changes });
    },
  };
};
