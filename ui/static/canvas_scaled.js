// A layer at the size of the view: for each device pixel, the mean of the picture pixels that lie under it.
// `view`: {layer, scale, x, y}, where the picture lies; the region is in device pixels of the view.
import { limit } from "./numbers.js";

// For each device pixel of a row the picture pixels to read, `taps` of them.
const reads = (start, count, origin, scale, most, taps) => {
  const places = new Int32Array(count * taps);
  for (let index = 0; index < places.length; index += 1) {
    const at = start + Math.floor(index / taps) + ((index % taps) + 0.5) / taps;
    places[index] = limit(Math.floor((at - origin) / scale), 0, most - 1);
  }
  return places;
};

// The mask at the size of the view; outside the picture its edge goes on.
export const scaledMask = ({ layer, scale, x: left, y: top }, { x, y, width, height }) => {
  const taps = limit(Math.ceil(1 / scale), 1, 4);
  const columns = reads(x, width, left, scale, layer.width, taps);
  const rows = reads(y, height, top, scale, layer.height, taps);
  const result = new Uint8Array(width * height);
  for (let row = 0, to = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1, to += 1) {
      let sum = 0;
      for (let down = row * taps; down < (row + 1) * taps; down += 1) {
        const start = rows[down] * layer.width;
        for (let across = column * taps; across < (column + 1) * taps; across += 1) sum += layer.cells[start + columns[across]];
      }
      result[to] = sum / (taps * taps);
    }
  }
  return result;
};

export const scaledDrawing = ({ layer, scale, x: left, y: top }, { x, y, width, height }) => {
  const taps = limit(Math.ceil(1 / scale), 1, 3);
  const columns = reads(x, width, left, scale, layer.width, taps);
  const rows = reads(y, height, top, scale, layer.height, taps);
  const image = new ImageData(width, height);
  for (let row = 0, to = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1, to += 4) {
      let [red, green, blue, alpha] = [0, 0, 0, 0];
      for (let down = row * taps; down < (row + 1) * taps; down += 1) {
        for (let across = column * taps; across < (column + 1) * taps; across += 1) {
          const cell = layer.cells[rows[down] * layer.width + columns[across]];
          const share = cell >>> 24;
          alpha += share;
          red += (cell & 255) * share;
          green += ((cell >>> 8) & 255) * share;
          blue += ((cell >>> 16) & 255) * share;
        }
      }
      if (!alpha) continue;
      image.data[to] = red / alpha;
      image.data[to + 1] = green / alpha;
      image.data[to + 2] = blue / alpha;
      image.data[to + 3] = alpha / (taps * taps);
    }
  }
  return image;
};
