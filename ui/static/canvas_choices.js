// Results to choose from: small pictures below the canvas, of which one stands on it until it is kept.
import { make, surface } from "./dom.js";

const THUMB = 72; // CSS pixels

export class Choices {
  /** @type {any[]} */
  list = [];
  chosen = -1;

  // `parts`: the elements choices, thumbs, keep, original, dismiss; `fail` hears why a result could not be kept.
  constructor(view, parts, fail) {
    this.view = view;
    this.parts = parts;
    this.fail = fail;
    parts.keep.addEventListener("click", () => this.keep());
    parts.original.addEventListener("click", () => this.choose(-1));
    parts.dismiss.addEventListener("click", () => this.show([]));
  }

  show(list) {
    if (!list.length && !this.list.length) return;
    this.list = list.map((item) => ({ ...item, image: Object.assign(new Image(), { src: item.src }) }));
    this.parts.choices.hidden = !list.length;
    this.parts.thumbs.replaceChildren(...this.list.map((item, index) => this.thumb(item, index)));
    this.choose(list.length ? 0 : -1);
    if (this.view.frame) this.view.fit(); // all of what was continued
  }

  thumb(item, index) {
    const dpr = window.devicePixelRatio || 1;
    const canvas = surface(THUMB * dpr, THUMB * dpr);
    const button = make("button", { type: "button", title: item.label ?? "" });
    button.setAttribute("aria-label", item.label || `Result ${index + 1}`);
    button.append(canvas);
    button.addEventListener("click", () => this.choose(index));
    item.image.decode().then(() => this.crop(item.image, canvas)).catch(() => {});
    return button;
  }

  // The part that was drawn anew, else the whole result.
  crop(image, canvas) {
    const { left, top, right, bottom } = this.placed(image);
    const [low, high, far, deep] = this.view.box ?? [left, top, right, bottom];
    const zoom = { x: image.naturalWidth / (right - left), y: image.naturalHeight / (bottom - top) };
    const source = [(low - left) * zoom.x, (high - top) * zoom.y, (far - low) * zoom.x, (deep - high) * zoom.y];
    const fit = Math.min(canvas.width / source[2], canvas.height / source[3]);
    const [width, height] = [source[2] * fit, source[3] * fit];
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(image, ...source, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
  }

  // Where a result lies, in picture pixels: over the picture, or over the picture with its frame.
  placed({ naturalWidth, naturalHeight }) {
    const { width, height } = this.view.picture ?? { width: naturalWidth, height: naturalHeight };
    if (this.view.picture && this.view.frame) {
      const outer = this.view.extent();
      const extended = Math.abs(naturalWidth / naturalHeight - outer.width / outer.height) < 0.01;
      if (extended) return { left: outer.left, top: outer.top, right: outer.left + outer.width, bottom: outer.top + outer.height };
    }
    const fit = Math.min(width / naturalWidth, height / naturalHeight);
    const close = Math.abs(naturalWidth / naturalHeight / (width / height) - 1) < 0.02;
    const [across, up] = close ? [width, height] : [naturalWidth * fit, naturalHeight * fit];
    const [left, top] = [(width - across) / 2, (height - up) / 2];
    return { left, top, right: left + across, bottom: top + up };
  }

  async choose(index) {
    if (index === this.chosen && index < 0) return;
    this.chosen = index;
    [...this.parts.thumbs.children].forEach((button, place) => button.setAttribute("aria-pressed", String(place === index)));
    this.parts.keep.disabled = this.parts.original.disabled = index < 0;
    const item = this.list[index];
    if (!item) return this.present(null);
    await item.image.decode().catch(() => {});
    if (this.list[this.chosen] === item && item.image.naturalWidth) this.present({ image: item.image, ...this.placed(item.image) });
  }

  present(candidate) {
    this.view.candidate = candidate;
    this.view.redraw();
  }

  // The next or the former one; true when there was something to turn to.
  turn(by) {
    if (!this.list.length) return false;
    this.choose((Math.max(this.chosen, by < 0 ? 0 : -1) + by + this.list.length) % this.list.length);
    return true;
  }

  async keep() {
    const item = this.list[this.chosen];
    if (!item) return;
    this.parts.keep.disabled = true;
    try {
      await item.keep();
      this.show([]);
    } catch (problem) {
      this.parts.keep.disabled = false;
      this.fail(problem.message);
    }
  }
}
