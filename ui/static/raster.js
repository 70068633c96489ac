// Pixels of the paint canvas without any drawing surface of the browser, so that each value is known exactly:
// layers, strokes, tiles for undo, PNG files. Coordinates are picture pixels; the pixel (x, y) has its centre at (x + 0.5, y + 0.5).
window.atelier = window.atelier || {};
(() => {
  const TILE = 256;
  const MOST_STEPS = 100;
  const MOST_BYTES = 300e6;

  // The share, 0..1, of a brush at a distance from its path: full within `hardness` of the radius, then a smooth fall to 0 at the
  // radius. The fall is at least one pixel wide, across the radius, so that a hard brush has a smooth edge.
  const coverage = (distance, radius, hardness) => {
    const inner = Math.max(0, Math.min(hardness * radius, radius - 0.5));
    const outer = Math.max(radius, inner + 1);
    const share = Math.min(1, Math.max(0, (outer - distance) / (outer - inner)));
    return share * share * (3 - 2 * share);
  };

  // One byte a pixel (a mask, 0..255), or four (a drawing: RGBA, straight alpha). `cells` has one number a pixel in either case.
  class Layer {
    constructor(width, height, channels = 1) {
      Object.assign(this, { width, height, channels });
      this.cells = channels === 1 ? new Uint8Array(width * height) : new Uint32Array(width * height);
      this.bytes = new Uint8Array(this.cells.buffer);
      this.across = Math.ceil(width / TILE);
      this.tiles = this.across * Math.ceil(height / TILE);
    }

    area(tile) {
      const left = (tile % this.across) * TILE;
      const top = Math.floor(tile / this.across) * TILE;
      return { left, top, right: Math.min(left + TILE, this.width), bottom: Math.min(top + TILE, this.height) };
    }

    // A copy of one tile: a plain number when all its pixels are the same.
    take(tile) {
      const { left, top, right, bottom } = this.area(tile);
      const copy = new this.cells.constructor((right - left) * (bottom - top));
      for (let y = top, to = 0; y < bottom; y += 1, to += right - left) {
        copy.set(this.cells.subarray(y * this.width + left, y * this.width + right), to);
      }
      return copy.every((cell) => cell === copy[0]) ? copy[0] : copy;
    }

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

  const cost = (tiles) => {
    let bytes = 0;
    for (const content of tiles.values()) bytes += typeof content === "number" ? 64 : content.byteLength;
    return bytes;
  };

  // Puts tiles back and returns those that they replace.
  const exchange = (layer, tiles) => {
    const former = new Map();
    for (const [tile, content] of tiles) {
      former.set(tile, layer.take(tile));
      layer.put(tile, content);
    }
    return former;
  };

  // Does something to a whole layer and returns the tiles that it changed, as they were.
  const remember = (layer, change) => {
    const before = pack(layer).tiles;
    change(layer.cells);
    const same = (one, other) =>
      typeof one === "number" || typeof other === "number" ? one === other : one.every((cell, index) => cell === other[index]);
    for (const [tile, content] of before) if (same(content, layer.take(tile))) before.delete(tile);
    return before;
  };

  // A layer as tiles, which is small where little is painted.
  const pack = (layer) => {
    const tiles = new Map();
    for (let tile = 0; tile < layer.tiles; tile += 1) tiles.set(tile, layer.take(tile));
    return { width: layer.width, height: layer.height, channels: layer.channels, tiles };
  };

  const unpack = (packed) => {
    const layer = new Layer(packed.width, packed.height, packed.channels);
    for (const [tile, content] of packed.tiles) if (content !== 0) layer.put(tile, content);
    return layer;
  };

  // Steps back and forth. An entry is anything with a `bytes`; whoever steps gives the entry that leads the other way.
  class History {
    past = [];
    future = [];

    push(entry) {
      this.past.push(entry);
      this.future = [];
      let bytes = this.past.reduce((sum, { bytes }) => sum + bytes, 0);
      while (this.past.length > MOST_STEPS || (bytes > MOST_BYTES && this.past.length > 1)) bytes -= this.past.shift().bytes;
    }
  }

  // ---- strokes -------------------------------------------------------------------------------------------------------------

  // One stroke: a chain of capsules. Within it the greatest coverage of each pixel counts, so crossing itself adds nothing.
  class Stroke {
    constructor(layer, { erase = false, hardness = 1, color = 0xff000000 }) {
      Object.assign(this, { layer, erase, hardness, color });
      this.tiles = new Map(); // as they were before the stroke
      this.covers = new Map(); // of a drawing: the greatest coverage so far
      this.last = null;
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
      const limit = (value, most) => Math.min(most, Math.max(0, value));
      const top = limit(Math.floor(Math.min(from.y, to.y) - reach), layer.height);
      const bottom = limit(Math.ceil(Math.max(from.y, to.y) + reach), layer.height);
      const steady = from.radius === to.radius;
      const inner = Math.max(0, Math.min(hardness * from.radius, from.radius - 0.5));
      const outer = Math.max(from.radius, inner + 1);
      for (let row = top; row < bottom; row += 1) {
        const y = row + 0.5;
        // The part of the path that comes near this row bounds the columns.
        let [first, last] = [0, 1];
        if (Math.abs(dy) > 1e-9) {
          const ends = [(y - reach - from.y) / dy, (y + reach - from.y) / dy];
          first = limit(Math.min(...ends), 1);
          last = limit(Math.max(...ends), 1);
        }
        const [one, other] = [from.x + dx * first, from.x + dx * last];
        const left = limit(Math.floor(Math.min(one, other) - reach), layer.width);
        const right = limit(Math.ceil(Math.max(one, other) + reach), layer.width);
        if (left < right) this.reserve(row, left, right);
        for (let column = left; column < right; column += 1) {
          const x = column + 0.5;
          const along = length ? limit(((x - from.x) * dx + (y - from.y) * dy) / length, 1) : 0;
          const [ex, ey] = [x - from.x - along * dx, y - from.y - along * dy];
          const distance = Math.sqrt(ex * ex + ey * ey);
          if (steady && distance >= outer) continue;
          const share = steady && distance <= inner ? 1 : coverage(distance, from.radius + along * (to.radius - from.radius), hardness);
          const cover = Math.round(255 * share);
          if (cover) this.mark(row * layer.width + column, column, row, cover);
        }
      }
      const left = limit(Math.floor(Math.min(from.x, to.x) - reach), layer.width);
      const right = limit(Math.ceil(Math.max(from.x, to.x) + reach), layer.width);
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
  const over = (under, color, cover) => {
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

  // ---- the picture with the drawing on it ----------------------------------------------------------------------------------

  // Lays a drawing over RGBA bytes of the same size, in place.
  const flatten = (bytes, layer) => {
    const under = new Uint32Array(bytes.buffer, bytes.byteOffset, layer.cells.length);
    for (let index = 0; index < under.length; index += 1) {
      const cell = layer.cells[index];
      if (cell >>> 24) under[index] = over(under[index], cell, cell >>> 24);
    }
    return bytes;
  };

  const withoutAlpha = (bytes) => {
    for (let place = 3; place < bytes.length; place += 4) if (bytes[place] !== 255) return null;
    const plain = new Uint8Array((bytes.length / 4) * 3);
    for (let from = 0, to = 0; from < bytes.length; from += 4, to += 3) {
      plain[to] = bytes[from];
      plain[to + 1] = bytes[from + 1];
      plain[to + 2] = bytes[from + 2];
    }
    return plain;
  };

  // ---- PNG, written here: a browser that blurs what pages read off a canvas would change the mask --------------------------

  const CRC = Uint32Array.from({ length: 256 }, (_, number) => {
    for (let bit = 0; bit < 8; bit += 1) number = number & 1 ? 0xedb88320 ^ (number >>> 1) : number >>> 1;
    return number >>> 0;
  });
  const crc = (bytes) => {
    let sum = 0xffffffff;
    for (const byte of bytes) sum = CRC[(sum ^ byte) & 255] ^ (sum >>> 8);
    return (sum ^ 0xffffffff) >>> 0;
  };

  const piped = async (bytes, stream) => new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
  const deflate = (bytes) => piped(bytes, new CompressionStream("deflate"));
  const inflate = (bytes) => piped(bytes, new DecompressionStream("deflate"));

  const chunk = (name, content) => {
    const bytes = new Uint8Array(12 + content.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, content.length);
    for (let place = 0; place < 4; place += 1) bytes[4 + place] = name.charCodeAt(place);
    bytes.set(content, 8);
    view.setUint32(8 + content.length, crc(bytes.subarray(4, 8 + content.length)));
    return bytes;
  };

  // 1 (grey), 3 or 4 bytes a pixel. Colours are stored as differences to the left neighbour, which packs photographs better.
  const png = async (width, height, channels, bytes) => {
    const step = channels === 1 ? 0 : channels;
    const line = width * channels;
    const rows = new Uint8Array(height * (line + 1));
    for (let y = 0; y < height; y += 1) {
      const [from, to] = [y * line, y * (line + 1) + 1];
      rows[to - 1] = step ? 1 : 0;
      rows.set(bytes.subarray(from, from + line), to);
      if (step) for (let x = line - 1; x >= step; x -= 1) rows[to + x] -= bytes[from + x - step];
    }
    const head = new Uint8Array(13);
    const view = new DataView(head.buffer);
    view.setUint32(0, width);
    view.setUint32(4, height);
    head.set([8, { 1: 0, 3: 2, 4: 6 }[channels], 0, 0, 0], 8);
    const signature = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]);
    const parts = [signature, chunk("IHDR", head), chunk("IDAT", await deflate(rows)), chunk("IEND", new Uint8Array())];
    return new Blob(parts, { type: "image/png" });
  };

  atelier.raster = { TILE, Layer, Stroke, History, coverage, cost, exchange, remember, pack, unpack, over, flatten, withoutAlpha, png, deflate, inflate };
})();
