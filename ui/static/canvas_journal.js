// What was painted last, written down the moment it is done: the browser's large store (canvas_store.js) takes a while and a page that
// is reloaded or closed does not wait for it. A journal holds the tiles that changed since that store was last filled, as they are now,
// in localStorage, which is written before the next line runs. Where it is full or forbidden, only the large store is left.
import { Layer } from "./layer.js";

const MOST = 2_000_000; // letters of one journal

// ---- tiles as text: runs of equal cells -----------------------------------------------------------------------------------
const runs = (content) => {
  const wide = content.BYTES_PER_ELEMENT;
  const bytes = [];
  for (let start = 0; start < content.length; ) {
    const cell = content[start];
    let end = start + 1;
    while (end < content.length && content[end] === cell) end += 1;
    for (let byte = 0; byte < wide; byte += 1) bytes.push((cell >>> (8 * byte)) & 255);
    for (let length = end - start; ; length >>>= 7) {
      bytes.push(length > 127 ? (length & 127) | 128 : length);
      if (length <= 127) break;
    }
    start = end;
  }
  return Uint8Array.from(bytes);
};
const cells = (bytes, content) => {
  const wide = content.BYTES_PER_ELEMENT;
  for (let place = 0, start = 0; place < bytes.length; ) {
    let [cell, length] = [0, 0];
    for (let byte = 0; byte < wide; byte += 1, place += 1) cell |= bytes[place] << (8 * byte);
    for (let shift = 0; ; shift += 7) {
      length |= (bytes[place] & 127) << shift;
      place += 1;
      if (bytes[place - 1] < 128) break;
    }
    content.fill(cell >>> 0, start, start + length);
    start += length;
  }
  return content;
};
const letters = (bytes) => {
  const parts = [];
  for (let place = 0; place < bytes.length; place += 8192) parts.push(String.fromCharCode(...bytes.subarray(place, place + 8192)));
  return btoa(parts.join(""));
};
const written = (content) => (typeof content === "number" ? content : letters(runs(content)));
const read = (layer, tile, text) => {
  if (typeof text === "number") return text;
  const { left, top, right, bottom } = layer.area(tile);
  return cells(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)), layer.sheet((right - left) * (bottom - top)));
};

const within = (act) => {
  try {
    return act(localStorage) ?? null;
  } catch {
    return null; // a private window, or no room
  }
};
const sign = () => `${Date.now().toString(36)}.${Math.random().toString(36).slice(2)}`;
const mine = sign(); // this page among others of the same studio

export class Journal {
  constructor(name) {
    this.key = `atelier.canvas.${name}`;
    this.mute = false; // what was painted last is not in it
    this.bases = [""]; // stamps of the large store on which it stands
    /** Tile -> its text. @type {Map<number, number | string>} */
    this.texts = new Map();
    /** Tiles since it was last written. @type {Set<number>} */
    this.changed = new Set();
    /** Tiles since the large store began to be filled. @type {Set<number> | null} */
    this.since = null;
    this.all = true;
  }

  // This page painted last, so what it has is the newest, and it fills the large store.
  isMine() {
    return this.mute || this.read()?.by === mine;
  }

  // Another page has filled the large store: what this one painted last no longer stands on it. True when it is to be written anew.
  overtaken({ key }) {
    if (key !== `${this.key}.stamp` || this.read()?.by !== mine) return false;
    this.begin("");
    return true;
  }

  // From here on: what the large store has under this stamp. "": nothing, so that every tile counts.
  begin(stamp) {
    Object.assign(this, { bases: [stamp], texts: new Map(), changed: new Set(), since: null, all: stamp === "" });
  }

  touch(tiles) {
    for (const tile of tiles) {
      this.changed.add(tile);
      this.since?.add(tile);
    }
  }

  // `state`: {layer or null, ...what belongs to it}. False when it could not be written.
  write({ layer, ...state }) {
    const [base] = this.bases;
    if (base !== "" && base !== within((store) => store.getItem(`${this.key}.stamp`))) this.begin(""); // another page has filled the store
    for (const tile of !layer ? [] : this.all ? Array(layer.tiles).keys() : this.changed) this.note(layer, tile);
    this.all = false;
    this.changed.clear();
    const text = JSON.stringify({ ...state, channels: layer?.channels ?? 0, bases: this.bases, by: mine, tiles: [...this.texts] });
    this.mute = text.length > MOST || !within((store) => (store.setItem(this.key, text), true));
    return !this.mute;
  }

  note(layer, tile) {
    const content = layer.take(tile);
    if (content !== 0 || !this.all) this.texts.set(tile, written(content));
  }

  // The large store is about to be filled under the stamp that is returned.
  saving() {
    const stamp = sign();
    this.bases = [this.bases[0], stamp];
    this.since = new Set();
    return stamp;
  }

  // It has it; true when there is more to be written since.
  saved(stamp) {
    within((store) => store.setItem(`${this.key}.stamp`, stamp));
    if (this.bases.at(-1) !== stamp) return false; // another picture came meanwhile, and its journal is whole
    const { since } = this;
    this.begin(stamp);
    this.changed = since;
    if (!since.size) this.drop();
    return since.size > 0;
  }

  // Only what this page wrote, for another one may have written since; or, `whoever`, in any case.
  drop(whoever = false) {
    if (whoever || this.read()?.by === mine) within((store) => store.removeItem(this.key));
  }

  read() {
    const told = within((store) => JSON.parse(store.getItem(this.key)));
    return told && Array.isArray(told.bases) && Array.isArray(told.tiles) ? told : null;
  }

  // The layer that a journal tells of, on what lies below it.
  layer(told, width, height, below = null) {
    const layer = below ?? new Layer(width, height, told.channels);
    for (const [tile, text] of told.tiles) layer.put(tile, read(layer, tile, text));
    return layer;
  }

  // The layer of a journal of this very thing, for a sheet that the large store does not know; null without one.
  draft(of, { width, height, channels }) {
    this.begin("");
    const told = this.read();
    const fits = told?.of === of && told.width === width && told.height === height && told.channels === channels;
    try {
      return fits ? this.layer(told, width, height) : null;
    } catch {
      return null;
    }
  }

  // The record of the large store with what was painted after it.
  onto(record) {
    const told = this.read();
    const stamp = record?.stamp ?? "";
    const whole = told?.bases[0] === "";
    this.begin(stamp);
    if (!told || !(whole || told.bases.includes(stamp))) return record;
    this.begin("");
    try {
      const { picture, sent, channels } = told;
      const layer = picture && channels ? this.layer(told, picture.width, picture.height, whole ? null : record.layer) : null;
      return { view: record?.view, picture, sent, layer, fresh: true };
    } catch {
      return record; // a journal that cannot be read
    }
  }
}

