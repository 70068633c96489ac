// Where the pictures of the canvases come from and stay: the server's inputs, and this browser's own store (IndexedDB), so that a
// reload loses no stroke. Where the browser keeps nothing, nothing else is lost.
import { surface } from "./dom.js";
import { Layer, pack } from "./layer.js";
import { deflate, inflate, png, withoutAlpha } from "./png.js";
import { flatten } from "./stroke.js";

let opened = null;

const answer = (request) =>
  new Promise((done, fail) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });

const open = () => {
  opened ??= new Promise((done, fail) => {
    const request = indexedDB.open("atelier", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("canvases");
    request.onsuccess = () => done(request.result);
    request.onerror = request.onblocked = () => fail(request.error);
  });
  return opened;
};

const within = async (mode, act) => {
  try {
    return (await answer(act((await open()).transaction("canvases", mode).objectStore("canvases")))) ?? null;
  } catch {
    return null; // a private window, a full disk
  }
};

// Tiles of one value are kept as that value, the others packed in one piece.
const shrink = async (packed) => {
  const entries = [...packed.tiles];
  const even = entries.filter(([, content]) => typeof content === "number" && content !== 0);
  const rough = entries.filter(([, content]) => typeof content !== "number");
  const bytes = new Uint8Array(rough.reduce((sum, [, content]) => sum + content.byteLength, 0));
  let place = 0;
  for (const [, { buffer }] of rough) {
    bytes.set(new Uint8Array(buffer), place);
    place += buffer.byteLength;
  }
  const { width, height, channels } = packed;
  return { width, height, channels, even, rough: rough.map(([tile]) => tile), bytes: await deflate(bytes) };
};

const grow = async ({ width, height, channels, even, rough, bytes }) => {
  const layer = new Layer(width, height, channels);
  for (const [tile, value] of even) layer.put(tile, value);
  const plain = await inflate(bytes);
  let place = 0;
  for (const tile of rough) {
    const { left, top, right, bottom } = layer.area(tile);
    const length = (right - left) * (bottom - top) * channels;
    const { buffer } = plain.slice(place, place + length);
    layer.put(tile, channels === 1 ? new Uint8Array(buffer) : new Uint32Array(buffer));
    place += length;
  }
  return layer;
};

// ---- pictures of the server ----------------------------------------------------------------------------------------------

// Sends a file; the answer is {id, width, height, notes, mask}. What went wrong is thrown as a sentence.
export const send = async (address, body) => {
  const options = { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body };
  const answer = await fetch(address, options).catch(() => null);
  if (!answer) throw new Error("The studio did not answer. Try again.");
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.message || "The studio did not take this file.");
  return told;
};

const decode = (blob) => createImageBitmap(blob, { premultiplyAlpha: "none", colorSpaceConversion: "none" });

const fetched = async (id) => {
  const answer = await fetch(`input/${encodeURIComponent(id)}.png`).catch(() => null);
  if (!answer) throw new Error("The studio did not answer. Try again.");
  const missing = answer.status === 404 || answer.status === 410;
  if (!answer.ok) throw Object.assign(new Error(missing ? "The studio does not have this picture any more." : "The picture could not be loaded."), { missing });
  return answer.blob();
};

const draw = (image, width, height) => {
  const canvas = surface(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (image) context.drawImage(image, 0, 0, width, height);
  return context;
};

// A picture that was put aside without its pixels has them again.
export const revive = async (picture) => {
  if (!picture) return null;
  if (picture.blob) return { ...picture, image: await decode(picture.blob) };
  const white = draw(null, picture.width, picture.height);
  white.fillStyle = "#ffffff";
  white.fillRect(0, 0, picture.width, picture.height);
  return { ...picture, image: white.canvas };
};

export const picture = async (id) => {
  const blob = await fetched(id);
  const image = await decode(blob);
  return { id, blob, image, width: image.width, height: image.height };
};

const rgba = ({ image, width, height }) => draw(image, width, height).getImageData(0, 0, width, height).data;

// The colour of one pixel, as 0xAABBGGRR.
export const pixel = ({ image }, x, y) => {
  const spot = draw(null, 1, 1);
  spot.drawImage(image, -x, -y);
  return new Uint32Array(spot.getImageData(0, 0, 1, 1).data.buffer)[0];
};

// The picture with the drawing on it, as a PNG file.
export const flattened = (shown, layer) => {
  const bytes = flatten(rgba(shown), layer);
  const plain = withoutAlpha(bytes);
  return png(shown.width, shown.height, plain ? 3 : 4, plain ?? bytes);
};

// The grey values of a mask, one byte a pixel; null when it has another size.
export const mask = async (id, width, height) => {
  const { image, ...size } = await picture(id);
  if (size.width !== width || size.height !== height) return null;
  const colors = rgba({ image, width, height });
  const values = new Uint8Array(width * height);
  for (let index = 0; index < values.length; index += 1) values[index] = colors[4 * index];
  return values;
};

// ---- this browser's own store --------------------------------------------------------------------------------------------

// {picture, sent, layer, view}, or null
export const load = async (kind) => {
  const record = await within("readonly", (store) => store.get(kind));
  if (!record) return null;
  try {
    const view = await within("readonly", (store) => store.get(`${kind} view`));
    return { ...record, view, layer: record.layer && (await grow(record.layer)) };
  } catch {
    return null;
  }
};

// True when it is kept. `still` is asked when all is ready, which takes a while.
export const save = async (kind, record, still = () => true) => {
  const layer = record.layer && (await shrink(pack(record.layer)));
  await open().catch(() => null);
  return still() && (await within("readwrite", (store) => store.put({ ...record, layer }, kind))) !== null;
};

export const look = async (kind, view) => {
  await within("readwrite", (store) => store.put(view, `${kind} view`));
};

export const forget = async (kind) => {
  await within("readwrite", (store) => store.delete(kind));
};
