// The frame of an outpainting: eight handles around the picture.
import { make } from "./dom.js";
import { limit } from "./numbers.js";

const STEP = 8; // picture pixels to which the sides of the frame snap
const FARTHEST = 2048; // picture pixels on each side

const HANDLES = ["top left", "top", "top right", "right", "bottom right", "bottom", "bottom left", "left"];
const OUTWARD = { left: ["x", -1], right: ["x", 1], top: ["y", -1], bottom: ["y", 1] };
const ARROWS = { ArrowLeft: ["x", -1], ArrowRight: ["x", 1], ArrowUp: ["y", -1], ArrowDown: ["y", 1] };

export class Frame {
  sides = { left: 0, right: 0, top: 0, bottom: 0 };
  /** @type {{ name: string, x: number, y: number, start: Record<string, number>, scale: number } | null} */
  drag = null;

  // `settle` hears {left, right, top, bottom} when a handle is let go.
  constructor(view, holder, most, settle) {
    this.view = view;
    this.most = most;
    this.settle = settle;
    this.handles = HANDLES.map((name) => this.handle(name));
    holder.replaceChildren(...this.handles);
  }

  handle(name) {
    const button = make("button", { type: "button", title: `Drag to extend the picture: ${name}` });
    button.setAttribute("aria-label", `Extend: ${name}. Arrow keys change it by ${STEP} pixels.`);
    button.dataset.handle = name;
    button.addEventListener("pointerdown", (event) => this.take(event, name));
    button.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) button.addEventListener(end, () => this.letGo());
    button.addEventListener("keydown", (event) => this.key(event, name));
    return button;
  }

  take(event, name) {
    if (event.button) return;
    event.stopPropagation();
    event.target.setPointerCapture(event.pointerId);
    this.drag = { name, x: event.clientX, y: event.clientY, start: { ...this.sides }, scale: this.view.scale / this.view.dpr };
  }

  move(event) {
    if (!this.drag) return;
    const by = { x: (event.clientX - this.drag.x) / this.drag.scale, y: (event.clientY - this.drag.y) / this.drag.scale };
    this.stretch(this.drag.name, this.drag.start, by);
  }

  letGo() {
    const moved = this.drag && JSON.stringify(this.drag.start) !== JSON.stringify(this.sides);
    this.drag = null;
    if (moved) this.settle({ ...this.sides });
  }

  key(event, name) {
    const [axis, way] = ARROWS[event.key] ?? [];
    if (!axis || !name.split(" ").some((side) => OUTWARD[side][0] === axis)) return;
    event.preventDefault();
    event.stopPropagation();
    const before = JSON.stringify(this.sides);
    this.stretch(name, { ...this.sides }, { x: 0, y: 0, [axis]: way * (event.shiftKey ? 8 * STEP : STEP) });
    if (JSON.stringify(this.sides) !== before) this.settle({ ...this.sides });
  }

  stretch(name, start, by) {
    for (const side of name.split(" ")) {
      const [axis, way] = OUTWARD[side];
      this.sides[side] = this.snapped(side, start[side] + way * by[axis]);
    }
    this.show();
  }

  snapped(side, length) {
    const { width, height } = this.view.picture;
    const across = side === "left" || side === "right";
    const other = this.sides[{ left: "right", right: "left", top: "bottom", bottom: "top" }[side]];
    const room = Math.max(0, this.most - (across ? width : height) - other);
    return limit(Math.round(length / STEP) * STEP, 0, Math.min(FARTHEST, Math.floor(room / STEP) * STEP));
  }

  set(values) {
    if (this.drag) return;
    const side = (name) => limit(Math.round(Number(values[name]) || 0), 0, FARTHEST);
    const next = { left: side("left"), right: side("right"), top: side("top"), bottom: side("bottom") };
    const same = JSON.stringify(next) === JSON.stringify(this.sides);
    this.sides = next;
    this.view.frame = this.sides;
    if (!same && this.view.fitted) this.view.fit();
    else this.show();
  }

  show() {
    this.view.frame = this.sides;
    this.view.ask();
    this.place();
  }

  place() {
    const { view } = this;
    if (!view.picture) return;
    const { left, top, width, height } = view.extent();
    const at = (start, from, length, share, room) => limit((start + (from + length * share) * view.scale) / view.dpr, 12, room / view.dpr - 12);
    const share = (name, low, high) => (name.includes(low) ? 0 : name.includes(high) ? 1 : 0.5);
    for (const button of this.handles) {
      const name = button.dataset.handle;
      button.style.left = `${at(view.x, left, width, share(name, "left", "right"), view.width)}px`;
      button.style.top = `${at(view.y, top, height, share(name, "top", "bottom"), view.height)}px`;
    }
  }
}
