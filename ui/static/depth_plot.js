// How often each depth occurs in a map, and what becomes of it: marks for far, near and the cut-off that can be dragged, and the curve.
// The rule is `edited` of pipelines/depth/depth_map.py.

import { shape, surface } from "./dom.js";
import { limit } from "./numbers.js";

const BINS = 64;
const [WIDTH, HEIGHT] = [360, 78]; // units of the drawing
const MARGIN = 8; // beside the drawing, for half of a mark
const SAMPLED = 256; // pixels a side that are counted
const GAP = 0.01; // between far and near, at least


// Shares of the pixels of a grey image, from the farthest to the nearest.
const count = (image) => {
  const canvas = surface(SAMPLED, SAMPLED);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false; // greys that are not in the map would be counted
  context.drawImage(image, 0, 0, SAMPLED, SAMPLED);
  const bytes = context.getImageData(0, 0, SAMPLED, SAMPLED).data;
  const bins = new Float64Array(BINS);
  for (let place = 0; place < bytes.length; place += 4) bins[Math.floor((bytes[place] * BINS) / 256)] += 1;
  return [...bins];
};

const becomes = (depth, { far, near, curve, cut_off }) => {
  const kept = depth < cut_off ? 0 : depth;
  return limit((kept - far) / Math.max(near - far, 1 / 65535), 0, 1) ** curve;
};

// A few full bins (a background) would flatten all others.
const bars = (bins) => {
  const highest = Math.max(1, [...bins].sort((one, other) => other - one)[2]);
  const room = WIDTH / BINS;
  const bar = (number, index) => {
    const height = limit((HEIGHT * number) / highest, number ? 1 : 0, HEIGHT);
    return shape("rect", { x: index * room, y: HEIGHT - height, width: room * 0.86, height });
  };
  return bins.map(bar);
};
const path = (edits) => {
  const xs = [...Array.from({ length: 121 }, (_, index) => index / 120), edits.cut_off - 1e-6, edits.cut_off, edits.far, edits.near];
  const points = xs.filter((x) => x >= 0 && x <= 1).sort((one, other) => one - other);
  return points.map((x) => `${(x * WIDTH).toFixed(1)},${(HEIGHT * (1 - becomes(x, edits))).toFixed(1)}`).join(" ");
};

const MARKS = { cut_off: "top", far: "bottom", near: "bottom" };
// `move` hears (name, value) while a mark is dragged.
export const depthPlot = (root, move) => {
  const back = shape("g", { class: "depth-bars" });
  const curve = shape("polyline", { class: "depth-curve" });
  const marks = {};
  let now = null;
  const value = (event) => {
    const { left, width } = root.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * (WIDTH + 2 * MARGIN) - MARGIN;
    return Math.round(100 * limit(x / WIDTH, 0, 1)) / 100;
  };
  const within = (name, depth) => {
    if (name === "far") return Math.min(depth, now.near - GAP);
    return name === "near" ? Math.max(depth, now.far + GAP) : depth;
  };
  const mark = (name, side) => {
    const line = shape("line", { y1: 0, y2: HEIGHT });
    const y = side === "top" ? -2 : HEIGHT + 2;
    const way = side === "top" ? -1 : 1;
    const grip = shape("path", { d: `M0 ${y}l6 ${9 * way}h-12z` });
    const made = shape("g", { class: `depth-mark depth-${name}` }, line, shape("rect", { x: -10, y: y - (way < 0 ? 12 : 0), width: 20, height: 12 }), grip);
    made.append(shape("title", {}));
    made.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      made.setPointerCapture(event.pointerId);
    });
    made.addEventListener("pointermove", (event) => made.hasPointerCapture(event.pointerId) && move(name, within(name, value(event))));
    return made;
  };
  for (const [name, side] of Object.entries(MARKS)) marks[name] = mark(name, side);
  root.setAttribute("viewBox", `${-MARGIN} -14 ${WIDTH + 2 * MARGIN} ${HEIGHT + 28}`);
  root.replaceChildren(shape("rect", { class: "depth-ground", width: WIDTH, height: HEIGHT, rx: 4 }), back, curve, ...Object.values(marks));
  let counted = null;
  return {
    count,
    // `bins` of the map as it came, null without one; `edits`: the fields of the form.
    show(bins, edits, titles) {
      now = edits;
      const turned = bins && edits.map_inverted ? bins.toReversed() : bins;
      const key = JSON.stringify(turned);
      if (key !== counted) back.replaceChildren(...(turned ? bars(turned) : []));
      counted = key;
      curve.setAttribute("points", path(edits));
      for (const [name, made] of Object.entries(marks)) {
        made.setAttribute("transform", `translate(${edits[name] * WIDTH} 0)`);
        made.querySelector("title").textContent = `${titles[name]} ${edits[name]}`;
      }
      const said = ["far", "near", "cut_off", "curve"].map((name) => `${titles[name]} ${edits[name]}`).join(", ");
      root.setAttribute("aria-label", `How often each depth occurs, from far on the left to near on the right. ${said}.`);
    },
  };
};
