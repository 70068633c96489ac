// What regions lie in: the picture that will come of a form, at a size to paint on; and how each region is seen.
import * as store from "./canvas_store.js";
import { find, surface } from "./dom.js";
import { Layer } from "./layer.js";
import * as page from "./page.js";
import { fitted } from "./paint_pad.js";

export const COLORS = ["#d8422f", "#1f6fd8", "#2c9a4b", "#c98a00", "#8a3fd1", "#00929e", "#d13f8f", "#7a6a52"];
const OF_PICTURE = ["inpaint", "details", "outpaint", "hires", "upscale"]; // kinds whose result has the picture's shape
const CLOSE = 0.03; // of two shapes: the logarithm of what the one is wider
const PAPER = "#d9d5cd";

export const colorOf = (place) => COLORS[place % COLORS.length];

// The size of what a form draws, and the picture that it begins with. Without a picture, the last one that was drawn in that shape.
const sizes = (form, kind, begun) => {
  if (!begun || !OF_PICTURE.includes(kind)) return { width: form.width || 512, height: form.height || 512, left: 0, top: 0 };
  const { left = 0, right = 0, top = 0, bottom = 0 } = kind === "outpaint" ? form : {};
  return { width: begun.width + left + right, height: begun.height + top + bottom, left, top };
};
const shown = (width, height) => {
  const last = find('.surface [data-part="picture"]');
  return last?.naturalWidth && Math.abs(Math.log((last.naturalWidth / last.naturalHeight) * (height / width))) < CLOSE ? last : null;
};

// {width, height: of the sheet; draw(context): what lies below}
export const frameOf = async (kind) => {
  const form = page.forms[kind] ?? {};
  const begun = form.image ? await store.picture(form.image).catch(() => null) : null;
  const { width, height, left, top } = sizes(form, kind, begun);
  const [across, down] = fitted(width, height);
  const share = across / width;
  const draw = (context) => {
    context.fillStyle = PAPER;
    context.fillRect(0, 0, across, down);
    const image = begun?.image ?? shown(width, height);
    if (!image) return;
    const [wide, high] = [image.naturalWidth || image.width, image.naturalHeight || image.height];
    if (begun && OF_PICTURE.includes(kind)) return context.drawImage(image, left * share, top * share, wide * share, high * share);
    const scale = Math.max(across / wide, down / high); // what stands out is cut off, as the drawing will be
    context.drawImage(image, (across - wide * scale) / 2, (down - high * scale) / 2, wide * scale, high * scale);
  };
  return { width: across, height: down, draw };
};

// A region as a layer of a size: what is painted, or its rectangle.
export const layerOf = async (region, width, height) => {
  const layer = new Layer(width, height, 1);
  if (!region.mask) {
    const [left, top, right, bottom] = [region.left * width, region.top * height, region.right * width, region.bottom * height].map(Math.round);
    for (let row = top; row < bottom; row += 1) layer.cells.fill(255, row * width + left, row * width + right);
    return layer;
  }
  const context = surface(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage((await store.picture(region.mask)).image, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  layer.cells.forEach((_, place) => (layer.cells[place] = data[4 * place]));
  return layer;
};

// Lays a layer over a surface of its size, in a colour.
export const tinted = (layer, color, strength = 0.55) => {
  const [red, green, blue] = [1, 3, 5].map((place) => parseInt(color.slice(place, place + 2), 16));
  const made = surface(layer.width, layer.height);
  const context = made.getContext("2d");
  const image = context.createImageData(layer.width, layer.height);
  layer.cells.forEach((cell, place) => image.data.set([red, green, blue, cell * strength], 4 * place));
  context.putImageData(image, 0, 0);
  return made;
};
