// A small sheet to paint on: brush, eraser, size, undo and redo, for mouse, pen and touch. What is painted with is the business of who
// makes it: greys in depth_pad.js, a region in region_pad.js. Pixels are those of layer.js, the view and the pointers those of the canvas.
import { Brush } from "./canvas_brush.js";
import { Journal } from "./canvas_journal.js";
import { Pointers } from "./canvas_pointers.js";
import { View } from "./canvas_view.js";
import { chord, typing } from "./keyboard.js";
import { History, cost, exchange, remember } from "./layer.js";
import { Stroke } from "./stroke.js";

const LARGEST = 2048; // pixels of a side; what is painted on a larger picture is scaled to it
const BRUSH = ["brush", "eraser", "size", "size-range", "hardness", "color", "swatches", "pressure"];

// The size of the sheet for a picture of this size.
export const fitted = (across, up) => {
  const share = Math.min(1, LARGEST / Math.max(across, up));
  return [Math.max(1, Math.round(across * share)), Math.max(1, Math.round(up * share))];
};

// `part` finds the elements of the pad by name: pad, sheet, canvas, cursor, undo, redo, done, and those of the brush. `keys`: further
// ones, chord -> act. What is painted is there again after a reload, under `name`, until `forget`. `turnTo`: opens another layer, whose
// stroke is undone or done again; without it, only those of the open one are.
export const paintPad = (part, name, keys = {}, turnTo = null) => {
  const journal = new Journal(name);
  const view = new View(part("canvas"));
  let layer = null;
  let history = new History();
  let stroke = null;
  let seen = null;
  let of = ""; // what is painted on

  const cursor = (event) => {
    seen = event && { clientX: event.clientX, clientY: event.clientY };
    part("pad").classList.toggle("pointed", !!seen);
    part("cursor").hidden = !seen;
    if (!seen) return;
    const box = part("sheet").getBoundingClientRect();
    const across = Math.max(2, (tool.size * view.scale) / view.dpr);
    const { style } = part("cursor");
    style.width = style.height = `${across}px`;
    style.transform = `translate(${seen.clientX - box.left - across / 2}px, ${seen.clientY - box.top - across / 2}px)`;
    style.setProperty("--core", `${((1 - tool.hardness / 100) * across) / 2}px`);
  };
  const tool = new Brush(Object.fromEntries(BRUSH.map((name) => [name, part(name)])), () => cursor(seen));

  // ---- strokes -------------------------------------------------------------------------------------------------------
  const steps = () => {
    part("undo").disabled = !history.past.length;
    part("redo").disabled = !history.future.length;
    part("done").disabled = !history.past.length;
  };
  const jot = (tiles) => {
    journal.touch(tiles.keys());
    journal.write({ layer, of, width: layer.width, height: layer.height });
  };
  const push = (tiles) => {
    jot(tiles);
    if (tiles.size) history.push({ tiles, bytes: cost(tiles), layer });
    steps();
  };
  const draw = (event) => {
    const { x, y } = view.toPicture(view.device(event));
    view.repaint(stroke.to(x, y, tool.radius(event)));
  };
  const start = (event) => {
    const erase = tool.erase || (event.buttons & 32) > 0; // the other end of a pen
    stroke = new Stroke(layer, { erase, hardness: tool.hardness / 100, color: tool.abgr() });
    view.painting = true;
    draw(event);
  };
  const end = (cancelled) => {
    if (!stroke) return;
    const { tiles } = stroke;
    if (cancelled) stroke.cancel();
    else push(tiles);
    stroke = null;
    view.painting = false;
    if (cancelled) view.repaint();
  };
  const step = (from, onto) => {
    end(false);
    const entry = from.pop();
    if (!entry) return;
    if (entry.layer !== layer) turnTo?.(entry.layer);
    const tiles = exchange(layer, entry.tiles);
    onto.push({ tiles, bytes: cost(tiles), layer });
    jot(tiles);
    view.repaint();
    steps();
  };
  // Does something to all cells, as one step.
  const edit = (change) => {
    end(false);
    push(remember(layer, change));
    view.repaint();
  };

  // ---- hands ---------------------------------------------------------------------------------------------------------
  new Pointers(view, { takes: () => true, start, on: (event) => stroke && draw(event), end, show: cursor });
  const ON = {
    brush: () => tool.setErase(false),
    eraser: () => tool.setErase(true),
    undo: () => step(history.past, history.future),
    redo: () => step(history.future, history.past),
  };
  for (const [name, act] of Object.entries(ON)) part(name).addEventListener("click", act);
  const KEY = {
    "ctrl+z": ON.undo, "ctrl+shift+z": ON.redo, "ctrl+y": ON.redo, b: ON.brush, e: ON.eraser, 0: () => view.fit(),
    "[": () => tool.setSize(Math.min(tool.size - 1, tool.size / 1.15)), "]": () => tool.setSize(Math.max(tool.size + 1, tool.size * 1.15)),
    ...keys,
  };
  part("pad").addEventListener("keydown", (event) => {
    const act = !typing(event.target) && KEY[chord(event)];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
  const measure = () => view.resize(part("sheet").clientWidth, part("sheet").clientHeight, window.devicePixelRatio || 1);
  new ResizeObserver(measure).observe(part("sheet"));
  window.addEventListener("pagehide", () => end(false));

  return {
    view, tool, edit, end,
    layer: () => layer,
    isTouched: () => history.past.some((entry) => entry.layer === layer),
    forget: () => journal.drop(true),
    // All that was painted before, on whichever layer, can be undone no more; or what was painted on this one.
    renew(gone = null) {
      const stays = (entry) => !!gone && entry.layer !== gone;
      [history.past, history.future] = [history.past.filter(stays), history.future.filter(stays)];
    },
    // `image`: a drawing surface of what lies below; `painted`: a layer of the same size; `what`: whose it is, as text. What was painted
    // on the same before a reload is a step on it. With `turnTo`, what was painted on other layers can still be undone.
    open(image, painted, what) {
      [layer, of] = [painted, what];
      if (!turnTo) history = new History();
      const draft = history.past.some((entry) => entry.layer === layer) ? null : journal.draft(of, layer);
      if (draft) push(remember(layer, (cells) => cells.set(draft.cells)));
      steps();
      measure();
      view.setPicture({ image, width: image.width, height: image.height }, layer);
      tool.suit(image);
      part("canvas").focus({ preventScroll: true });
    },
  };
};
