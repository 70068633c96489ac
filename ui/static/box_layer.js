// Boxes over the paint canvas: each is moved and pulled by mouse, finger or keys, and a drag on the picture beside them makes a new one.
// The list of them is in boxes.js, which hears of every change.
import { emit, make, on } from "./dom.js";
import { limit } from "./numbers.js";

/** @typedef {{ left: number, top: number, right: number, bottom: number, prompt?: string, strength?: number }} Box */

const LEAST = 8; // picture pixels of a side
const FAR = 16; // picture pixels of a step with Shift
const SMALL = 48; // pixels of the screen: a shorter side has no room for a handle in its middle
const HANDLES = ["top left", "top", "top right", "right", "bottom right", "bottom", "bottom left", "left"];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// The box after some of its sides ("top left"; "" for all of them) were moved by so many picture pixels, within the picture.
export const pulled = (box, sides, x, y, { width, height }) => {
  if (!sides) {
    const across = limit(Math.round(x), -box.left, width - box.right);
    const down = limit(Math.round(y), -box.top, height - box.bottom);
    return { ...box, left: box.left + across, right: box.right + across, top: box.top + down, bottom: box.bottom + down };
  }
  const next = { ...box };
  const [least, tall] = [Math.min(LEAST, width), Math.min(LEAST, height)];
  if (sides.includes("left")) next.left = limit(Math.round(box.left + x), 0, box.right - least);
  if (sides.includes("right")) next.right = limit(Math.round(box.right + x), box.left + least, width);
  if (sides.includes("top")) next.top = limit(Math.round(box.top + y), 0, box.bottom - tall);
  if (sides.includes("bottom")) next.bottom = limit(Math.round(box.bottom + y), box.top + tall, height);
  return next;
};

// The box between two points of the picture; null where that is a click.
export const spanned = (one, other, { width, height }) => {
  const [left, right] = [one.x, other.x].map((x) => limit(Math.round(x), 0, width)).sort((low, high) => low - high);
  const [top, bottom] = [one.y, other.y].map((y) => limit(Math.round(y), 0, height)).sort((low, high) => low - high);
  return right - left >= Math.min(LEAST, width) && bottom - top >= Math.min(LEAST, height) ? { left, top, right, bottom } : null;
};

export class BoxLayer {
  /** @type {Box[]} */
  boxes = [];
  chosen = -1;
  active = true; // a drag on the picture makes a box; else it paints
  /** @type {number[][]} */
  crops = []; // left, top, right, bottom of what each drawing sees
  /** The one that is being drawn: where it began, and the box. @type {{ from: { x: number, y: number }, box: Box | null } | null} */
  drawing = null;
  /** @type {{ at: number, sides: string, x: number, y: number, box: Box } | null} */
  drag = null;

  /** @param {import("./canvas_view.js").View} view @param {HTMLElement} holder */
  constructor(view, holder, kind) {
    this.view = view;
    this.holder = holder;
    this.kind = kind;
    on("boxes", (told) => {
      if (told.kind !== kind || this.drag) return;
      this.boxes = told.boxes;
      this.chosen = told.chosen;
      this.place();
    });
    on("preflight", (told) => {
      if (told.kind !== kind) return;
      this.crops = told.crops ?? [];
      this.place();
    });
  }

  tell() {
    emit("boxed", { kind: this.kind, boxes: this.boxes, chosen: this.chosen });
  }

  settle(at, box) {
    this.boxes = this.boxes.map((each, place) => (place === at ? box : each));
    this.chosen = at;
    this.tell();
  }

  remove(at) {
    this.boxes = this.boxes.filter((_, place) => place !== at);
    this.chosen = Math.min(at, this.boxes.length - 1);
    this.tell();
    /** @type {HTMLElement} */ (this.holder.querySelector(".detail-box.chosen") ?? this.view.canvas).focus();
  }

  // ---- a new one, drawn on the canvas: what the canvas' pointers do while this is active ----

  start(event) {
    this.drawing = { from: this.view.toPicture(this.view.device(event)), box: null };
  }

  move(event) {
    this.drawing.box = spanned(this.drawing.from, this.view.toPicture(this.view.device(event)), this.view.picture);
    this.place();
  }

