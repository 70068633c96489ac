// What is drawn under and over the picture in the view: squares, the frame of an outpainting, and the box of what a run will draw, with its sentence.
import { rgb } from "./canvas_tint.js";
import { tile } from "./dom.js";
import { limit } from "./numbers.js";

// Where a picture is transparent.
export const squares = tile(24, (context) => {
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, 24, 24);
  context.fillStyle = "#d9d9d9";
  context.fillRect(0, 0, 12, 12);
  context.fillRect(12, 12, 12, 12);
});

const accent = (view) => rgb(getComputedStyle(view.canvas).getPropertyValue("--accent") || "#a8482a");

export const drawFrame = (view) => {
  const { context } = view;
  const { left, top, width, height } = view.extent();
  /** @type {[number, number, number, number]} */
  const outer = [view.x + left * view.scale, view.y + top * view.scale, width * view.scale, height * view.scale];
  /** @type {[number, number, number, number]} */
  const inner = [view.x, view.y, view.picture.width * view.scale, view.picture.height * view.scale];
  const hatch = tile(12, (ink) => {
    ink.strokeStyle = `rgb(${accent(view).join(" ")} / 0.5)`;
    ink.lineWidth = 1.5;
    for (const shift of [-12, 0, 12]) {
      ink.moveTo(shift, 12);
      ink.lineTo(shift + 12, 0);
    }
    ink.stroke();
  });
  context.beginPath();
  context.rect(...outer);
  context.rect(...inner);
  context.fillStyle = context.createPattern(hatch, "repeat");
  if (!view.candidate) context.fill("evenodd");
  context.strokeStyle = `rgb(${accent(view).join(" ")})`;
  context.lineWidth = view.dpr;
  context.strokeRect(...outer);
};

export const drawBox = (view) => {
  const { context, dpr } = view;
  const [left, top, right, bottom] = view.box;
  /** @type {[number, number, number, number]} */
  const place = [view.x + left * view.scale, view.y + top * view.scale, (right - left) * view.scale, (bottom - top) * view.scale];
  context.lineWidth = 1.5 * dpr;
  for (const [color, dash] of Object.entries({ "#000000a0": [], "#ffffff": [6 * dpr, 5 * dpr] })) {
    context.strokeStyle = color;
    context.setLineDash(dash);
    context.strokeRect(...place);
  }
  context.setLineDash([]);
  if (view.sentence) drawLabel(view, place[0], place[1]);
};

const drawLabel = (view, x, y) => {
  const { context, dpr } = view;
  context.font = `${12 * dpr}px system-ui, sans-serif`;
  const room = view.width - 16 * dpr;
  let words = view.sentence;
  while (words.length > 4 && context.measureText(words).width > room) words = `${words.slice(0, -2).trimEnd()}…`;
  const width = context.measureText(words).width + 12 * dpr;
  const height = 20 * dpr;
  const left = limit(x, 4 * dpr, Math.max(4 * dpr, view.width - width - 4 * dpr));
  const top = limit(y - height - 2 * dpr, 4 * dpr, view.height - height - 4 * dpr);
  context.fillStyle = "#000000b8";
  context.beginPath();
  context.roundRect(left, top, width, height, 5 * dpr);
  context.fill();
  context.fillStyle = "#ffffff";
  context.textBaseline = "middle";
  context.fillText(words, left + 6 * dpr, top + height / 2);
};
