// Regions over the picture as it forms, for who wishes to see them there: in their colours, each with its number.
import { find, make, on } from "./dom.js";
import * as page from "./page.js";
import { colorOf, layerOf, tinted } from "./region_frame.js";
import { contained } from "./spots.js";

const SIDE = 320; // pixels of its longer side
const STRENGTH = 0.4;

// Where a region lies, as shares of the picture: the middle of what is painted.
const middle = ({ cells, width, height }) => {
  let [sum, across, down] = [0, 0, 0];
  cells.forEach((cell, place) => {
    sum += cell;
    across += cell * (place % width);
    down += cell * Math.floor(place / width);
  });
  return sum ? [across / sum, down / sum] : [width / 2, height / 2];
};

/** @type {(kind: string, regions: () => Record<string, any>[]) => { shown(): boolean, toggle(): void, draw(): Promise<void> }} */
export const regionOver = (kind, regions) => {
  const frame = find(".surface .frame");
  const layer = make("canvas", { className: "regions-over", "aria-hidden": "true", hidden: true });
  frame.append(layer);
  let wanted = false;

  const image = () => [...frame.querySelectorAll("img")].find((each) => each.getClientRects().length && each.naturalWidth);
  const lay = () => {
    const seen = image();
    layer.hidden = !(wanted && page.open.tab === kind && seen && regions().length);
    if (layer.hidden) return;
    const [outer, inner] = [frame.getBoundingClientRect(), seen.getBoundingClientRect()];
    const [left, top, width, height] = contained(inner.width, inner.height, seen.naturalWidth, seen.naturalHeight);
    Object.assign(layer.style, { left: `${inner.left - outer.left + left}px`, top: `${inner.top - outer.top + top}px`, width: `${width}px`, height: `${height}px` });
  };
  const draw = async () => {
    if (!wanted) return lay();
    const seen = image();
    const [wide, high] = seen ? [seen.naturalWidth, seen.naturalHeight] : [1, 1];
    const share = SIDE / Math.max(wide, high);
    const [width, height] = [Math.max(1, Math.round(wide * share)), Math.max(1, Math.round(high * share))];
    const layers = await Promise.all(regions().map((region) => layerOf(region, width, height).catch(() => null)));
    Object.assign(layer, { width, height });
    const context = layer.getContext("2d");
    layers.forEach((each, at) => each && context.drawImage(tinted(each, colorOf(at), STRENGTH), 0, 0));
    Object.assign(context, { font: "600 16px sans-serif", textAlign: "center", textBaseline: "middle", lineWidth: 4, strokeStyle: "#000a", fillStyle: "#fff" });
    layers.forEach((each, at) => {
      if (!each) return;
      const [x, y] = middle(each);
      context.strokeText(String(at + 1), x, y);
      context.fillText(String(at + 1), x, y);
    });
    lay();
  };
  const again = () => wanted && draw();
  new ResizeObserver(lay).observe(frame);
  frame.addEventListener("load", again, true);
  new MutationObserver(again).observe(frame, { attributes: true, attributeFilter: ["data-showing"] });
  on("tab", lay);

  return {
    shown: () => wanted,
    toggle() {
      wanted = !wanted;
      draw();
    },
    draw,
  };
};
