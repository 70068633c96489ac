// Where a picture is shown whole on the canvas: as large as it can be beside what lies over the surface.
const EDGE = 0.01; // of one unit of length: so far things may lie on each other, for numbers are rounded
const LEAST = 0.5; // of the size that it would have with nothing over the surface; below that it goes under what lies there

/** @typedef {import("./canvas_view.js").Area} Area */
/** @typedef {{ width: number, height: number }} Size */

const scaleIn = ({ width, height }, { left, top, right, bottom }) => Math.max(0, Math.min((right - left) / width, (bottom - top) / height));

// The picture in the middle of an area.
/** @type {(size: Size, area: Area) => Area} */
const middle = (size, area) => {
  const [across, up] = [size.width, size.height].map((length) => (length * scaleIn(size, area)) / 2);
  const [x, y] = [(area.left + area.right) / 2, (area.top + area.bottom) / 2];
  return { left: x - across, top: y - up, right: x + across, bottom: y + up };
};
const meets = (one, other) =>
  one.left < other.right - EDGE && other.left < one.right - EDGE && one.top < other.bottom - EDGE && other.top < one.bottom - EDGE;

// A cover that lies on the picture is passed: a column on its left or right, a row above or below it, where the picture can be larger.
// So the picture stays in the middle of the other direction.
/** @type {(size: Size, area: Area, covers: Area[]) => Area} */
const beside = (size, area, covers) => {
  const picture = middle(size, area);
  const cover = scaleIn(size, area) > 0 && covers.find((each) => meets(picture, each));
  if (!cover) return area;
  const isColumn = cover.bottom - cover.top > cover.right - cover.left;
  const ways = isColumn ? [{ left: cover.right }, { right: cover.left }] : [{ top: cover.bottom }, { bottom: cover.top }];
  const areas = ways.map((way) => beside(size, { ...area, ...way }, covers));
  return areas.reduce((best, each) => (scaleIn(size, each) > scaleIn(size, best) ? each : best));
};

// At which scale, of `most`, and with which corner a picture is shown in an area. All lengths are of one unit.
/** @type {(size: Size, area: Area, covers: Area[], most: number) => { scale: number, x: number, y: number }} */
export const shown = (size, area, covers, most) => {
  const found = beside(size, area, covers);
  const { left, top, right, bottom } = scaleIn(size, found) < LEAST * scaleIn(size, area) ? area : found;
  const scale = Math.min(scaleIn(size, { left, top, right, bottom }), most);
  return { scale, x: (left + right - size.width * scale) / 2, y: (top + bottom - size.height * scale) / 2 };
};

// The elements that are seen, as areas of the canvas in its device pixels, `gap` CSS pixels larger on each side.
/** @type {(canvas: Element, elements: Element[], dpr: number, gap: number) => Area[]} */
export const covers = (canvas, elements, dpr, gap) => {
  const here = canvas.getBoundingClientRect();
  const boxes = elements.filter((each) => each.getClientRects().length).map((each) => each.getBoundingClientRect());
  return boxes.map(({ left, top, right, bottom }) => ({
    left: (left - here.left - gap) * dpr, top: (top - here.top - gap) * dpr,
    right: (right - here.left + gap) * dpr, bottom: (bottom - here.top + gap) * dpr,
  }));
};
