// The weight of a control unit at each step, and a small drawing of it. The rule is ControlUse.weight_at; the curves come as points.
import { shape } from "./dom.js";
import { limit } from "./numbers.js";

const between = (points, share) => {
  const place = limit(share, 0, 1) * (points.length - 1);
  const low = Math.min(points.length - 2, Math.floor(place));
  return points[low] + (points[low + 1] - points[low]) * (place - low);
};

// One weight a step: 0 before the unit begins and after it ends.
export const weights = (unit, steps, curves) => {
  const first = Math.ceil(unit.start * steps - 1e-9);
  const last = Math.floor(unit.end * steps + 1e-9) - 1;
  const at = (index) => {
    if (unit.start > index / steps || (index + 1) / steps > unit.end) return 0;
    return unit.weight * between(curves[unit.curve], last > first ? (index - first) / (last - first) : 0);
  };
  return Array.from({ length: steps }, (_, index) => at(index));
};

const WIDTH = 300;
const HEIGHT = 40;

const bar = (weight, index, all, highest) => {
  const room = WIDTH / all.length;
  const height = Math.max(1, (HEIGHT * weight) / highest);
  const gap = Math.min(2, room * 0.2);
  return shape("rect", { x: index * room + gap / 2, y: HEIGHT - height, width: room - gap, height, rx: Math.min(1.5, room / 4) });
};

// A bar a step; the dashed line is weight 1.
export const weightPlot = (highest) => {
  const root = shape("svg", { class: "unit-plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  const show = (unit, steps, curves) => {
    const all = weights(unit, limit(Math.round(steps) || 20, 1, 150), curves);
    const y = HEIGHT * (1 - 1 / highest);
    const line = shape("line", { x1: 0, x2: WIDTH, y1: y, y2: y });
    root.replaceChildren(line, ...all.map((weight, index) => bar(weight, index, all, highest)));
    const acting = all.filter(Boolean).length;
    const most = Math.round(Math.max(...all) * 100) / 100;
    const words = acting ? `It acts in ${acting} of ${all.length} steps, with at most ${most}` : "It acts in no step";
    root.setAttribute("aria-label", words);
    return words;
  };
  return { root, show };
};

