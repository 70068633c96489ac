// The Library tab: all pictures that were made, searched, selected, rated, put on boards, thrown away and fetched.
import { notify } from "./desk.js";
import { emit, later, on, parts, write } from "./dom.js";
import * as folds from "./folds.js";
import { band } from "./gallery_band.js";
import { bar } from "./gallery_bar.js";
import { grid } from "./gallery_grid.js";
import { hands } from "./gallery_hands.js";
import { large } from "./gallery_large.js";
import { pages } from "./gallery_pages.js";
import { drag, places } from "./gallery_places.js";
import { search } from "./gallery_search.js";
import { selection } from "./gallery_select.js";
import { surface } from "./gallery_surface.js";
import { titles } from "./gallery_titles.js";
import { ask, emptyBin, favour, many, rate, throwAway } from "./marks.js";
import { wanted } from "./on_demand.js";
import { open as room, told } from "./page.js";
import { watchBoard } from "./together.js";

const FIRST = 120; // pictures that come with the answer to a search
const QUIET = 250; // milliseconds until a change is looked up
const NARROW = 780; // pixels of the window up to which the panel covers the grid
const TRIES = 3; // while the list changes between two questions

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, props, server }) => {
  const part = parts(element);
  server.owns().then((owner) => (part("folders").hidden = !owner), () => {});
  part("folders").addEventListener("click", () => emit("folders"));
  const zone = -new Date().getTimezoneOffset();
  let asked = { query: "", group: folds.was("gallery-group", "day"), order: folds.was("gallery-order", "newest") };
  let turn = 0;
  let behind = false; // something has changed while the tab was not seen
  let found = { total: 0, keys: [], titles: [], counts: [] };
  let bin = false;

  const question = (more = {}) => ({ ...asked, zone, ...more });
  const held = pages({
    fetchWindow: (offset, count) => ask("", question({ offset, count })),
    arrived: () => (view.redraw(), big.arrived()),
    aged: () => refresh(),
  });
  const title = titles((section) => ({ group: asked.group, key: found.keys[section], title: found.titles[section], count: found.counts[section], first: () => held.at(view.startOf(section)) }));
  const view = grid({ scroll: part("scroll"), space: part("space"), at: held.at, need: held.need, title, chosen: (id) => chosen.has(id) });
  const chosen = selection({ at: held.at, between: held.between, total: () => view.total, changed: () => (view.redraw(), acts.draw(bin)) });

  // ---- searching -------------------------------------------------------------------------------------------------------------

  const look = async (quiet, tries = TRIES) => {
    turn += 1;
    const mine = turn;
    const heads = asked.group ? ask("/headings", question()) : null;
    const [told, headings] = await Promise.all([ask("", question({ offset: 0, count: FIRST })), heads]);
    if (mine !== turn || !told || (asked.group && !headings)) return;
    if (headings && headings.version !== told.version && tries) return look(quiet, tries - 1);
    found = headings ?? { total: told.total, keys: [], titles: [], counts: told.total ? [told.total] : [] };
    held.open(told, quiet);
    field.told(asked.query, told);
    show(told, quiet);
  };
  const show = (told, quiet) => {
    bin = told.chips.some(({ field: name, negated }) => name === "in" && !negated);
    view.show({ counts: found.counts, headed: !!asked.group, total: found.total }, !quiet);
    sides.mark(told.chips);
    part("count").textContent = many(told.total);
    write(part("notes"), told.notes.join(" "));
    sayEmpty(told);
    sayBin();
    acts.draw(bin);
  };
  const refresh = later(QUIET, () => {
    behind = room.tab !== "gallery";
    if (!behind) look(true), sides.load();
  });
  const find = (query) => {
    if (query !== asked.query) chosen.clear();
    asked = { ...asked, query };
    look(false);
  };

  const NOTHING = {
    none: ["No pictures yet", "Everything that you draw is kept here, and can be found again by its words.", "Draw one"],
    bin: ["The bin is empty", "What you delete lies here for 30 days.", "All pictures"],
    board: ["Nothing on this board yet", "With “Draw here”, what you draw comes here by itself. Or put pictures on it that are there already.", "All pictures"],
    search: ["Nothing matches", "Take out a word or a filter, or look at all pictures.", "Clear the search"],
  };
  const sayEmpty = ({ total, chips }) => {
    part("empty").hidden = total > 0;
    part("scroll").hidden = !total;
    const [head, words, act] = NOTHING[chips.length === 1 && (bin || board) ? (bin ? "bin" : "board") : chips.length || asked.query ? "search" : "none"];
    part("empty-title").textContent = head;
    part("empty-words").textContent = words;
    part("empty-act").textContent = act;
    part("empty-act").hidden = !asked.query && document.documentElement.dataset.mayDraw === "no"; // there would be nothing to open
  };
  part("empty-act").addEventListener("click", () => (asked.query ? field.clear() : document.getElementById("tab-txt2img-button")?.click()));

  // ---- the bin ---------------------------------------------------------------------------------------------------------------

  const UNITS = ["B", "kB", "MB", "GB", "TB"];
  const size = (bytes) => {
    const power = bytes ? Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3)) : 0;
    return `${(bytes / 1000 ** power).toLocaleString("en", { maximumFractionDigits: power > 1 ? 1 : 0 })} ${UNITS[power]}`;
  };
  let sure = false;
  const setSure = (now) => {
    sure = now;
    part("empty-bin").textContent = sure ? "Remove them for good" : "Empty the bin";
    part("empty-bin").classList.toggle("sure", sure);
  };
  const sayBin = async () => {
    part("bin").hidden = !bin;
    if (!bin) return;
    setSure(false);
    const told = await ask("/bin");
    if (!told || !bin) return;
    const stays = told.needed ? ` ${many(told.needed)} of them ${told.needed === 1 ? "stays" : "stay"}, as others were made from them.` : "";
    const leaves = told.leaving ? ` ${many(told.leaving)} are being removed.` : " What lies here for 30 days is removed.";
    part("bin-words").textContent = `${many(told.count)}, ${size(told.bytes)}.${leaves}${stays}`;
    part("empty-bin").hidden = !told.count;
  };
  part("empty-bin").addEventListener("click", () => (sure ? emptyBin() : setSure(true)));

  // ---- joined ----------------------------------------------------------------------------------------------------------------

  // The head of a board comes with the first one that is shown.
  let board = null;
  let head = null;
  const here = async (shown) => {
    board = shown;
    watchBoard(board?.shared ? board.id : "");
    if (board) head ??= wanted("gallery_together").then((later) => later.together(part("together"), () => board));
    (await head)?.();
  };
  const sides = places(part, { go: (texts) => field.set(texts), here });
  const field = search(part, { offers: { kinds: props.kinds, boards: sides.all, names: () => ask("/offers") }, changed: find });
  const lay = surface(props.kinds);
  const like = (id) => field.set([`like:${id}`]);
  const big = large(part, { view, at: held.at, mark: (does) => act(does, [held.at(view.active)]), lay });
  const acts = bar(part, { pictures: chosen.all, boards: sides.all, like, show: lay, open: () => big.open(), clear: chosen.clear });

  // What keys and buttons do with pictures.
  const act = ({ does, rating }, pictures) => {
    const known = pictures.filter(Boolean);
    const ids = known.map(({ id }) => id);
    if (does === "rate") rate(ids, rating);
    if (does === "favourite") favour(ids, !known.every(({ favourite }) => favourite));
    if (does !== "delete") return;
    if (bin) notify("What lies in the bin is removed after 30 days, or when you empty it.");
    else throwAway(ids);
  };
  const targets = () => (chosen.all().length ? chosen.all() : [held.at(view.active)]);
  hands(part("scroll"), { view, chosen, open: big.open, mark: (does) => act(does, targets()), drag: (event) => drag(event, targets().map(({ id }) => id)) });

  band(part("scroll"), part("space"), { within: view.inside, chosen });

  for (const name of ["group", "order"]) {
    part(name).value = asked[name];
    part(name).addEventListener("change", () => {
      asked = { ...asked, [name]: part(name).value };
      folds.keep(`gallery-${name}`, part(name).value);
      look(false);
    });
  }
  on("marked", ({ ids, rating, favourite, deleted }) => {
    const changes = { ...(rating === undefined ? {} : { rating }), ...(favourite === undefined ? {} : { favourite }) };
    held.change(ids, changes);
    chosen.change(ids, changes);
    if (deleted !== undefined) chosen.drop(ids);
    view.redraw();
    big.arrived();
    acts.draw(bin);
    refresh();
  });
  let newest = "";
  on("drawn", refresh);
  let pictures = 0;
  on("together", (news) => {
    if (news && news.pictures !== pictures) refresh();
    pictures = news?.pictures ?? 0;
  });
  // Who is followed leads to a picture: in the large view where that is open or there is no room beside the grid.
  on("lead", ({ id }) => {
    let index = 0;
    while (index < view.total && held.at(index)?.id !== id) index += 1;
    if (index === view.total) emit("picture", { id, chosen: true });
    else if (part("large").open || innerWidth <= NARROW) big.open(index);
    else view.move(index), chosen.only(index);
  });
  on("board", ({ id }) => sides.open(id));
  on("engine", (engine) => {
    if (newest && engine.newest && engine.newest !== newest) refresh();
    newest = engine.newest ?? newest;
  });
  on("tab", ({ tab }) => tab === "gallery" && behind && refresh());
  look(false);
  // Who came by a link to a board came for that one.
  sides.load().then(() => {
    const board = room.board || told.engine?.you?.board;
    if (board && !asked.query) sides.open(board);
  });
};
