// Painting on the canvas: strokes of the brush, the colour under the pointer, and the circle that shows how large the brush is.
import { Brush } from "./canvas_brush.js";
import { Pointers } from "./canvas_pointers.js";
import * as store from "./canvas_store.js";
import { Stroke, over } from "./stroke.js";

const BRUSH = ["brush", "eraser", "size", "size-range", "hardness", "color", "swatches", "pressure"];

/** @param {import("./canvas_sheet.js").Sheet} sheet @param {import("./canvas_choices.js").Choices} choices */
export const painting = (sheet, choices) => {
  let stroke = null; // {id of its pointer, Stroke}
  let seen = null; // where the pointer was last
  const showCursor = (event) => {
    seen = event && { clientX: event.clientX, clientY: event.clientY };
    const shown = event && sheet.picture && sheet.layer && !sheet.boxing?.active;
    sheet.part("room").classList.toggle("pointed", !!shown);
    sheet.part("cursor").hidden = !shown;
    if (!shown) return;
    const box = sheet.part("box").getBoundingClientRect();
    const across = Math.max(2, (tool.size * sheet.view.scale) / sheet.view.dpr);
    const { style } = sheet.part("cursor");
    style.width = style.height = `${across}px`;
    style.transform = `translate(${event.clientX - box.left - across / 2}px, ${event.clientY - box.top - across / 2}px)`;
    style.setProperty("--core", `${((1 - tool.hardness / 100) * across) / 2}px`);
  };
  const tool = new Brush(Object.fromEntries(BRUSH.map((name) => [name, sheet.part(name)])), () => showCursor(seen));

  const draw = (event) => {
    const { x, y } = sheet.view.toPicture(sheet.view.device(event));
    sheet.view.repaint(stroke.drawn.to(x, y, tool.radius(event)));
  };
  const startStroke = (event) => {
    choices.choose(-1);
    const erase = tool.erase || (event.buttons & 32) > 0; // the other end of a pen
    const drawn = new Stroke(sheet.layer, { erase, hardness: tool.hardness / 100, color: tool.abgr() });
    stroke = { id: event.pointerId, drawn };
    sheet.view.painting = true;
    if (sheet.sketches && !erase) tool.remember();
    draw(event);
  };
  const endStroke = (cancelled = false) => {
    if (!stroke) return;
    const { drawn } = stroke;
    stroke = null;
    sheet.view.painting = false;
    if (cancelled) drawn.cancel();
    else sheet.push(drawn.tiles);
    if (!cancelled && drawn.tiles.size) sheet.changed();
    if (!cancelled) return;
    sheet.journal.touch(drawn.tiles.keys());
    sheet.kept = -1; // a part of the stroke may have been kept
    sheet.view.repaint();
    sheet.jot();
    sheet.save();
  };

  const pick = (event) => {
    const { x, y } = sheet.view.toPicture(sheet.view.device(event));
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (column < 0 || row < 0 || column >= sheet.picture.width || row >= sheet.picture.height) return;
    const under = store.pixel(sheet.picture, column, row);
    const cell = sheet.layer.cells[row * sheet.layer.width + column];
    const color = over(under, cell, cell >>> 24);
    tool.setColor(Brush.hex(color));
  };

  const acts = {
    takes: () => sheet.paints,
    start: (event) => (sheet.boxing?.active ? sheet.boxing.start(event) : press(event)),
    on: (event) => (sheet.boxing?.drawing ? sheet.boxing.move(event) : stroke && draw(event)),
    end: (cancelled) => (sheet.boxing?.drawing ? sheet.boxing.end(cancelled) : endStroke(cancelled)),
    show: showCursor,
  };
  const press = (event) => (event.altKey && sheet.sketches ? pick(event) : startStroke(event));
  const pointers = new Pointers(sheet.view, acts);
  sheet.endStroke = endStroke;
  return { tool, pointers, showCursor };
};
