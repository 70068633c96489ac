// The rows of regions in a form: words and weight of each, the layouts to begin with, and the way to the sheet on which they are painted.
import { emit, find, make, on } from "./dom.js";
import { typedNumber } from "./numbers.js";
import * as page from "./page.js";
import { colorOf, frameOf, layerOf, tinted } from "./region_frame.js";
import { regionOver } from "./region_over.js";
import { regionSheet } from "./region_sheet.js";

const SMALL = 132; // pixels of the map's longer side
const LONGEST = 50; // changes that can be undone
const EMPTY = "Parts of the picture with words of their own. Begin with a layout, or paint them.";
const columns = (count) => Array.from({ length: count }, (_, at) => ({ left: at / count, top: 0, right: (at + 1) / count, bottom: 1 }));
const rows = (count) => Array.from({ length: count }, (_, at) => ({ left: 0, top: at / count, right: 1, bottom: (at + 1) / count }));
const LAYOUTS = { "Two columns": columns(2), "Three columns": columns(3), "Two rows": rows(2), "Three rows": rows(3) };

const tool = (icon, says, act) => {
  const made = make("button", { type: "button", className: `tool icon-${icon}`, title: says, "aria-label": says });
  made.addEventListener("click", act);
  return made;
};
const quiet = (words, act, looks = {}) => {
  const made = make("button", { type: "button", className: "quiet", textContent: words, ...looks });
  made.addEventListener("click", act);
  return made;
};

// `props`: of the component, its value the regions; `change` takes the next ones.
export const regionList = (room, props, change) => {
  const { kind, fields, blank, most } = props.offers;
  const regions = () => (Array.isArray(props.value) ? props.value : []);
  /** @type {Record<string, any>[][]} */
  const past = [];
  let drawn = ""; // what the rows show

  const take = (next) => {
    change(next.slice(0, most));
    show();
  };
  // `kept`: which of the regions before the next ones are, where they are not the same ones; LoRAs that act in one follow it.
  const put = (next, kept = null) => {
    past.push(regions());
    if (past.length > LONGEST) past.shift();
    take(next);
    if (kept) emit("renumbered", { kind, kept });
  };
  const without = (at) => put(regions().filter((_, place) => place !== at), regions().flatMap((_, place) => (place === at ? [] : [place])));
  const edit = (at, own) => {
    change(regions().map((each, place) => (place === at ? { ...each, ...own } : each)));
    drawn = signed();
  };
  const lay = (places) => {
    const now = regions();
    put([...places.map((place, at) => ({ ...blank, ...now[at], ...place, mask: "" })), ...now.slice(places.length)]);
    list.querySelector("textarea:placeholder-shown")?.focus();
  };
  const paint = (at) => regionSheet(find(".gradio-container")).open({ kind, offers: props.offers, regions: regions(), at, take: put });

  // ---- what is there -----------------------------------------------------------------------------------------------------
  const empty = make("p", { className: "regions-info", textContent: EMPTY });
  const map = make("canvas", { className: "regions-map", role: "img", "aria-label": "Where the regions lie" });
  const mapButton = make("button", { type: "button", className: "regions-look", title: "Paint the regions", "aria-label": "Paint the regions" }, map);
  mapButton.addEventListener("click", () => paint(0));
  const list = make("ol", { className: "regions-list" });
  const layouts = make("div", { className: "regions-ways", role: "group", "aria-label": "Layouts" }, ...Object.entries(LAYOUTS).map(([name, places]) => quiet(name, () => lay(places))));
  const painter = quiet("Paint regions…", () => paint(0), { "data-part": "paint" });
  const undo = quiet("Undo", () => take(past.pop() ?? []), { title: "The regions as they were before" });
  const clear = quiet("Remove all", () => put([], []));
  const over = regionOver(kind, regions);
  const seen = quiet("Show on the picture", () => {
    over.toggle();
    seen.setAttribute("aria-pressed", String(over.shown()));
  }, { title: "Lay the regions over the picture, also while it forms", "aria-pressed": "false" });
  room.replaceChildren(empty, mapButton, list, layouts, make("div", { className: "regions-ways" }, painter, seen, undo, clear));

  const row = (region, at) => {
    const dot = make("button", { type: "button", className: "regions-dot", textContent: String(at + 1), title: `Paint region ${at + 1}`, "aria-label": `Paint region ${at + 1}` });
    dot.style.setProperty("--dot", colorOf(at));
    dot.addEventListener("click", () => paint(at));
    const words = make("textarea", { rows: 1, value: region.prompt, placeholder: "What is there", maxLength: 10_000, title: fields.prompt.info, "aria-label": `Words of region ${at + 1}` });
    words.addEventListener("input", () => edit(at, { prompt: words.value, template: "" }));
    const { low, high, step, title, info } = fields.weight;
    const weight = make("input", { type: "number", min: low, max: high, step, value: region.weight, title: `${title}. ${info}`, "aria-label": `${title} of region ${at + 1}` });
    weight.addEventListener("change", () => edit(at, { weight: typedNumber(weight, region.weight, { low, high }) }));
    const out = tool("x", `Remove region ${at + 1}`, () => without(at));
    return make("li", { className: "weighable", id: `${kind}-region-${at}` }, dot, words, weight, out);
  };

  // ---- the map -----------------------------------------------------------------------------------------------------------
  let asked = 0;
  const look = async () => {
    const mine = ++asked;
    const frame = await frameOf(kind);
    const share = Math.min(1, SMALL / Math.max(frame.width, frame.height));
    const [width, height] = [Math.round(frame.width * share), Math.round(frame.height * share)];
    const layers = await Promise.all(regions().map((region) => layerOf(region, width, height).catch(() => null)));
    if (mine !== asked) return;
    Object.assign(map, { width, height });
    const context = map.getContext("2d");
    context.scale(width / frame.width, height / frame.height);
    frame.draw(context);
    context.setTransform(1, 0, 0, 1, 0, 0);
    layers.forEach((layer, at) => layer && context.drawImage(tinted(layer, colorOf(at), 0.7), 0, 0));
  };

  const signed = () => JSON.stringify(regions());
  const show = () => {
    const has = regions().length > 0;
    undo.hidden = !past.length;
    clear.hidden = seen.hidden = !has;
    over.draw();
    empty.hidden = has;
    mapButton.hidden = !has;
    if (has) look();
    if (drawn === signed()) return;
    drawn = signed();
    list.replaceChildren(...regions().map(row));
  };
  on("form", ({ kind: whose }) => whose === kind && regions().length > 0 && room.getClientRects().length > 0 && shapeChanged() && look());
  let shape = "";
  const shapeChanged = () => {
    const { width, height, image } = page.forms[kind] ?? {};
    const now = [width, height, image].join();
    return now !== shape && ((shape = now), true);
  };
  return { show };
};
