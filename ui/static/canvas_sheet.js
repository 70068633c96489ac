// What is on the paint canvas: the picture, what is painted on it, the steps that can be undone, and what the form and this browser's
// store know of it. Others set the hooks: what a stroke, the tools and the results to choose from do when something changes.
import { Journal } from "./canvas_journal.js";
import * as store from "./canvas_store.js";
import { emit, later, write } from "./dom.js";
import { History, Layer, cost, exchange, pack, remember, unpack } from "./layer.js";
import * as page from "./page.js";

const TELL = 150; // milliseconds after the last change until the page hears of it
const SAVE = 600; // and until it is kept

/** An empty canvas has neither id nor blob. @typedef {import("./canvas_view.js").Picture & { id: string, blob: Blob | null }} Shown */

const aside = (whole) => whole && { id: whole.id, blob: whole.blob, width: whole.width, height: whole.height };

export class Sheet {
  history = new History();
  /** @type {Shown | null} */
  picture = null;
  /** What is painted. @type {Layer | null} */
  layer = null;
  version = 0;
  kept = -1; // the version that this browser's store has
  clean = true; // the server has what is on the canvas
  stands = ""; // the value that belongs to what is on the canvas
  mask = ""; // the id of the mask that the request takes
  posted = 0; // bytes that were handed over before the last job
  restored = false; // from this browser's store, and not changed since

  /** Boxes over the picture. @type {import("./box_layer.js").BoxLayer | null} */
  boxing = null;

  // ---- hooks ----
  endStroke = () => {};
  refresh = () => {};
  installed = () => {};

  /** @param {Record<string, any>} props @param {import("./canvas_view.js").View} view */
  constructor(props, told, part, view) {
    const { kind, mode = "mask", held = "", most = 4096, over = false } = props.offers;
    this.kind = kind;
    this.mode = mode;
    this.over = over; // what comes of the picture lies over it, and is not drawn onto it
    this.held = held; // the id of the component that has the mask's id
    this.most = most; // picture pixels of a side
    this.props = props;
    this.told = told; // tells the form of another value
    this.part = part;
    this.view = view;
    this.journal = new Journal(kind);
    /** @type {Record<string, any>} */
    this.form = page.forms[kind] ?? {}; // a tab may be opened later than the page
    this.tell = later(TELL, () => this.painted());
    this.save = later(SAVE, () => this.inTurn(() => this.keep()));
  }

  get paints() {
    return this.mode !== "frame";
  }

  get sketches() {
    return this.mode === "sketch";
  }

  say(name, words = "") {
    write(this.part(name), words);
  }

  // ---- what takes a while happens one after the other ----

  line = Promise.resolve();
  waiting = 0;

  /** @param {() => any} act @returns {Promise<any>} */
  inTurn(act) {
    this.waiting += 1;
    const done = this.line.then(act).finally(() => (this.waiting -= 1));
    this.line = done.catch(() => {});
    return done;
  }

  // ---- the value and the mask's id ----

  setValue(id) {
    this.stands = id;
    if ((this.props.value || "") === id) return;
    this.props.value = id;
    this.told();
  }

  hold(id, again = false) {
    if (!this.held || (id === this.mask && !again)) return;
    this.mask = id;
    emit("hold", { id: this.held, value: id });
  }

  painted() {
    const { kind, layer } = this;
    const bounds = layer?.bounds() ?? null;
    const { width = 0, height = 0 } = this.picture ?? {};
    const inverse = this.mode === "mask" ? (layer?.bounds(true) ?? null) : null;
    page.tellPainted({ kind, width, height, bounds, inverse, full: !!bounds && layer.isFull() });
  }

  // ---- kept in this browser ----

  state() {
    const { picture, layer, stands, mask, clean } = this;
    return { picture: picture && { id: picture.id, width: picture.width, height: picture.height }, layer, sent: { value: stands, mask, clean } };
  }

  async keep() {
    const { kind, journal } = this;
    if (!this.picture) return journal.isMine() && store.forget(kind).then(() => !this.picture && journal.drop());
    const { scale, x, y, fitted } = this.view;
    store.look(kind, { scale, x, y, fitted });
    if (this.kept === this.version || !journal.isMine()) return null;
    this.kept = this.version;
    const stamp = journal.saving();
    const saved = await store.save(kind, { ...this.state(), stamp }, () => journal.isMine());
    return saved && journal.saved(stamp) && this.jot();
  }

  // At once, for a page that is reloaded or closed waits for nothing. What is too much for that begins to be kept at once.
  jot() {
    return this.journal.write(this.state()) || this.inTurn(() => this.keep());
  }

  changed(known = false) {
    this.version += 1;
    this.clean = known;
    this.restored = false;
    this.refresh();
    this.tell();
    this.jot();
    this.save();
  }

  // ---- changes that can be undone ----

  push(tiles) {
    this.journal.touch(tiles.keys());
    if (tiles.size) this.history.push({ tiles, bytes: cost(tiles) });
  }

  // Does something to all cells, as one step.
  edit(change, known = false) {
    if (!this.layer) return;
    this.endStroke();
    this.push(remember(this.layer, change));
    this.view.repaint();
    this.changed(known);
  }

  whole() {
    const { picture, layer, clean, stands, mask } = this;
    const packed = layer && pack(layer);
    const bytes = (picture?.blob?.size ?? 0) + (packed ? cost(packed.tiles) : 0);
    return { picture: aside(picture), packed, clean, stands, mask, bytes };
  }

  install(next, painted = null) {
    this.endStroke();
    const former = this.picture;
    this.journal.begin("");
    this.picture = next;
    this.layer = next && this.paints ? (painted ?? new Layer(next.width, next.height, this.sketches ? 4 : 1)) : null;
    this.view.setPicture(next, this.layer);
    this.installed();
    former?.image.close?.();
  }

  replace(next, painted = null) {
    this.endStroke();
    this.history.push(this.whole());
    this.install(next, painted);
    this.setValue(next?.id ?? "");
    this.changed();
  }

  back(entry, onto) {
    if (!entry.tiles) return this.turnBack(entry, onto);
    const tiles = exchange(this.layer, entry.tiles);
    onto.push({ tiles, bytes: cost(tiles) });
    this.journal.touch(tiles.keys());
    this.view.repaint();
    return this.changed();
  }

  // To another picture.
  async turnBack(entry, onto) {
    const former = await store.revive(entry.picture);
    onto.push(this.whole());
    this.install(former, entry.packed && unpack(entry.packed));
    this.setValue(entry.clean ? entry.stands : (former?.id ?? ""));
    if (entry.clean) this.hold(entry.mask);
    this.changed(entry.clean);
  }

  step(from, onto) {
    this.endStroke();
    const go = () => from.length && this.back(from.pop(), onto);
    if (this.waiting || !from.at(-1)?.tiles) return this.inTurn(go);
    return go();
  }

  undo() {
    return this.step(this.history.past, this.history.future);
  }

  redo() {
    return this.step(this.history.future, this.history.past);
  }
}
