// What the paint canvas shows: the picture at a zoom, the hatch of the mask or the drawing over it, the frame of an outpainting.
// The scaled picture and the scaled tint are kept at the size of the view; a stroke redraws only the part of the tint it touched.
// Lengths here are device pixels; `scale` is device pixels for a picture pixel.
import { covers, shown } from "./canvas_fit.js";
import { drawBox, drawFrame, squares } from "./canvas_marks.js";
import { scaledDrawing, scaledMask } from "./canvas_scaled.js";
import { STEP, Tint } from "./canvas_tint.js";
import { surface } from "./dom.js";
import { limit } from "./numbers.js";

const [LEAST, MOST] = [0.05, 32]; // scale
const SMOOTH_UP_TO = 2; // scale
const GAP = 8; // CSS pixels between the picture, when all of it is shown, and what is beside it
const REST = 250; // milliseconds without a change until the tint shows the blurred mask

/** A rectangle; right and bottom are not in it. @typedef {{ left: number, top: number, right: number, bottom: number }} Area */
/** @typedef {{ image: CanvasImageSource & { close?(): void }, width: number, height: number }} Picture */

export class View {
  back = surface(1, 1); // the picture at the size of the view
  tint = surface(1, 1); // what is painted on it

  // ---- where the picture lies, and how large it is shown ----
  scale = 1;
  x = 0;
  y = 0;
  dpr = 1;
  width = 0;
  height = 0;
  fitted = true;

  // ---- what is shown ----
  /** @type {Picture | null} */
  picture = null;
  /** The picture, its half, its quarter ... @type {CanvasImageSource[]} */
  levels = [];
  /** @type {import("./layer.js").Layer | null} */
  layer = null;
  /** @type {(Area & { image: CanvasImageSource }) | null} */
  candidate = null;
  /** A picture on its way, which lies over all of it. @type {(Area & { image: CanvasImageSource }) | null} */
  forming = null;
  /** What a run will draw: left, top, right, bottom. @type {number[] | null} */
  box = null;
  sentence = "";
  /** Of an outpainting, picture pixels beside the picture. @type {Area | null} */
  frame = null;
  blur = 0; // of the mask, in picture pixels
  inverted = false;

