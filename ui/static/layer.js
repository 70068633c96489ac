// A layer of the paint canvas: what is painted, its tiles, and what undo keeps of them. There is no drawing surface of the browser in it,
// so each value is known exactly. Coordinates are picture pixels; the pixel (x, y) has its centre at (x + 0.5, y + 0.5).

export const TILE = 256;
const MOST_STEPS = 100;
const MOST_BYTES = 300e6;

/** One number a pixel. @typedef {Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>} Cells */
/** What a tile holds: a plain number when all its pixels are the same. @typedef {number | Cells} Content */
/** @typedef {Map<number, Content>} Tiles */

// One byte a pixel (a mask, 0..255), or four (a drawing: RGBA, straight alpha). `cells` has one number a pixel in either case.
export class Layer {
  /** @param {number} width @param {number} height */
  constructor(width, height, channels = 1) {
    this.width = width;
    this.height = height;
    this.channels = channels;
    /** @type {Cells} */
    this.cells = channels === 1 ? new Uint8Array(width * height) : new Uint32Array(width * height);
    this.bytes = new Uint8Array(this.cells.buffer);
    this.across = Math.ceil(width / TILE);
    this.tiles = this.across * Math.ceil(height / TILE);
  }

  // Room for so many cells of its kind.
  sheet(length) {
    return this.channels === 1 ? new Uint8Array(length) : new Uint32Array(length);
  }

  area(tile) {
    const left = (tile % this.across) * TILE;
    const top = Math.floor(tile / this.across) * TILE;
    return { left, top, right: Math.min(left + TILE, this.width), bottom: Math.min(top + TILE, this.height) };
  }

  /** A copy of one tile. @param {number} tile @returns {Content} */
  take(tile) {
    const { left, top, right, bottom } = this.area(tile);
    const copy = this.sheet((right - left) * (bottom - top));
    for (let y = top, to = 0; y < bottom; y += 1, to += right - left) {
      copy.set(this.cells.subarray(y * this.width + left, y * this.width + right), to);
    }
    return copy.every((cell) => cell === copy[0]) ? copy[0] : copy;
  }

  /** @param {number} tile @param {Content} content */
  put(tile, content) {
    const { left, top, right, bottom } = this.area(tile);
    for (let y = top, from = 0; y < bottom; y += 1, from += right - left) {
      const row = this.cells.subarray(y * this.width + left, y * this.width + right);
      if (typeof content === "number") row.fill(content);
      else row.set(content.subarray(from, from + right - left));
    }
  }

  // What is painted: [left, top, right, bottom], right and bottom exclusive; null when nothing is.
  // The box of what is painted; with `inverse`, of what is not wholly painted. Null: there is none.
  bounds(inverse = false) {
    const { width, height, cells } = this;
    const masked = inverse ? (cell) => cell < 255 : (cell) => cell > 0;
    const painted = this.channels === 1 ? masked : (cell) => cell >>> 24 > 0;
    const row = (y) => cells.subarray(y * width, (y + 1) * width);
    let top = 0;
    while (top < height && !row(top).some(painted)) top += 1;
    if (top === height) return null;
    let bottom = height;
    while (!row(bottom - 1).some(painted)) bottom -= 1;
    let left = width;
    let right = 0;
    for (let y = top; y < bottom; y += 1) {
      const start = y * width;
      for (let x = 0; x < left; x += 1) if (painted(cells[start + x])) left = x;
      for (let x = width - 1; x >= right; x -= 1) if (painted(cells[start + x])) right = x + 1;
    }
    return [left, top, right, bottom];
  }

  isFull() {
    return this.channels === 1 && this.cells.every((cell) => cell === 255);
  }
}

// ---- undo: each entry holds the tiles as they were -----------------------------------------------------------------------

export const cost = (tiles) => {
  let bytes = 0;
  for (const content of tiles.values()) bytes += typeof content === "number" ? 64 : content.byteLength;
  return bytes;
};

// Puts tiles back and returns those that they replace.
export const exchange = (layer, tiles) => {
  /** @type {Tiles} */
  const former = new Map();
  for (const [tile, content] of tiles) {
    former.set(tile, layer.take(tile));
    layer.put(tile, content);
  }
  return former;
};

// Does something to a whole layer and returns the tiles that it changed, as they were.
export const remember = (layer, change) => {
  const before = pack(layer).tiles;
  change(layer.cells);
  const same = (one, other) =>
    typeof one === "number" || typeof other === "number" ? one === other : one.every((cell, index) => cell === other[index]);
  for (const [tile, content] of before) if (same(content, layer.take(tile))) before.delete(tile);
  return before;
};

// A layer as tiles, which is small where little is painted.
export const pack = (layer) => {
  /** @type {Tiles} */
  const tiles = new Map();
  for (let tile = 0; tile < layer.tiles; tile += 1) tiles.set(tile, layer.take(tile));
  return { width: layer.width, height: layer.height, channels: layer.channels, tiles };
};

export const unpack = (packed) => {
  const layer = new Layer(packed.width, packed.height, packed.channels);
  for (const [tile, content] of packed.tiles) if (content !== 0) layer.put(tile, content);
  return layer;
};

// Steps back and forth. An entry is anything with a `bytes`; whoever steps gives the entry that leads the other way.
export class History {
  /** @type {any[]} */
  past = [];
  /** @type {any[]} */
  future = [];

  push(entry) {
    this.past.push(entry);
    this.future = [];
    let bytes = this.past.reduce((sum, { bytes }) => sum + bytes, 0);
    while (this.past.length > MOST_STEPS || (bytes > MOST_BYTES && this.past.length > 1)) bytes -= this.past.shift().bytes;
  }
}
