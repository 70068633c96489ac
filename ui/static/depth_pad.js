// Drawing on a depth map: a brush of one grey, from far to near, over the map or over an empty one, on the sheet of paint_pad.js. What
// comes out is the strokes alone, so that the map below keeps its 16 bits.
import { surface } from "./dom.js";
import { Layer } from "./layer.js";
import { limit } from "./numbers.js";
import { fitted, paintPad } from "./paint_pad.js";
import { png } from "./png.js";
import { flatten } from "./stroke.js";

const grey = (share) => `#${Math.round(255 * share).toString(16).padStart(2, "0").repeat(3)}`;

// `part` finds the elements of the pad by name.
export const depthPad = (part) => {
  const pad = paintPad(part, "depth-pad");
  const { view, tool, edit } = pad;
  let base = null; // what lies below the strokes, a drawing surface
  let turned = false; // the map is inverted afterwards: what is shown as near is dark in it

  const choose = (depth) => {
    const share = limit(Number(depth) || 0, 0, 1);
    part("depth").value = share;
    part("depth-value").textContent = share.toFixed(2);
    part("swatch").style.background = grey(share);
    tool.setColor(grey(turned ? 1 - share : share));
  };
  // A ground that comes nearer from the middle of the picture down to its lower edge.
  const ground = (cells) => {
    const { width, height } = pad.layer();
    for (let y = Math.floor(height / 2); y < height; y += 1) {
      const share = (2 * (y + 0.5)) / height - 1;
      const level = Math.round(255 * (turned ? 1 - share : share));
      cells.fill((0xff000000 | (level * 0x010101)) >>> 0, y * width, (y + 1) * width);
    }
  };
  part("fill").addEventListener("click", () => edit((cells) => cells.fill(tool.abgr())));
  part("ground").addEventListener("click", () => edit(ground));
  part("depth").addEventListener("input", () => choose(part("depth").value));
  part("beneath").addEventListener("input", () => part("pad").style.setProperty("--beneath", part("beneath").value / 100));

  // The picture shows through, where there is one: it is drawn over the sheet, at the same place.
  view.moved = () => {
    const { style } = part("guide");
    if (!view.picture) return;
    const { width, height } = view.picture;
    Object.assign(style, { width: `${(width * view.scale) / view.dpr}px`, height: `${(height * view.scale) / view.dpr}px` });
    style.transform = `translate(${view.x / view.dpr}px, ${view.y / view.dpr}px)`;
  };

  return {
    forget: pad.forget,
    // `image`: the map as it came, or null; `size`: of an empty one; `guide`: the address of the picture; `inverted`: shown turned over;
    // `of`: the map and the picture, as text.
    open({ image, size, guide, inverted, of }) {
      const [width, height] = fitted(...(image ? [image.naturalWidth, image.naturalHeight] : size));
      base = surface(width, height);
      const context = base.getContext("2d");
      context.fillStyle = inverted ? "#ffffff" : "#000000";
      context.fillRect(0, 0, width, height);
      if (image) context.drawImage(image, 0, 0, width, height);
      turned = inverted;
      part("pad").classList.toggle("turned", inverted);
      part("guide").hidden = part("beneath-room").hidden = !guide;
      if (guide) part("guide").src = guide;
      choose(part("depth").value);
      pad.open(base, new Layer(width, height, 4), of);
    },
    // The strokes as a file; on an empty map, with what lies below.
    async file(alone) {
      pad.end(false);
      const layer = pad.layer();
      const { width, height } = layer;
      if (!alone) return png(width, height, 4, layer.bytes);
      const below = base.getContext("2d").getImageData(0, 0, width, height).data;
      const whole = flatten(below, layer);
      return png(width, height, 1, Uint8Array.from({ length: width * height }, (_, index) => whole[4 * index]));
    },
  };
};