  // ---- what is to be drawn ----
  painting = false;
  rested = false; // the tint shows the blurred mask
  /** @type {Area | null} */
  dirty = null;
  stale = true;
  asked = 0; // the number of the next frame
  timer = 0;
  pace = 0;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.colors = new Tint(() => this.redraw());
    /** Elements that lie over the surface. @type {Element[]} */
    this.over = [];
    this.moved = () => {};
    this.suited = () => {}; // the colour of the mask may be another one
  }

  // ---- size and transform ----

  resize(across, up, dpr) {
    const [width, height] = [Math.round(across * dpr), Math.round(up * dpr)];
    if (!width || !height) return; // in a tab that is not shown
    if (width === this.width && height === this.height) return;
    if (this.width) {
      this.x += (width - this.width) / 2;
      this.y += (height - this.height) / 2;
    }
    Object.assign(this, { width, height, dpr });
    for (const canvas of [this.canvas, this.back, this.tint]) Object.assign(canvas, { width, height });
    if (this.fitted) this.fit();
    else this.change();
  }

  // The picture with the frame around it, in picture pixels.
  extent() {
    const { left = 0, right = 0, top = 0, bottom = 0 } = this.frame ?? {};
    const { width, height } = this.picture;
    return { left: -left, top: -top, width: width + left + right, height: height + top + bottom };
  }

  fit() {
    this.fitted = true;
    if (!this.picture || !this.width) return;
    const { left, top, width, height } = this.extent();
    const edge = (this.frame ? 24 : GAP) * this.dpr;
    const whole = { left: edge, top: edge, right: this.width - edge, bottom: this.height - edge };
    const { scale, x, y } = shown({ width, height }, whole, covers(this.canvas, this.over, this.dpr, GAP), MOST);
    Object.assign(this, { scale, x: x - left * scale, y: y - top * scale });
    this.change();
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    if (!this.picture) return;
    const next = limit(this.scale * factor, Math.min(LEAST, this.scale), MOST);
    this.x = x - ((x - this.x) * next) / this.scale;
    this.y = y - ((y - this.y) * next) / this.scale;
    this.scale = next;
    this.fitted = false;
    this.keepInSight();
    this.change();
  }

  pan(x, y) {
    if (!this.picture) return;
    this.x += x;
    this.y += y;
    this.fitted = false;
    this.keepInSight();
    this.change();
  }

  keepInSight() {
    const { left, top, width, height } = this.extent();
    const edge = 48 * this.dpr;
    const inside = (start, from, length, room) => limit(start, edge - (from + length) * this.scale, room - edge - from * this.scale);
    this.x = inside(this.x, left, width, this.width);
    this.y = inside(this.y, top, height, this.height);
  }

  // Where in the view a pointer is, and where in the picture.
  device(event) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    return { x: ((event.clientX - left) * this.width) / width, y: ((event.clientY - top) * this.height) / height };
  }

  toPicture({ x, y }) {
    return { x: (x - this.x) / this.scale, y: (y - this.y) / this.scale };
  }

  // ---- what is to be shown ----

  setPicture(picture, layer) {
    const same = picture && this.picture && picture.width === this.picture.width && picture.height === this.picture.height;
    Object.assign(this, { picture, layer, candidate: null, forming: null });
    this.levels = picture ? [picture.image] : [];
    this.colors.look(picture);
    // Halves of halves: a large picture is drawn small without reading all of it each time.
    for (let { width, height } = picture ?? {}; Math.max(width, height) > 1024; ) {
      [width, height] = [Math.ceil(width / 2), Math.ceil(height / 2)];
      const half = surface(width, height);
      half.getContext("2d").drawImage(this.levels.at(-1), 0, 0, width, height);
      this.levels.push(half);
    }
    if (same) this.change();
    else this.fit();
    this.redraw();
  }

  change() {
    this.moved();
    this.redraw();
  }

  redraw() {
    this.stale = true;
    this.rested = false;
    this.ask();
  }

  // A rectangle of the layer changed, in picture pixels; without one, all of it.
  repaint(rectangle) {
    if (!rectangle || this.rested) rectangle = { left: 0, top: 0, right: this.layer?.width ?? 0, bottom: this.layer?.height ?? 0 };
    const { left, top, right, bottom } = this.dirty ?? rectangle;
    this.dirty = {
      left: Math.min(left, rectangle.left), top: Math.min(top, rectangle.top),
      right: Math.max(right, rectangle.right), bottom: Math.max(bottom, rectangle.bottom),
    };
    this.rested = false;
    this.ask();
  }

  ask() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.rest(), REST);
    this.asked ||= requestAnimationFrame(() => this.draw());
  }

  // ---- drawing ----

  draw() {
    this.asked = 0;
    if (!this.width) return;
    if (this.stale) {
      this.drawPicture();
      this.tint.getContext("2d").clearRect(0, 0, this.width, this.height);
      this.drawLayer(this.onView(0, 0, this.layer?.width ?? 0, this.layer?.height ?? 0));
    } else if (this.dirty) {
      const { left, top, right, bottom } = this.dirty;
      this.drawLayer(this.onView(left, top, right, bottom));
    }
    this.stale = false;
    this.dirty = null;
    this.compose();
  }

  compose() {
    const { context } = this;
    context.clearRect(0, 0, this.width, this.height);
    context.drawImage(this.back, 0, 0);
    const over = this.forming ?? this.candidate;
    if (!over) context.drawImage(this.tint, 0, 0);
    if (!over && this.rested) this.march();
    if (this.picture && this.frame) drawFrame(this);
    if (this.picture && this.box) drawBox(this);
  }

  // The line around the mask, and a next look at it: where it moves, and somebody sees it.
  march() {
    this.colors.march(this.context, this.dpr);
    clearTimeout(this.pace);
    const next = () => (this.canvas.offsetParent && !document.hidden ? this.rested && this.compose() : (this.pace = setTimeout(next, 1000)));
    if (this.colors.moves) this.pace = setTimeout(next, STEP);
  }

  // The whole device pixels of a part of the picture, within the view.
  onView(left, top, right, bottom) {
    const x = limit(Math.floor(this.x + left * this.scale), 0, this.width);
    const y = limit(Math.floor(this.y + top * this.scale), 0, this.height);
    const width = limit(Math.ceil(this.x + right * this.scale), 0, this.width) - x;
    const height = limit(Math.ceil(this.y + bottom * this.scale), 0, this.height) - y;
    return { x, y, width, height };
  }

  drawPicture() {
    const context = this.back.getContext("2d");
    context.clearRect(0, 0, this.width, this.height);
    if (!this.picture) return;
    const { width, height } = this.picture;
    /** @type {[number, number, number, number]} */
    const place = [this.x, this.y, width * this.scale, height * this.scale];
    context.fillStyle = context.createPattern(squares, "repeat");
    context.fillRect(Math.ceil(this.x), Math.ceil(this.y), Math.floor(place[2]) - 1, Math.floor(place[3]) - 1); // not beyond its edge
    // As a whole it looks as the finished picture does; pixels are seen by who comes closer.
    context.imageSmoothingEnabled = this.scale <= SMOOTH_UP_TO || this.fitted;
    context.imageSmoothingQuality = "high";
    const level = limit(Math.floor(Math.log2(1 / this.scale) + 0.01), 0, this.levels.length - 1);
    context.drawImage(this.levels[level], ...place);
    const over = this.forming ?? this.candidate;
    if (!over) return;
    const { image, left, top, right, bottom } = over;
    context.drawImage(image, this.x + left * this.scale, this.y + top * this.scale, (right - left) * this.scale, (bottom - top) * this.scale);
  }

  drawLayer(region) {
    if (!this.layer || region.width <= 0 || region.height <= 0) return;
    const context = this.tint.getContext("2d");
    if (this.layer.channels === 4) return context.putImageData(scaledDrawing(this, region), region.x, region.y);
    const margin = 4 * Math.ceil(this.dpr); // whether a pixel is at the edge depends on those around it
    const wide = { x: region.x - margin, y: region.y - margin, width: region.width + 2 * margin, height: region.height + 2 * margin };
    const values = scaledMask(this, wide);
    const image = this.colors.shares(values, wide.width, wide.height, this.inverted);
    context.putImageData(image, wide.x, wide.y, margin, margin, region.width, region.height);
    this.colors.hatch(context, this, region);
    const line = this.colors.dashes(values, wide, this.dpr);
    context.drawImage(line, margin, margin, region.width, region.height, region.x, region.y, region.width, region.height);
  }

  // What will be blended: the mask after its blur, and the painted edge as a line.
  rest() {
    if (this.painting) return this.ask();
    if (!this.width || !this.layer || this.layer.channels !== 1 || this.candidate || this.rested) return;
    const seen = this.onView(0, 0, this.layer.width, this.layer.height);
    if (seen.width <= 0 || seen.height <= 0) return;
    this.rested = true;
    this.colors.suit(this.layer, this.inverted);
    this.suited();
    const sigma = this.blur * this.scale;
    const margin = Math.min(600, Math.ceil(3 * sigma) + 1);
    const wide = { x: seen.x - margin, y: seen.y - margin, width: seen.width + 2 * margin, height: seen.height + 2 * margin };
    const values = scaledMask(this, wide);
    const soft = surface(wide.width, wide.height);
    soft.getContext("2d").putImageData(this.colors.shares(values, wide.width, wide.height, this.inverted), 0, 0);
    const context = this.tint.getContext("2d");
    context.clearRect(0, 0, this.width, this.height);
    context.save();
    context.beginPath();
    context.rect(this.x, this.y, this.layer.width * this.scale, this.layer.height * this.scale);
    context.clip();
    if (sigma > 0) context.filter = `blur(${sigma}px)`;
    context.drawImage(soft, wide.x, wide.y);
    context.restore();
    this.colors.hatch(context, this, seen);
    this.colors.trace(values, wide, seen, this.dpr);
    this.compose();
  }
}
