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
  const inspect = later(LOOK, () => latest && emit("picture", { id: latest }));
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
  const fill = async (first, end) => {
    const pictures = await between(first, Math.min(end, first + MOST));
    chosen = new Map(pictures.map((picture) => [picture.id, picture]));
    if (end - first > MOST) notify(`${MOST.toLocaleString("en")} pictures are the most that can be selected at once.`);
    tell(null);
  };
  const range = (index) => fill(Math.min(anchor, index), Math.max(anchor, index) + 1);
  const clear = () => {
    chosen = new Map();
    changed();
  };
  return {
    only, toggle, range, clear,
    all: () => [...chosen.values()],
    has: (id) => chosen.has(id),
    everything: () => fill(0, total()),
    drop: (ids) => ids.forEach((id) => void chosen.delete(id)),
    change: (ids, changes) => {
      for (const id of ids) if (chosen.has(id)) chosen.set(id, { ...chosen.get(id), ...changes });
    },
  };
};
