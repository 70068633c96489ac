// Where each picture of a search lies: rows of squares below headings, computed from how many pictures each heading has. Lengths in pixels.

const LEAST = 148; // wide is a square
const ROOMY = 1600; // from which squares are larger
const LARGER = 184;
const NARROW = 560; // up to which there are three in a row
const HEADING = 46;

/** @typedef {{ columns: number, side: number, gap: number, height: number, total: number, heading: number, [more: string]: any }} Plan */

// The last of a rising list that is at most `value`.
const last = (list, value) => {
  let [low, high] = [0, list.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (list[middle] <= value) low = middle;
    else high = middle - 1;
  }
  return low;
};

/** @type {(counts: number[], width: number, headed: boolean) => Plan} */
export const plan = (counts, width, headed) => {
  const narrow = width <= NARROW;
  const gap = narrow ? 4 : 8;
  const columns = narrow ? 3 : Math.floor((width + gap) / ((width < ROOMY ? LEAST : LARGER) + gap));
  const side = Math.floor((width - gap * (columns - 1)) / columns);
  const row = side + gap;
  const heading = headed ? HEADING : 0;
  const starts = new Int32Array(counts.length + 1); // of each section: its first picture
  const tops = new Float64Array(counts.length + 1);
  counts.forEach((count, section) => {
    starts[section + 1] = starts[section] + count;
    tops[section + 1] = tops[section] + heading + Math.ceil(count / columns) * row;
  });
  const total = starts[counts.length];
  const sectionOf = (index) => last(starts.subarray(0, counts.length), index);

  const place = (index) => {
    const section = sectionOf(index);
    const inside = index - starts[section];
    return { x: (inside % columns) * row, y: tops[section] + heading + Math.floor(inside / columns) * row };
  };
  // The first picture of the row that lies at a height, or the one after the last.
  const rowAt = (y, after) => {
    const section = last(tops.subarray(0, counts.length), y);
    const inside = Math.floor((y - tops[section] - heading) / row) + after;
    return Math.min(starts[section + 1], starts[section] + Math.max(0, inside) * columns);
  };
  // What lies between two heights: pictures from `first` on, without `end`, and sections likewise.
  const between = (top, bottom) => {
    if (!total) return { first: 0, end: 0, from: 0, to: 0 };
    const tall = tops.subarray(0, counts.length);
    return { first: rowAt(Math.max(0, top), 0), end: rowAt(Math.max(0, bottom), 1), from: last(tall, Math.max(0, top)), to: last(tall, Math.max(0, bottom)) + 1 };
  };
  // The pictures that a box touches.
  const inside = ({ left, right, top, bottom }) => {
    const { first, end } = between(top, bottom);
    const found = [];
    for (let index = first; index < end; index += 1) {
      const { x, y } = place(index);
      if (x < right && x + side > left && y < bottom && y + side > top) found.push(index);
    }
    return found;
  };
  // The picture above (-1) or below (1), in the same column where there is one.
  const vertical = (index, by) => {
    const section = sectionOf(index);
    const inside = index - starts[section];
    const [column, line] = [inside % columns, Math.floor(inside / columns) + by];
    const lines = (each) => Math.ceil(counts[each] / columns);
    const at = (each, wanted) => Math.min(starts[each] + wanted * columns + column, starts[each + 1] - 1);
    if (line >= 0 && line < lines(section)) return at(section, line);
    const next = section + by;
    if (next < 0 || next >= counts.length) return index;
    return at(next, by > 0 ? 0 : lines(next) - 1);
  };
  return { columns, side, gap, row, heading, total, height: tops[counts.length], starts, tops, place, between, inside, vertical };
};
