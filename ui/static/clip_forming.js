// A clip as it forms: each preview is a strip of its frames, shown below, and plays as a loop where pictures form.
import { make } from "./dom.js";

const GAP = 2; // pixels between the frames of a strip
const isStill = matchMedia("(prefers-reduced-motion: reduce)");

// The frames of a strip, as addresses of small pictures.
const cut = (strip, count) => {
  const wide = (strip.naturalWidth + GAP) / count - GAP;
  const canvas = make("canvas", { width: Math.round(wide), height: strip.naturalHeight });
  return Array.from({ length: count }, (_, place) => {
    canvas.getContext("2d").drawImage(strip, place * (wide + GAP), 0, wide, strip.naturalHeight, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/jpeg", 0.9);
  });
};

// `frame`: the surface. `still(address)` shows one picture on it.
export const forming = (frame, still) => {
  const row = make("div", { className: "clip-strip", role: "img", "aria-label": "The frames as they form", hidden: true });
  frame.append(row);
  /** @type {string[]} */
  let frames = [];
  let [place, timer, turn] = [0, 0, 0];

  const next = () => {
    place = (place + 1) % frames.length;
    still(frames[place]);
  };
  const show = async (address, { frames: count, pace }) => {
    const mine = (turn += 1);
    const strip = make("img", { src: address });
    await strip.decode().catch(() => {});
    if (mine !== turn || !strip.naturalWidth) return;
    frames = cut(strip, count);
    row.replaceChildren(...frames.map((src) => make("img", { src, alt: "" })));
    row.hidden = count < 2;
    still(frames[(place %= count)]);
    if (!timer && !isStill.matches && count > 1) timer = window.setInterval(next, 1000 / (pace || 7));
  };
  const clear = () => {
    turn += 1;
    clearInterval(timer);
    timer = place = 0;
    row.hidden = true;
  };
  return { show, clear };
};
