// Drawing the region in which a control unit acts, over its picture, on the sheet of paint_pad.js: in a dialog, so that there is room.
// A picture that is dropped or pasted there becomes the region, as one step that can be undone.
import * as store from "./canvas_store.js";
import { parts, surface, write } from "./dom.js";
import { receive } from "./files.js";
import { Layer } from "./layer.js";
import { fitted, paintPad } from "./paint_pad.js";
import { png } from "./png.js";

const UNREADABLE = "The browser cannot read this as a picture. Save it as PNG, then drop it here.";
const GONE = "The picture is not stored here any more. Put it in again.";

// `dialog` holds the elements of the pad.
export const regionPad = (dialog) => {
  const part = parts(dialog);
  const clear = () => pad.edit((cells) => cells.fill(0));
  const invert = () => pad.edit((cells) => cells.forEach((cell, place) => (cells[place] = 255 - cell)));
  const pad = paintPad(part, "region-pad", { delete: clear, "ctrl+i": invert });
  let asked = null; // what is drawn, see `open`
  let size = null; // of the picture

  const say = (words) => write(part("alert"), words);
  const busy = (wanted) => {
    dialog.toggleAttribute("inert", wanted);
    part("pad").setAttribute("aria-busy", String(wanted));
  };
  // The grey values of a picture, brought to the size of the sheet: cells of 0 to 255. What is transparent is black.
  const greys = (image, width, height) => {
    const context = surface(width, height).getContext("2d", { willReadFrequently: true });
    context.fillRect(0, 0, width, height);
    context.drawImage(image, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    return (place) => (299 * data[4 * place] + 587 * data[4 * place + 1] + 114 * data[4 * place + 2]) / 1000;
  };
  // The region so far.
  const painted = async (width, height) => {
    const layer = new Layer(width, height, 1);
    if (!asked.mask) return layer;
    const grey = greys((await store.picture(asked.mask)).image, width, height);
    layer.cells.forEach((_, place) => (layer.cells[place] = Math.round(grey(place))));
    return layer;
  };
  const bring = async (file) => {
    const mine = asked;
    const image = await createImageBitmap(file).catch(() => null);
    if (mine !== asked || !dialog.open) return; // it came too late, and another region may be on the sheet
    if (!image) return say(UNREADABLE);
    say();
    const { width, height } = pad.layer();
    const grey = greys(image, width, height);
    image.close();
    pad.edit((cells) => cells.forEach((_, place) => (cells[place] = Math.round(grey(place)))));
  };
  const file = () => {
    pad.end(false);
    const { width, height, bytes, cells } = pad.layer();
    return cells.some((cell) => cell) ? png(width, height, 1, bytes) : null;
  };
  const leave = () => (pad.forget(), dialog.close());
  const done = async () => {
    say();
    busy(true);
    const why = await Promise.resolve(file()).then((blob) => asked.take(blob, size)).then(() => "", (problem) => problem.message);
    busy(false);
    if (why) say(why);
    else leave();
  };

  receive(dialog, () => dialog.open && !dialog.inert, bring, say);
  part("clear").addEventListener("click", clear);
  part("invert").addEventListener("click", invert);
  part("done").addEventListener("click", done);
  part("cancel").addEventListener("click", leave);
  // Esc would lose what was painted.
  dialog.addEventListener("cancel", (event) => {
    if (!pad.isTouched()) return;
    event.preventDefault();
    part("done").focus();
  });

  return {
    // {picture, mask: ids, whose, take(file or null, {width, height})}: a region that is empty is null. Throws where the picture is gone.
    async open(next) {
      asked = next;
      const { image, width, height } = await store.picture(asked.picture).catch((problem) => { throw problem.missing ? new Error(GONE) : problem; });
      size = { width, height };
      const base = surface(...fitted(width, height));
      base.getContext("2d").drawImage(image, 0, 0, base.width, base.height);
      const layer = await painted(base.width, base.height).catch(() => new Layer(base.width, base.height, 1)); // it may be gone
      part("title").textContent = `The region of ${asked.whose}`;
      say();
      dialog.showModal();
      pad.open(base, layer, `${asked.whose} ${asked.picture} ${asked.mask}`);
    },
  };
};
