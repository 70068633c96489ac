// Pointers on the paint canvas: one paints, two fingers move and zoom.
import { limit } from "./numbers.js";

export class Pointers {
  /** Where each finger is. @type {Map<number, { x: number, y: number }>} */
  fingers = new Map();
  /** @type {{ x: number, y: number, distance: number } | null} */
  pinch = null;
  /** @type {{ id: number, x: number, y: number } | null} */
  drag = null;
  /** The id of the pointer that paints. @type {number | null} */
  painting = null;
  spacing = false;
  clicked = false;

  // `acts`: takes(event) tells whether this press paints, start(event), on(event), end(cancelled), show(event or null): the cursor.
  constructor(view, acts) {
    this.view = view;
    this.acts = acts;
    const { canvas } = view;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event, false));
    canvas.addEventListener("pointercancel", (event) => this.up(event, true));
    canvas.addEventListener("pointerleave", () => this.acts.show(null));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  down(event) {
    this.view.canvas.focus({ preventScroll: true });
    this.clicked = true;
    if (!this.view.picture) return;
    this.capture(event);
    if (event.pointerType === "touch" && this.touches(event)) return;
    const moves = event.button === 1 || (event.button === 0 && (this.spacing || event.shiftKey || !this.acts.takes(event)));
    if (moves) {
      event.preventDefault();
      this.drag = { id: event.pointerId, ...this.view.device(event) };
    } else if ((event.button === 0 || event.button === 5) && this.painting === null) {
      this.painting = event.pointerId;
      this.acts.start(event);
    }
  }

  capture(event) {
    try {
      this.view.canvas.setPointerCapture(event.pointerId);
    } catch {
      // A pointer that is gone already.
    }
  }

  // A second finger takes back what the first one painted.
  touches(event) {
    this.fingers.set(event.pointerId, this.view.device(event));
    if (this.fingers.size < 2) return false;
    this.stop(true);
    this.drag = null;
    if (this.fingers.size === 2) this.pinch = this.spread();
    return true;
  }

  spread() {
    const [one, other] = [...this.fingers.values()];
    return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, distance: Math.hypot(one.x - other.x, one.y - other.y) };
  }

  move(event) {
    this.acts.show(event.pointerType === "touch" || this.drag || this.spacing ? null : event);
    const now = this.view.device(event);
    if (this.fingers.has(event.pointerId)) this.fingers.set(event.pointerId, now);
    if (this.pinch) this.squeeze();
    else if (this.drag?.id === event.pointerId) {
      this.view.pan(now.x - this.drag.x, now.y - this.drag.y);
      Object.assign(this.drag, now);
    } else if (this.painting === event.pointerId) {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) this.acts.on(each);
    }
  }

  squeeze() {
    if (this.fingers.size < 2) return;
    const next = this.spread();
    this.view.pan(next.x - this.pinch.x, next.y - this.pinch.y);
    this.view.zoom(next.distance / (this.pinch.distance || 1), next.x, next.y);
    this.pinch = next;
  }

  up(event, cancelled) {
    this.fingers.delete(event.pointerId);
    if (!this.fingers.size) this.pinch = null;
    if (this.drag?.id === event.pointerId) this.drag = null;
    if (this.painting === event.pointerId) this.stop(cancelled);
  }

  stop(cancelled) {
    if (this.painting === null) return;
    this.painting = null;
    this.acts.end(cancelled);
  }

  wheel(event) {
    if (!this.view.picture || !(event.ctrlKey || this.clicked)) return;
    event.preventDefault();
    const { x, y } = this.view.device(event);
    const lines = event.deltaMode === 1 ? 24 : 1;
    this.view.zoom(2 ** (-limit(event.deltaY * lines, -240, 240) / 240), x, y);
  }
}
