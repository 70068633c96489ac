// The pictures of a search, as far as they were asked for: windows of the list, of which the ones seen last are kept.
import { pause } from "./dom.js";

const PAGE = 120; // pictures
const KEEP = 24; // pages
const MOST_AT_ONCE = 500; // pictures of one answer

/** @typedef {import("./messages.d.ts").GalleryPicture} Picture */

// `fetchWindow(offset, count)` asks the server; `arrived` hears that there is more, `aged` that the list has changed meanwhile.
export const pages = ({ fetchWindow, arrived, aged }) => {
  /** @type {Map<number, Picture[]>} */
  let kept = new Map();
  let before = new Map(); // of the list as it was, shown until what replaces it has come
  const flying = new Set();
  let version = -1;
  let wanted = [0, 0]; // first and last page in sight
  let turn = 0;

  const keep = (page, pictures) => {
    kept.delete(page);
    before.delete(page);
    kept.set(page, pictures);
    for (const old of kept.keys()) if (kept.size > KEEP && (old < wanted[0] || old > wanted[1])) kept.delete(old);
  };
  const load = async (page) => {
    const began = turn;
    flying.add(page);
    const told = await fetchWindow(page * PAGE, PAGE);
    if (began !== turn) return;
    flying.delete(page);
    if (!told) return pause(2000).then(arrived); // the server was not there
    if (told.version !== version) return aged();
    keep(page, told.pictures);
    arrived();
  };

  /** The list has changed: its first page is known. */
  const open = (told, quiet) => {
    turn += 1;
    flying.clear();
    before = new Map(quiet ? [...before, ...kept].slice(-KEEP) : []);
    kept = new Map();
    version = told.version;
    if (told.offset === 0) keep(0, told.pictures);
  };
  /** @type {(index: number) => Picture | undefined} */
  const at = (index) => {
    const page = Math.floor(index / PAGE);
    return (kept.get(page) ?? before.get(page))?.[index % PAGE];
  };
  // Asks for what is missing between two places.
  const need = (first, end) => {
    wanted = [Math.floor(first / PAGE), Math.floor(Math.max(first, end - 1) / PAGE)];
    for (let page = wanted[0]; page <= wanted[1]; page += 1) {
      if (kept.has(page)) keep(page, kept.get(page));
      else if (!flying.has(page)) load(page);
    }
  };
  // All pictures between two places, also those that were never seen.
  /** @type {(first: number, end: number) => Promise<Picture[]>} */
  const between = async (first, end) => {
    const known = [];
    for (let index = first; index < end && kept.has(Math.floor(index / PAGE)); index += 1) known.push(at(index));
    const found = known.filter(Boolean);
    if (found.length === end - first) return found;
    const all = [];
    for (let offset = first; offset < end; offset += MOST_AT_ONCE) all.push(...((await fetchWindow(offset, Math.min(MOST_AT_ONCE, end - offset)))?.pictures ?? []));
    return all;
  };
  // What was done to pictures is seen at once.
  const change = (ids, changes) => {
    const touched = new Set(ids);
    for (const list of [...kept.values(), ...before.values()])
      list.forEach((picture, index) => {
        if (touched.has(picture.id)) list[index] = { ...picture, ...changes };
      });
  };
  return { open, at, need, between, change, size: PAGE };
};
