// The grid of the library: only what is seen, and a margin, is in the page; squares that leave are used again for those that come.
import { make } from "./dom.js";
import { plan as planned } from "./gallery_plan.js";
import { address } from "./stage_live.js";
import { named } from "./stage_words.js";

const MARGIN = 500; // pixels above and below that are ready
const QUICK = 1500; // pixels of a frame from which pictures are not asked for, as nobody sees them
const SETTLE = 90; // milliseconds after the last frame of a quick scroll

/** @typedef {import("./messages.d.ts").GalleryPicture} Picture */

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
  let settle = 0;

  // ---- squares -------------------------------------------------------------------------------------------------------------

  const tile = () => {
    const parts = {
      image: make("img", { alt: "", decoding: "async", draggable: false }),
      tick: make("span", { className: "tick" }, make("i", { className: "icon icon-check" })),
      stars: make("span", { className: "tile-stars" }),
      heart: make("i", { className: "icon icon-heart full" }),
    };
    const marks = make("span", { className: "tile-marks", hidden: true }, parts.heart, parts.stars);
    const made = make("div", { className: "tile", role: "option", draggable: true, "aria-selected": "false" }, parts.image, parts.tick, marks);
    parts.image.addEventListener("error", () => made.classList.add("missing")); // its file is gone; the book knows the rest
    return Object.assign(made, { parts: { ...parts, marks }, picked: false, current: false });
  };
  const put = (node, { x, y }) => (node.style.transform = `translate(${x}px, ${y}px)`);
  const take = (index) => {
    const node = free.tiles.pop() ?? space.appendChild(tile());
    if (node.hidden) node.hidden = false;
    node.id = `tile-${index}`;
    node.dataset.index = String(index);
    node.setAttribute("aria-posinset", String(index + 1));
    put(node, plan.place(index));
    tiles.set(index, node);
    return node;
  };
  const release = (known, pool, key) => {
    const node = known.get(key);
    known.delete(key);
    pool.push(node);
  };
  const blank = (node) => {
    node.parts.image.removeAttribute("src");
    node.classList.remove("missing");
    node.removeAttribute("data-picture");
    node.parts.marks.hidden = true;
  };
  const looks = (node, picture) => {
    node.dataset.picture = picture.id;
    node.setAttribute("aria-label", named(picture) + (picture.rating ? `, ${picture.rating} of 5 stars` : ""));
    node.title = picture.prompt;
    node.parts.marks.hidden = !picture.favourite && !picture.rating;
    node.parts.heart.hidden = !picture.favourite;
    node.parts.stars.textContent = "★".repeat(picture.rating);
  };
  const fill = (node, index, quick) => {
    const picture = at(index);
    const image = node.parts.image;
    if (node.shown !== picture) {
      if (node.shown?.id !== picture?.id) blank(node);
      if (picture) looks(node, picture);
      node.shown = picture;
    }
    if (picture && !quick && !image.hasAttribute("src")) image.src = address("thumb", picture.id);
    // An attribute that is written again, even the same, has its styles looked up again.
    const picked = !!picture && chosen(picture.id);
    if (picked !== node.picked) node.setAttribute("aria-selected", String((node.picked = picked)));
    if ((index === active) !== node.current) node.classList.toggle("active", (node.current = index === active));
  };
  const head = (section) => {
    const node = free.heads.pop() ?? space.appendChild(make("h3", { className: "gallery-heading" }));
    if (node.hidden) node.hidden = false;
    put(node, { x: 0, y: plan.tops[section] });
    node.textContent = title(section);
    heads.set(section, node);
  };

  // ---- a frame -------------------------------------------------------------------------------------------------------------

  const draw = () => {
    frame = 0;
    const top = scroll.scrollTop;
    const quick = Math.abs(top - seen) > QUICK;
    seen = top;
    const { first, end, from, to } = plan.between(top - MARGIN, top + tall + MARGIN);
    for (const index of tiles.keys()) if (index < first || index >= end) release(tiles, free.tiles, index);
    for (let index = first; index < end; index += 1) fill(tiles.get(index) ?? take(index), index, quick);
    if (headed) {
      for (const section of heads.keys()) if (section < from || section >= to) release(heads, free.heads, section);
      for (let section = from; section < to; section += 1) if (!heads.has(section)) head(section);
    }
    for (const node of [...free.tiles, ...free.heads]) if (!node.hidden) ((node.hidden = true), node.removeAttribute("id"));
    const current = tiles.has(active) ? `tile-${active}` : "";
    if (scroll.getAttribute("aria-activedescendant") !== current) scroll.setAttribute("aria-activedescendant", current);
    clearTimeout(settle);
    if (quick) settle = window.setTimeout(redraw, SETTLE);
    else need(first, end);
  };
  const redraw = () => {
    if (!frame) frame = requestAnimationFrame(draw);
  };

  const lay = () => {
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
    lay();
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

  scroll.addEventListener("scroll", redraw, { passive: true });
  new ResizeObserver(() => {
    const wide = space.clientWidth;
    tall = scroll.clientHeight;
    if (!wide || !tall) return; // in a tab that is not seen
    const place = plan.total ? plan.between(scroll.scrollTop, scroll.scrollTop + 1).first : 0;
    const stays = scroll.scrollTop > 0 && planned(counts, wide, headed).columns !== plan.columns;
    lay();
    if (stays) scroll.scrollTop = plan.place(place).y - plan.heading;
  }).observe(scroll);

  return {
    show, redraw, move,
    get active() { return active; },
    get total() { return plan.total; },
    startOf: (section) => plan.starts[section],
    beside: (key) => {
      const rows = Math.max(1, Math.floor(tall / plan.row)) * plan.columns;
      const to = { ArrowLeft: active - 1, ArrowRight: active + 1, Home: 0, End: plan.total - 1, PageUp: active - rows, PageDown: active + rows }[key];
      if (to !== undefined) return Math.max(0, Math.min(to, plan.total - 1));
      return plan.total ? plan.vertical(active, key === "ArrowUp" ? -1 : 1) : 0;
    },
  };
};
