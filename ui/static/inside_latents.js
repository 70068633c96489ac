// Latents: the four channels that the picture is while it is drawn, and what the VAE loses on the way there and back.
import { make } from "./dom.js";
import { facts, slider } from "./inside_parts.js";

/** @typedef {import("./messages.d.ts").LatentsFound} Latents */

const count = (number) => number.toLocaleString("en");
const opened = async (source) => {
  const image = Object.assign(new Image(), { src: source });
  await image.decode();
  return image;
};
const pixels = (image) => {
  const canvas = make("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
};
// How far each pixel is apart, so many times as strong.
const apart = (one, other, times, canvas) => {
  const made = new ImageData(one.width, one.height);
  for (let place = 0; place < one.data.length; place += 1) made.data[place] = place % 4 === 3 ? 255 : times * Math.abs(one.data[place] - other.data[place]);
  Object.assign(canvas, { width: one.width, height: one.height });
  canvas.getContext("2d").putImageData(made, 0, 0);
};

/** @type {import("./inside_page.js").Panel} */
export const latents = {
  name: "latents",
  title: "Latents",
  head: "Four small pictures for one large",
  says: "The model never sees pixels: it draws in latents, four channels of numbers, and the VAE makes pixels of them at the very end. Move the slider from your picture to what comes back after the way to latents and out again; the difference below is what gets lost.",
  show({ body, foot, stage, file, look }) {
    look("latents", async ({ found }) => {
      if (foot.childElementCount || !found) return;
      const { psnr, pixels: all, numbers, shape, channels } = /** @type {Latents} */ (found);
      const channel = ({ mean, spread }, place) =>
        make("figure", { className: "inside-shot" }, make("img", { src: file("latents", `channel-${place}.png`), alt: `Channel ${place + 1}` }), make("figcaption", { textContent: `${mean.toFixed(2)} ± ${spread.toFixed(2)}` }));
      const lost = make("canvas", { role: "img", "aria-label": "The difference" });
      const [before, trip] = [file("latents", "before.png"), file("latents", "trip.png")];
      const seen = slider("Seen", 1, (place) => (place ? "There and back" : "Your picture"), (place) => {
        stage.show(place ? trip : before, place ? "What comes back from latents" : "Your picture");
        stage.say(`${psnr >= 99 ? "Nothing was lost" : `${psnr.toFixed(1)} dB between the two`}`);
      });
      foot.append(seen.root);
      seen.go(1);
      body.append(
        make("div", { className: "inside-channels" }, ...channels.map(channel)),
        facts([["The picture", `${count(all)} numbers`], ["Its latents", `${count(numbers)} numbers`], ["That is", `${Math.round(all / numbers)} to 1`], ["Shape", shape.join(" × ")], ["Peak signal to noise", `${psnr.toFixed(1)} dB`]]),
      );
      const [one, other] = (await Promise.all([opened(before), opened(trip)]).catch(() => [])).map(pixels);
      if (!one || !body.isConnected) return;
      const stronger = slider("Difference", 4, (place) => `${2 ** place} times`, (place) => apart(one, other, 2 ** place, lost), 2);
      body.append(make("div", { className: "inside-lost" }, lost, stronger.root));
      stronger.go(2);
    });
  },
};
