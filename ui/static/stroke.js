// Strokes on a layer, pixel by pixel, and colours over colours. Coordinates are those of layer.js; colours are 0xAABBGGRR, straight alpha.
import { TILE, exchange } from "./layer.js";
import { limit } from "./numbers.js";

// The share, 0..1, of a brush at a distance from its path: full within `hardness` of the radius, then a smooth fall to 0 at the
// radius. The fall is at least one pixel wide, across the radius, so that a hard brush has a smooth edge.
export const coverage = (distance, radius, hardness) => {
  const inner = Math.max(0, Math.min(hardness * radius, radius - 0.5));
  const outer = Math.max(radius, inner + 1);
  const share = limit((outer - distance) / (outer - inner), 0, 1);
  return share * share * (3 - 2 * share);
};

// One stroke: a chain of capsules. Within it the greatest coverage of each pixel counts, so crossing itself adds nothing.
export class Stroke {
  /** As they were before the stroke. @type {import("./layer.js").Tiles} */
  tiles = new Map();
  /** Of a drawing: the greatest coverage so far, by tile. @type {Map<number, Uint8Array>} */
  covers = new Map();
  /** @type {{ x: number, y: number, radius: number } | null} */
  last = null;
  /** @type {{ tile: number, covers: Uint8Array, before: import("./layer.js").Content, width: number } | null} */
  near = null;

  /** @param {import("./layer.js").Layer} layer */
  constructor(layer, { erase = false, hardness = 1, color = 0xff000000 }) {
    this.layer = layer;
    this.erase = erase;
    this.hardness = hardness;
    this.color = color;
  }

  // Goes on to a point; returns the rectangle of pixels that may have changed.
  to(x, y, radius) {
    const start = this.last ?? { x, y, radius };
    this.last = { x, y, radius };
    return this.capsule(start, this.last);
  }

  capsule(from, to) {
    const { layer, hardness } = this;
    const reach = Math.max(from.radius, to.radius) + 1;
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const length = dx * dx + dy * dy;
    const top = limit(Math.floor(Math.min(from.y, to.y) - reach), 0, layer.height);
    const bottom = limit(Math.ceil(Math.max(from.y, to.y) + reach), 0, layer.height);
    const steady = from.radius === to.radius;
    const inner = Math.max(0, Math.min(hardness * from.radius, from.radius - 0.5));
    const outer = Math.max(from.radius, inner + 1);
    for (let row = top; row < bottom; row += 1) {
      const y = row + 0.5;
      // The part of the path that comes near this row bounds the columns.
      let [first, last] = [0, 1];
      if (Math.abs(dy) > 1e-9) {
        const ends = [(y - reach - from.y) / dy, (y + reach - from.y) / dy];
        first = limit(Math.min(...ends), 0, 1);
        last = limit(Math.max(...ends), 0, 1);
      }
      const [one, other] = [from.x + dx * first, from.x + dx * last];
      const left = limit(Math.floor(Math.min(one, other) - reach), 0, layer.width);
      const right = limit(Math.ceil(Math.max(one, other) + reach), 0, layer.width);
      if (left < right) this.reserve(row, left, right);
      for (let column = left; column < right; column += 1) {
        const x = column + 0.5;
        const along = length ? limit(((x - from.x) * dx + (y - from.y) * dy) / length, 0, 1) : 0;
        const [ex, ey] = [x - from.x - along * dx, y - from.y - along * dy];
        const distance = Math.sqrt(ex * ex + ey * ey);
        if (steady && distance >= outer) continue;
        const share = steady && distance <= inner ? 1 : coverage(distance, from.radius + along * (to.radius - from.radius), hardness);
        const cover = Math.round(255 * share);
        if (cover) this.mark(row * layer.width + column, column, row, cover);
      }
    }
    const left = limit(Math.floor(Math.min(from.x, to.x) - reach), 0, layer.width);
    const right = limit(Math.ceil(Math.max(from.x, to.x) + reach), 0, layer.width);
    return { left, top, right, bottom };
  }

  reserve(row, left, right) {
    const start = Math.floor(row / TILE) * this.layer.across;
    for (let tile = start + Math.floor(left / TILE); tile <= start + Math.floor((right - 1) / TILE); tile += 1) {
      if (!this.tiles.has(tile)) this.tiles.set(tile, this.layer.take(tile));
    }
  }

  mark(index, column, row, cover) {
    const { cells, channels } = this.layer;
    if (channels === 4) this.tint(index, column, row, cover);
    else if (this.erase) cells[index] = Math.min(cells[index], 255 - cover);
    else if (cover > cells[index]) cells[index] = cover;
  }

  // A pixel of a drawing is laid anew over what was there before the stroke, with the greatest coverage so far.
  tint(index, column, row, cover) {
    const tile = Math.floor(row / TILE) * this.layer.across + Math.floor(column / TILE);
    if (this.near?.tile !== tile) this.near = this.turnTo(tile);
    const { covers, before, width } = this.near;
    const place = (row % TILE) * TILE + (column % TILE);
    if (cover <= covers[place]) return;
    covers[place] = cover;
    const under = typeof before === "number" ? before : before[(row % TILE) * width + (column % TILE)];
    this.layer.cells[index] = this.erase ? fade(under, cover) : over(under, this.color, cover);
  }

  turnTo(tile) {
    if (!this.covers.has(tile)) this.covers.set(tile, new Uint8Array(TILE * TILE));
    const { left, right } = this.layer.area(tile);
    return { tile, covers: this.covers.get(tile), before: this.tiles.get(tile), width: right - left };
  }

  cancel() {
    exchange(this.layer, this.tiles);
  }
}

const fade = (under, cover) => {
  const alpha = Math.round(((under >>> 24) * (255 - cover)) / 255);
  return alpha ? ((under & 0xffffff) | (alpha << 24)) >>> 0 : 0;
};

// A colour of that coverage over a colour; both 0xAABBGGRR with straight alpha.
export const over = (under, color, cover) => {
  if (cover === 255) return (color | 0xff000000) >>> 0;
  const top = cover / 255;
  const below = ((under >>> 24) / 255) * (1 - top);
  const alpha = top + below;
  let mixed = Math.round(alpha * 255) << 24;
  for (let shift = 0; shift < 24; shift += 8) {
    const channel = (((color >>> shift) & 255) * top + ((under >>> shift) & 255) * below) / alpha;
    mixed |= Math.round(channel) << shift;
  }
  return mixed >>> 0;
};

// Lays a drawing over RGBA bytes of the same size, in place.
export const flatten = (bytes, layer) => {
  const under = new Uint32Array(bytes.buffer, bytes.byteOffset, layer.cells.length);
  for (let index = 0; index < under.length; index += 1) {
    const cell = layer.cells[index];
    if (cell >>> 24) under[index] = over(under[index], cell, cell >>> 24);
  }
  return bytes;
};
