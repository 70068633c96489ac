// The plot of schedules: noise levels over the steps, each schedule a line, the one that drew the picture with its steps as dots.
import { make, shape } from "./dom.js";
import { short } from "./inside_parts.js";

/** @typedef {import("./messages.d.ts").InsideSchedule} Schedule */

const [WIDTH, HEIGHT] = [440, 236];
const [LEFT, TOP, RIGHT, BOTTOM] = [40, 12, 10, 30]; // margins
const TENS = [0.01, 0.1, 1, 10, 100, 1000];

// `steps`: how many of the planned ones run.
/** @type {(schedule: Schedule, steps: number) => { root: HTMLElement, show: (schedule: Schedule) => void, mark: (sigma: number) => void }} */
export const plot = (first, steps) => {
  const drawing = shape("svg", { class: "inside-plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  const names = make("div", { className: "inside-names", role: "group", "aria-label": "Schedules" });
  const seen = new Set(first.curves.filter(({ drawn }) => drawn).map(({ name }) => name));
  let schedule = first;
  let marked = 0;

  const floor = () => Math.log10(schedule.least) - 0.15;
  const roof = () => Math.log10(schedule.most) + 0.1;
  const y = (sigma) => {
    const share = (Math.log10(Math.max(sigma, 10 ** floor())) - floor()) / (roof() - floor());
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share);
  };
  const x = (index) => LEFT + ((WIDTH - LEFT - RIGHT) * index) / schedule.planned;
  const at = ([index, sigma]) => `${x(index).toFixed(1)},${y(sigma).toFixed(1)}`;

  const axes = () => {
    const lines = TENS.filter((ten) => Math.log10(ten) > floor() && Math.log10(ten) < roof()).flatMap((ten) => [
      shape("line", { class: "inside-rule", x1: LEFT, x2: WIDTH - RIGHT, y1: y(ten), y2: y(ten) }),
      shape("text", { class: "inside-tick", x: LEFT - 8, y: y(ten) + 4, "text-anchor": "end" }, String(ten)),
    ]);
    const foot = [0, schedule.planned].map((index) => shape("text", { class: "inside-tick", x: x(index), y: HEIGHT - 10, "text-anchor": index ? "end" : "start" }, index ? `step ${index}` : "0"));
    return [...lines, ...foot, shape("text", { class: "inside-tick", x: 2, y: TOP + 4 }, "σ")];
  };
  const line = ({ name, sigmas, drawn }) => {
    const points = [...sigmas.entries()].map(at).join(" ");
    return shape("polyline", { class: drawn ? "inside-curve drawn" : "inside-curve", "data-name": name, points });
  };
  const dots = ({ sigmas }) => {
    const dot = ([index, sigma]) => {
      const runs = index >= schedule.skipped;
      const made = shape("circle", { class: runs ? "inside-dot" : "inside-dot skipped", cx: x(index), cy: y(sigma), r: schedule.planned > 60 ? 2 : 3.4 });
      made.append(shape("title", {}, `Step ${index + 1}: σ ${short(sigma)}, signal to noise ${short(1 / sigma ** 2)}${runs ? "" : ", does not run"}`));
      return made;
    };
    return [...sigmas.slice(0, -1).entries()].map(dot);
  };
  const level = () => (marked ? [shape("line", { class: "inside-level", x1: LEFT, x2: WIDTH - RIGHT, y1: y(marked), y2: y(marked) })] : []);

  const draw = () => {
    const shown = schedule.curves.filter(({ name }) => seen.has(name));
    const own = shown.find(({ drawn }) => drawn);
    drawing.replaceChildren(...axes(), ...shown.filter((each) => each !== own).map(line), ...(own ? [line(own), ...dots(own)] : []), ...level());
    const skipped = schedule.skipped ? ` The first ${schedule.skipped} do not run.` : "";
    drawing.setAttribute("aria-label", `Noise levels over ${schedule.planned} steps: ${[...seen].join(", ")}.${skipped}`);
  };
  const name = ({ name: each, samplers, drawn }) => {
    const button = make("button", { type: "button", textContent: each, "aria-pressed": String(seen.has(each)), "data-name": each });
    button.title = samplers.length ? `“Automatic” means it for ${samplers.join(", ")}` : "Chosen by its name";
    if (drawn) button.append(make("small", { textContent: "drew it" }));
    button.addEventListener("click", () => {
      if (!seen.delete(each)) seen.add(each);
      button.setAttribute("aria-pressed", String(seen.has(each)));
      draw();
    });
    return button;
  };
  names.replaceChildren(...first.curves.map(name));
  draw();
  return {
    root: make("figure", { className: "inside-figure" }, drawing, names, make("figcaption", { className: "inside-note", textContent: first.skipped ? `${first.planned} steps were planned and the last ${steps} ran, as the picture began with another one.` : "" })),
    show: (next) => ((schedule = next), draw()),
    mark: (sigma) => ((marked = sigma), draw()),
  };
};
