// The brush and its controls.
import { make } from "./dom.js";
import { limit } from "./numbers.js";

const SIZE = 512; // the largest brush, in picture pixels

export class Brush {
  size = 1; // picture pixels
  hardness = 100; // per cent
  erase = false;
  pressure = true;
  color = "";
  chosen = false; // by a person
  /** Colours that were used. @type {string[]} */
  recent = [];

  constructor(parts, changed) {
    this.parts = parts;
    this.changed = changed;
    parts.size.addEventListener("change", () => this.setSize(Number(parts.size.value)));
    parts["size-range"].addEventListener("input", () => this.setSize(SIZE ** (parts["size-range"].value / 100)));
    parts.hardness.addEventListener("input", () => this.setHardness(Number(parts.hardness.value)));
    parts.color.addEventListener("input", () => this.setColor(parts.color.value));
    this.setErase(false);
    this.setPressure(true);
    this.setColor("#c4603a");
    this.setHardness(80);
    this.setSize(48);
    this.chosen = false;
  }

  // Until somebody chooses a size, the brush suits the picture.
  suit({ width, height }) {
    if (this.chosen) return;
    this.setSize(Math.max(width, height) / 10);
    this.chosen = false;
  }

  // Of a pen, the pressure counts.
  radius({ pointerType, pressure }) {
    return (this.size / 2) * (pointerType === "pen" && this.pressure ? 0.2 + 0.8 * pressure : 1);
  }

  setSize(size) {
    this.size = limit(Math.round(size) || 1, 1, SIZE);
    this.chosen = true;
    this.parts.size.value = this.size;
    this.parts["size-range"].value = (100 * Math.log(this.size)) / Math.log(SIZE);
    this.changed();
  }

  setHardness(share) {
    this.hardness = limit(Math.round(share) || 0, 0, 100);
    this.parts.hardness.value = this.hardness;
    this.changed();
  }

  setErase(erase) {
    this.erase = erase;
    this.parts.brush.setAttribute("aria-pressed", String(!erase));
    this.parts.eraser.setAttribute("aria-pressed", String(erase));
  }

  setPressure(pressure) {
    this.pressure = pressure;
    this.parts.pressure.setAttribute("aria-pressed", String(pressure));
  }

  setColor(color) {
    this.color = this.parts.color.value = color;
  }

  // The colour was used: it is among the recent ones.
  remember() {
    if (this.recent[0] === this.color) return;
    this.recent = [this.color, ...this.recent.filter((color) => color !== this.color)].slice(0, 6);
    this.parts.swatches.replaceChildren(...this.recent.map((color) => this.swatch(color)));
  }

  swatch(color) {
    const button = make("button", { type: "button", title: color });
    button.setAttribute("aria-label", `Colour ${color}`);
    button.style.background = color;
    button.addEventListener("click", () => this.setColor(color));
    return button;
  }

  // 0xAABBGGRR, as pixels are stored.
  abgr() {
    const [red, green, blue] = [1, 3, 5].map((place) => parseInt(this.color.slice(place, place + 2), 16));
    return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
  }

  static hex(color) {
    return `#${[0, 8, 16].map((shift) => ((color >>> shift) & 255).toString(16).padStart(2, "0")).join("")}`;
  }
}