  end(cancelled) {
    const { box } = this.drawing;
    this.drawing = null;
    if (cancelled || !box) {
      this.chosen = -1;
      return this.tell();
    }
    this.boxes = [...this.boxes, { ...box, prompt: "", strength: 0 }];
    this.chosen = this.boxes.length - 1;
    this.tell();
  }

  // ---- elements ----

  element(at) {
    const root = make("div", { className: "detail-box", tabIndex: 0, role: "button" }, make("span", { className: "detail-number", textContent: `${at + 1}` }));
    root.addEventListener("pointerdown", (event) => this.take(event, at, event.target.dataset?.sides ?? ""));
    root.addEventListener("pointermove", (event) => this.pull(event));
    for (const end of ["pointerup", "pointercancel"]) root.addEventListener(end, () => this.letGo());
    root.addEventListener("keydown", (event) => this.key(event, at));
    root.addEventListener("focus", () => this.choose(at));
    return root;
  }

  choose(at) {
    if (this.chosen === at) return;
    this.chosen = at;
    this.place();
    this.tell();
  }

  take(event, at, sides) {
    if (event.button) return;
    event.stopPropagation();
    this.choose(at);
    this.drag = { at, sides, x: event.clientX, y: event.clientY, box: this.boxes[at] };
    try {
      event.currentTarget.setPointerCapture(event.pointerId);
    } catch {
      // A pointer that is gone already.
    }
  }

  pull(event) {
    if (!this.drag) return;
    const { at, sides, x, y, box } = this.drag;
    const scale = this.view.scale / this.view.dpr;
    const next = pulled(box, sides, (event.clientX - x) / scale, (event.clientY - y) / scale, this.view.picture);
    this.boxes = this.boxes.map((each, place) => (place === at ? next : each));
    this.place();
  }

  letGo() {
    const { drag } = this;
    this.drag = null;
    if (drag && JSON.stringify(this.boxes[drag.at]) !== JSON.stringify(drag.box)) this.tell();
  }

  key(event, at) {
    if (event.key === "Delete" || event.key === "Backspace") this.remove(at);
    else if (ARROWS[event.key]) {
      const [x, y] = ARROWS[event.key].map((way) => way * (event.shiftKey ? FAR : 1));
      const sides = event.altKey ? (x ? "right" : "bottom") : "";
      this.settle(at, pulled(this.boxes[at], sides, x, y, this.view.picture));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // ---- where they stand ----

  place() {
    const { view, holder } = this;
    holder.hidden = !view.picture;
    if (!view.picture) return;
    for (const each of holder.querySelectorAll(".detail-crop, .detail-new")) each.remove();
    while (holder.children.length > this.boxes.length) holder.lastElementChild.remove();
    while (holder.children.length < this.boxes.length) holder.append(this.element(holder.children.length));
    for (const [at, box] of this.boxes.entries()) this.placeOne(/** @type {HTMLElement} */ (holder.children[at]), at, box);
    for (const [left, top, right, bottom] of this.crops) holder.append(this.put(make("div", { className: "detail-crop" }), { left, top, right, bottom }));
    if (this.drawing?.box) holder.append(this.put(make("div", { className: "detail-new" }), this.drawing.box));
  }

  placeOne(root, at, box) {
    const chosen = at === this.chosen;
    this.put(root, box);
    root.classList.toggle("chosen", chosen);
    root.classList.toggle("small", Math.min(box.right - box.left, box.bottom - box.top) * this.view.scale < SMALL * this.view.dpr);
    const size = `${box.right - box.left} × ${box.bottom - box.top} at ${box.left}, ${box.top}`;
    root.setAttribute("aria-label", `Box ${at + 1}: ${size}. Arrow keys move it, with Alt they change its size, with Shift by more; Delete removes it.`);
    const handles = root.querySelectorAll("[data-sides]");
    if (chosen && !handles.length) root.append(...HANDLES.map((sides) => make("i", { "data-sides": sides })));
    if (!chosen) for (const handle of handles) handle.remove();
  }

  put(root, { left, top, right, bottom }) {
    const { x, y, scale, dpr } = this.view;
    const style = { left: (x + left * scale) / dpr, top: (y + top * scale) / dpr, width: ((right - left) * scale) / dpr, height: ((bottom - top) * scale) / dpr };
    for (const [name, length] of Object.entries(style)) root.style[name] = `${length}px`;
    return root;
  }
}
