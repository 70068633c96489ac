// What two to four compared pictures have in common: a frame, of which a part is seen at a zoom. Lengths of the frame are pixels of
// the largest picture; `scale` is CSS pixels for one of them. The part is known by its middle, so it stays when the view is another one.
import { limit } from "./numbers.js";

const MOST = 32; // device pixels for a pixel of the frame
const SMOOTH_UP_TO = 2; // device pixels for a pixel of a picture; beyond, its pixels are squares

/** @typedef {{ width: number, height: number }} Size */
/** @typedef {{ x: number, y: number, width: number, height: number }} Box */

/** The size of the largest. @param {Size[]} sizes @returns {Size} */
export const commonFrame = (sizes) => sizes.reduce((most, size) => (size.width * size.height > most.width * most.height ? size : most));

/** Where a picture lies in the frame: as large as it can be, in the middle. @param {Size} size @param {Size} frame @returns {Box} */
export const placed = ({ width, height }, frame) => {
  const by = Math.min(frame.width / width, frame.height / height);
  return { x: (frame.width - width * by) / 2, y: (frame.height - height * by) / 2, width: width * by, height: height * by };
};

/** What two boxes share. @param {Box} one @param {Box} other @returns {Box} */
export const shared = (one, other) => {
  const [x, y] = [Math.max(one.x, other.x), Math.max(one.y, other.y)];
  const right = Math.min(one.x + one.width, other.x + other.width);
  return { x, y, width: right - x, height: Math.min(one.y + one.height, other.y + other.height) - y };
};

/** How pictures of different sizes are shown; "" where all have one size. @param {Size[]} sizes */
export const saidOfSizes = (sizes) => {
  const frame = commonFrame(sizes);
  const said = [...new Set(sizes.map(({ width, height }) => `${width} × ${height}`))];
  if (said.length === 1) return "";
  const shape = sizes.every(({ width, height }) => width * frame.height === height * frame.width) ? "" : ", each in its own shape";
  return `Their sizes differ (${said.join(", ")}): all are scaled to ${frame.width} × ${frame.height}${shape}.`;
};

export class View {
  scale = 1;
  x = 0; // the middle of what is seen, in the frame
  y = 0;
  fitted = true;

  /** @param {Size} frame */
  constructor(frame) {
    this.frame = frame;
    this.x = frame.width / 2;
    this.y = frame.height / 2;
  }

  /** The scale at which all of it is seen. @param {Size} pane */
  whole(pane) {
    return Math.min(pane.width / this.frame.width, pane.height / this.frame.height) || 1;
  }

  /** @param {Size} pane */
  fit(pane) {
    Object.assign(this, { scale: this.whole(pane), x: this.frame.width / 2, y: this.frame.height / 2, fitted: true });
  }

  /** At a point of the pane, which stays where it is. @param {number} scale @param {Size} pane @param {{ x: number, y: number }} [at] */
  zoomTo(scale, pane, at = { x: pane.width / 2, y: pane.height / 2 }) {
    const next = limit(scale, Math.min(this.whole(pane), 1 / devicePixelRatio), MOST / devicePixelRatio);
    const by = 1 / this.scale - 1 / next;
    this.x += (at.x - pane.width / 2) * by;
    this.y += (at.y - pane.height / 2) * by;
    Object.assign(this, { scale: next, fitted: false });
    this.keepInSight();
  }

  /** By CSS pixels. */
  pan(x, y) {
    this.x -= x / this.scale;
    this.y -= y / this.scale;
    this.fitted = false;
    this.keepInSight();
  }

  keepInSight() {
    this.x = limit(this.x, 0, this.frame.width);
    this.y = limit(this.y, 0, this.frame.height);
  }

  /** Where a box of the frame lies in a pane, in CSS pixels. @param {Box} box @param {Size} pane @returns {Box} */
  onPane(box, pane) {
    return {
      x: pane.width / 2 + (box.x - this.x) * this.scale,
      y: pane.height / 2 + (box.y - this.y) * this.scale,
      width: box.width * this.scale,
      height: box.height * this.scale,
    };
  }
}

/** Puts a picture there. Its pixels are squares once they are large. @param {any} picture @param {Box} box @param {number} own its width in pixels */
export const put = (picture, box, own) => {
  Object.assign(picture.style, { left: `${box.x}px`, top: `${box.y}px`, width: `${box.width}px`, height: `${box.height}px` });
  picture.style.imageRendering = (box.width / own) * devicePixelRatio > SMOOTH_UP_TO ? "pixelated" : "auto";
};

/** The columns in which so many pictures are seen largest side by side. @param {number} count @param {Size} room @param {Size} frame */
export const columnsFor = (count, room, frame) => {
  const scale = (columns) => Math.min(room.width / columns / frame.width, room.height / Math.ceil(count / columns) / frame.height);
  return [1, 2, 3, 4].slice(0, count).reduce((best, columns) => (scale(columns) > scale(best) * 1.001 ? columns : best));
};
