// How far the pixels of two pictures are apart, in numbers and as a picture.
import { surface } from "./dom.js";
import { limit } from "./numbers.js";

const MOST_PIXELS = 16e6; // what is larger is compared at a smaller size, which is said

// Of RGBA values: the distance of each channel but the last, and what can be said of all. `mean` and `most` are of 255.
/** @param {Uint8ClampedArray} one @param {Uint8ClampedArray} other */
export const distances = (one, other) => {
  const pixels = one.length / 4;
  const apart = new Uint8Array(pixels * 3);
  let [differing, sum, most] = [0, 0, 0];
  for (let from = 0, to = 0; from < one.length; from += 4, to += 3) {
    const red = Math.abs(one[from] - other[from]);
    const green = Math.abs(one[from + 1] - other[from + 1]);
    const blue = Math.abs(one[from + 2] - other[from + 2]);
    if (!(red | green | blue)) continue;
    apart[to] = red;
    apart[to + 1] = green;
    apart[to + 2] = blue;
    differing += 1;
    sum += red + green + blue;
    most = Math.max(most, red, green, blue);
  }
  return { apart, pixels, differing, mean: sum / apart.length, most };
};

// As RGBA values: black where nothing differs.
export const amplified = (apart, factor) => {
  const shown = new Uint8ClampedArray((apart.length / 3) * 4);
  for (let from = 0, to = 0; from < apart.length; from += 3, to += 4) {
    shown[to] = apart[from] * factor;
    shown[to + 1] = apart[from + 1] * factor;
    shown[to + 2] = apart[from + 2] * factor;
    shown[to + 3] = 255;
  }
  return shown;
};

// The values of a box of the frame, of a picture that lies in it; what is transparent lies on white.
const valuesIn = (image, place, box, width, height) => {
  const context = surface(width, height).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  const [across, up] = [width / box.width, height / box.height];
  context.drawImage(image, (place.x - box.x) * across, (place.y - box.y) * up, place.width * across, place.height * up);
  return context.getImageData(0, 0, width, height).data;
};

// What two pictures differ by in a box of the frame in which each has its place.
export const compared = (one, other, box) => {
  const by = Math.min(1, Math.sqrt(MOST_PIXELS / (box.width * box.height)));
  const [width, height] = [box.width, box.height].map((side) => Math.max(1, Math.round(side * by)));
  const [first, second] = [one, other].map(({ image, place }) => valuesIn(image, place, box, width, height));
  return { ...distances(first, second), width, height, smaller: by < 1 };
};

const share = (part) => (part === 0 ? "0 %" : part < 0.0001 ? "less than 0.01 %" : `${limit(100 * part, 0, 100).toFixed(part < 0.1 ? 2 : 1)} %`);

/** @param {ReturnType<typeof compared>} found */
export const said = (found, factor) => {
  if (!found.differing) return "The pictures are the same, pixel for pixel.";
  const where = found.smaller ? `, compared at ${found.width} × ${found.height}` : "";
  const mean = found.mean < 0.005 ? "less than 0.01" : found.mean.toFixed(2);
  return `${share(found.differing / found.pixels)} of the pixels differ; mean difference ${mean}, largest ${found.most} (of 255)${where}. Shown ${factor} times as strong.`;
};
