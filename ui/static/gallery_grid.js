// The grid of the library: only what is seen, and a margin, is in the page; squares that leave are used again for those that come.
import { make } from "./dom.js";
import { images } from "./gallery_images.js";
import { plan as planned } from "./gallery_plan.js";
import { mark, park, pick, put, tell, tile, time } from "./gallery_tile.js";
import { address } from "./stage_live.js";

const MARGIN = 500; // pixels above and below that are ready
const QUICK = 1500; // pixels of a frame from which pictures are not asked for, as nobody sees them
const SETTLE = 90; // milliseconds after the last frame of a scroll

// `at(index)`: the picture, if it is known; `need(first, end)`: what is in sight; `title(section)`: words of a heading; `chosen(id)`.
export const grid = ({ scroll, space, at, need, title, chosen }) => {
  const tiles = new Map(); // index -> square
  const heads = new Map(); // section -> heading
  const free = { tiles: [], heads: [] };
  let counts = [];
  let headed = false;
  let plan = planned([], 600, false);
  let active = 0;
  let tall = 0;
  let seen = 0; // where the last frame was
  let frame = 0;
  let resting = 0;
  let moving = false; // it is being scrolled
  let stale = true; // what is shown may have changed
  let shown = { first: 0, end: 0, from: 0, to: 0 };
  const small = images(space, () => seen + tall / 2);

  // ---- squares -------------------------------------------------------------------------------------------------------------

  const take = (index) => {
    const node = free.tiles.pop() ?? space.appendChild(tile());
    if (node.hidden) node.hidden = false;
    node.index = index;
    put(node, plan.place(index));
    tiles.set(index, node);
    return node;
  };
  const release = (known, pool, key) => {
    pool.push(known.get(key));
    known.delete(key);
  };
  const fill = (node, index, quick) => {
    const picture = at(index);
    if (node.shown !== picture) {
      if (node.shown && node.shown.id !== picture?.id) blank(node);
      mark(node, picture?.rating ?? 0, !!picture?.favourite);
      time(node, picture);
      node.shown = picture;
    }
    if (picture && !quick && !node.asked) {
      node.asked = true;
      small.want(node.image, address("thumb", picture.id), node.y);
    }
    pick(node, !!picture && chosen(picture.id), index === active);
  };
  const blank = (node) => {
    if (node.asked) small.drop(node.image);
    node.asked = false;
    if (node.classList.contains("missing")) node.classList.remove("missing");
    node.querySelector(".tile-moving")?.remove();
  };
  const head = (section) => {
    const node = free.heads.pop() ?? space.appendChild(make("h3", { className: "gallery-heading" }, document.createTextNode("")));
    if (node.hidden) node.hidden = false;
    put(node, { x: 0, y: plan.tops[section] });
    node.firstChild.data = title(section);
    heads.set(section, node);
  };

  // ---- a frame -------------------------------------------------------------------------------------------------------------

  // While the grid moves only what has come is written; all else when it rests.
  const draw = (now) => {
    frame = 0;
    const top = scroll.scrollTop;
    const by = Math.abs(top - seen);
    const quick = moving && by > QUICK;
    seen = top;
    const { first, end, from, to } = plan.between(top - MARGIN, top + tall + MARGIN);
    if (stale || first !== shown.first || end !== shown.end || from !== shown.from || to !== shown.to) {
      stale = false;
      shown = { first, end, from, to };
      lay(quick);
      if (!quick) need(first, end);
    }
    if (!moving) settle();
    else if (!quick) small.frame(now, by);
  };
  const lay = (quick) => {
    const { first, end, from, to } = shown;
    for (const index of tiles.keys()) if (index < first || index >= end) release(tiles, free.tiles, index);
    for (let index = first; index < end; index += 1) fill(tiles.get(index) ?? take(index), index, quick);
    if (headed) {
      for (const section of heads.keys()) if (section < from || section >= to) release(heads, free.heads, section);
      for (let section = from; section < to; section += 1) if (!heads.has(section)) head(section);
    }
    for (const node of [...free.tiles, ...free.heads]) if (!node.hidden && !node.parked) park(node);
  };
  const settle = () => {
    for (const [index, node] of tiles) tell(node, at(index));
    for (const node of free.tiles) {
      blank(node);
      pick(node, false, false);
      node.shown = undefined;
    }
    for (const node of [...free.tiles, ...free.heads]) if (!node.hidden) node.hidden = true;
    const current = tiles.has(active) ? "tile-active" : "";
    if (scroll.getAttribute("aria-activedescendant") !== current) scroll.setAttribute("aria-activedescendant", current);
    small.rest();
  };
  const soon = () => {
    if (!frame) frame = requestAnimationFrame(draw);
  };
  const redraw = () => ((stale = true), soon());
  const moved = () => {
    moving = true;
    clearTimeout(resting);
    resting = window.setTimeout(() => ((moving = false), redraw()), SETTLE);
    soon();
  };

  const layAnew = () => {
    plan = planned(counts, space.clientWidth, headed);
    space.style.height = `${plan.height}px`;
    space.style.setProperty("--side", `${plan.side}px`);
    for (const [index, node] of [...tiles]) {
      if (index >= plan.total) release(tiles, free.tiles, index);
      else put(node, plan.place(index)); // with what it shows, so that nothing blinks
    }
    for (const section of [...heads.keys()]) release(heads, free.heads, section);
    redraw();
  };
  // The pictures of a search: how many each heading has.
  const show = (found, anew) => {
    counts = found.counts;
    headed = found.headed;
    active = anew ? 0 : Math.max(0, Math.min(active, found.total - 1));
    if (anew) scroll.scrollTop = 0;
    layAnew();
  };

  const move = (index) => {
    active = Math.max(0, Math.min(index, plan.total - 1));
    if (!plan.total) return;
    const { y } = plan.place(active);
    const above = plan.heading + plan.gap;
    if (y - above < scroll.scrollTop) scroll.scrollTop = Math.max(0, y - above);
    else if (y + plan.row > scroll.scrollTop + tall) scroll.scrollTop = y + plan.row - tall;
    redraw();
  };

  scroll.addEventListener("scroll", moved, { passive: true });
  new ResizeObserver(() => {
    const wide = space.clientWidth;
    tall = scroll.clientHeight;
    if (!wide || !tall) return; // in a tab that is not seen
    const place = plan.total ? plan.between(scroll.scrollTop, scroll.scrollTop + 1).first : 0;
    const stays = scroll.scrollTop > 0 && planned(counts, wide, headed).columns !== plan.columns;
    layAnew();
    if (stays) scroll.scrollTop = plan.place(place).y - plan.heading;
  }).observe(scroll);

  return {
    show, redraw, move,
    get active() { return active; },
    get total() { return plan.total; },
    startOf: (section) => plan.starts[section],
    inside: (box) => plan.inside(box),
    beside: (key) => {
      const rows = Math.max(1, Math.floor(tall / plan.row)) * plan.columns;
      const to = { ArrowLeft: active - 1, ArrowRight: active + 1, Home: 0, End: plan.total - 1, PageUp: active - rows, PageDown: active + rows }[key];
      if (to !== undefined) return Math.max(0, Math.min(to, plan.total - 1));
      return plan.total ? plan.vertical(active, key === "ArrowUp" ? -1 : 1) : 0;
    },
  };
};
