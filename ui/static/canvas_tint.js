// How a mask is seen on a picture: a hatch, whose stripes are light on one side and dark on the other, on a tint that is far from the
// colours under it; and two lines along its edge, one black where the other is white, so that one stands out from any colour (at least
// 4.5:1). Their dashes move, unless the person asked for less motion.
import { emit, on, surface, tile } from "./dom.js";

const STRIPES = 14; // CSS pixels from one to the next, along an edge of the screen
const [GROUND, STRIPE] = [0.25, 0.8]; // shares of the tint between the stripes, and of what a stripe is made of
const GRID = 48; // cells across the small picture that is compared with
const DASH = 6; // CSS pixels
export const STEP = 140; // milliseconds until the line has moved on
const KEY = "atelier.tint";
const COLORS = ["#a8482a", "#1f5fd0", "#128a3f", "#c026a8", "#f2c400", "#00a5b8"];

export const rgb = (hex) => [1, 3, 5].map((place) => parseInt(hex.trim().slice(place, place + 2), 16) || 0);
// How different two colours look; after Riemersma, https://www.compuphase.com/cmetric.htm.
/** @param {ArrayLike<number>} one @param {ArrayLike<number>} other */
const apart = ({ 0: r, 1: g, 2: b }, { 0: red, 1: green, 2: blue }) => {
  const mean = (r + red) / 2;
  return Math.sqrt((2 + mean / 256) * (r - red) ** 2 + 4 * (g - green) ** 2 + (2 + (255 - mean) / 256) * (b - blue) ** 2);
};
const still = matchMedia("(prefers-reduced-motion: reduce)");

// The colour that a person chose for all masks of this browser; "": the one that suits the picture.
const chosen = () => {
  try {
    const kept = localStorage.getItem(KEY) ?? "";
    return /^#[0-9a-f]{6}$/i.test(kept) ? kept : "";
  } catch {
    return "";
  }
};
export const choose = (color) => {
  try {
    if (color) localStorage.setItem(KEY, color);
    else localStorage.removeItem(KEY);
  } catch {
    // It holds for this page.
  }
  emit("tint", { color });
};

export class Tint {
  wanted = chosen();
  suited = COLORS[0];
  /** The picture, GRID pixels a side. @type {Uint8ClampedArray | null} */
  small = null;
  /** Where the lines are. @type {{ x: number, y: number, width: number, height: number } | null} */
  area = null;
  line = surface(1, 1);
  inner = surface(1, 1);
  ants = surface(1, 1);
  standing = surface(1, 1);
  /** @type {{ name: string, tile: HTMLCanvasElement } | null} */
  striped = null;
  /** @type {HTMLCanvasElement | null} */
  tile = null;

  // `again` is called when what is shown is to be drawn anew.
  constructor(again) {
    on("tint", (detail) => ((this.wanted = detail.color), again()));
  }

  get color() {
    return this.wanted || this.suited;
  }

  look(picture) {
    this.suited = COLORS[0];
    this.small = null;
    if (!picture) return;
    const context = surface(GRID, GRID).getContext("2d", { willReadFrequently: true });
    context.drawImage(picture.image, 0, 0, GRID, GRID);
    this.small = context.getImageData(0, 0, GRID, GRID).data;
  }

  // The colour that is farthest from what lies under the mask; what is shown stays where it is about as good.
  suit(layer, inverted) {
    if (!this.small || this.wanted) return;
    const sums = COLORS.map(() => 0);
    for (let place = 0; place < GRID * GRID; place += 1) {
      const [x, y] = [((place % GRID) + 0.5) / GRID, (Math.floor(place / GRID) + 0.5) / GRID];
      const cell = layer.cells[Math.floor(y * layer.height) * layer.width + Math.floor(x * layer.width)];
      if (inverted ? cell > 127 : cell < 128) continue;
      const under = this.small.subarray(4 * place, 4 * place + 3);
      COLORS.forEach((color, index) => (sums[index] += Math.min(250, apart(rgb(color), under))));
    }
    const best = Math.max(...sums);
    if (sums[COLORS.indexOf(this.suited)] < 0.8 * best) this.suited = COLORS[sums.indexOf(best)];
  }

  // How much of each pixel is masked, as opacity.
  shares(values, width, height, inverted) {
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let index = 0; index < values.length; index += 1) pixels[index] = (inverted ? 255 - values[index] : values[index]) << 24;
    return image;
  }

  // Puts the hatch in the place of what is opaque in a region; it keeps its place on the picture, which lies at (x, y).
  hatch(context, { x: left, y: top, dpr }, { x, y, width, height }) {
    const stripes = context.createPattern(this.stripes(Math.round(STRIPES * dpr)), "repeat");
    stripes.setTransform(new DOMMatrix().translate(Math.round(left), Math.round(top)));
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    context.globalCompositeOperation = "source-in";
    context.fillStyle = stripes;
    context.fillRect(x, y, width, height);
    context.restore();
  }

  stripes(long) {
    const name = `${this.color} ${long}`;
    if (this.striped?.name === name) return this.striped.tile;
    const [red, green, blue] = rgb(this.color);
    const lines = { [`rgb(255 255 255 / ${STRIPE})`]: 0, [`rgb(0 0 0 / ${STRIPE})`]: long / 4 };
    const made = tile(long, (ink) => {
      ink.fillStyle = `rgb(${red} ${green} ${blue} / ${GROUND})`;
      ink.fillRect(0, 0, long, long);
      ink.lineWidth = long / 4 / Math.SQRT2;
      for (const [color, beside] of Object.entries(lines)) {
        ink.strokeStyle = color;
        ink.beginPath();
        for (const shift of [-long, 0, long]) {
          ink.moveTo(shift + beside - long, 2 * long);
          ink.lineTo(shift + beside + long, 0);
        }
        ink.stroke();
      }
    });
    this.striped = { name, tile: made };
    return made;
  }

  // What `ink` gives for a pixel along the edge, of two lines side by side: the outer and the inner one. True when there are any.
  edge(values, width, dpr, ink) {
    const wide = Math.max(1, Math.round(1.5 * dpr));
    const [up, margin, end] = [wide * width, 2 * wide * width, values.length - 2 * wide * width];
    let any = false;
    for (let index = margin; index < end; index += 1) {
      if (values[index] < 128) continue;
      const outer = values[index - wide] < 128 || values[index + wide] < 128 || values[index - up] < 128 || values[index + up] < 128;
      const [near, far] = [2 * wide, margin];
      if (!outer && values[index - near] > 127 && values[index + near] > 127 && values[index - far] > 127 && values[index + far] > 127) continue;
      ink(index, !outer);
      any = true;
    }
    return any;
  }

  // While somebody paints: the dashes stand. (x, y): where the values lie in the view.
  dashes(values, { x, y, width, height }, dpr) {
    const long = Math.round(DASH * dpr);
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    this.edge(values, width, dpr, (index, inner) => {
      const dark = Math.floor((x + (index % width) + y + Math.floor(index / width)) / long) % 2 !== 0;
      pixels[index] = dark === inner ? 0xffffffff : 0xff000000;
    });
    if (this.standing.width !== width || this.standing.height !== height) Object.assign(this.standing, { width, height });
    this.standing.getContext("2d").putImageData(image, 0, 0);
    return this.standing;
  }

  // At rest: the lines are kept as shapes, to be filled with dashes that move. `bounds`: where they may be seen, {x, y, width, height}.
  trace(values, { x, y, width, height }, bounds, dpr) {
    const [both, inner] = [new ImageData(width, height), new ImageData(width, height)];
    const [all, some] = [both, inner].map((image) => new Uint32Array(image.data.buffer));
    const any = this.edge(values, width, dpr, (index, within) => {
      all[index] = 0xffffffff;
      if (within) some[index] = 0xffffffff;
    });
    this.area = any ? bounds : null;
    if (!any) return;
    for (const canvas of [this.line, this.inner, this.ants]) Object.assign(canvas, { width: bounds.width, height: bounds.height });
    this.line.getContext("2d").putImageData(both, x - bounds.x, y - bounds.y);
    this.inner.getContext("2d").putImageData(inner, x - bounds.x, y - bounds.y);
  }

  march(context, dpr) {
    if (!this.area) return;
    const long = Math.round(DASH * dpr);
    const ants = this.ants.getContext("2d");
    const dashes = ants.createPattern(this.pattern(long), "repeat");
    const on = still.matches ? 0 : Math.floor(performance.now() / STEP) % long;
    dashes.setTransform(new DOMMatrix().translate(2 * on - this.area.x, -this.area.y));
    ants.globalCompositeOperation = "copy";
    ants.fillStyle = dashes;
    ants.fillRect(0, 0, this.ants.width, this.ants.height);
    ants.globalCompositeOperation = "difference"; // the inner line is turned over
    ants.drawImage(this.inner, 0, 0);
    ants.globalCompositeOperation = "destination-in"; // what is beside the lines goes
    ants.drawImage(this.line, 0, 0);
    context.drawImage(this.ants, this.area.x, this.area.y);
  }

  // Slanted stripes.
  pattern(long) {
    if (this.tile?.width === 2 * long) return this.tile;
    this.tile = surface(2 * long, 2 * long);
    const image = new ImageData(2 * long, 2 * long);
    const pixels = new Uint32Array(image.data.buffer);
    pixels.forEach((_, index) => (pixels[index] = Math.floor(((index % (2 * long)) + Math.floor(index / (2 * long))) / long) % 2 ? 0xff000000 : 0xffffffff));
    this.tile.getContext("2d").putImageData(image, 0, 0);
    return this.tile;
  }

  get moves() {
    return !!this.area && !still.matches;
  }
}

