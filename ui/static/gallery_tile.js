// A square of the grid. What is seen is written at once; what is read aloud, pointed at or searched for when the grid rests.
import { make } from "./dom.js";
import { lasts, named } from "./stage_words.js";
import { address } from "./stage_live.js";

/** @typedef {import("./messages.d.ts").GalleryPicture} Picture */

export const tile = () => {
  const image = make("img", { alt: "", decoding: "async", draggable: false });
  const stars = make("span", { className: "tile-stars" }, document.createTextNode(""));
  const heart = make("i", { className: "icon icon-heart full" });
  const marks = make("span", { className: "tile-marks" }, heart, stars);
  const tick = make("span", { className: "tick" }, make("i", { className: "icon icon-check" }));
  const length = make("span", { className: "tile-length" }, document.createTextNode(""));
  const made = make("div", { className: "tile", role: "option", draggable: true, "aria-selected": "false" }, image, tick, marks, length);
  image.addEventListener("error", () => made.classList.add("missing")); // its file is gone; the book knows the rest
  plays(made);
  return Object.assign(made, { image, length: length.firstChild, stars: stars.firstChild, marked: "", index: -1, picked: false, current: false, told: null });
};
// A clip plays while one points at it: its small version is fetched then, and lies over the still one.
const plays = (node) => {
  node.addEventListener("pointerenter", () => {
    if (!(node.shown?.frames > 1) || isStill.matches) return;
    const over = make("img", { className: "tile-moving", alt: "", src: `${address("thumb", node.shown.id)}/moving` });
    node.querySelector("img").after(over); // below what is written on the square
  });
  node.addEventListener("pointerleave", () => node.querySelector(".tile-moving")?.remove());
};
const isStill = matchMedia("(prefers-reduced-motion: reduce)");

export const put = (node, { x, y }) => {
  node.y = y;
  node.parked = false;
  node.style.transform = `translate(${x}px, ${y}px)`;
};
export const park = (node) => (put(node, { x: -9999, y: 0 }), (node.parked = true)); // a square that is hidden costs a layout, twice

// An attribute that is written again, even the same, has its styles looked up again; and a text keeps its node, as others watch for new ones.
export const mark = (node, rating, favourite) => {
  const marked = `${favourite ? "loved " : ""}${rating ? "★".repeat(rating) : ""}`;
  if (marked === node.marked) return;
  node.marked = marked;
  node.stars.data = "★".repeat(rating);
  node.classList.toggle("marked", !!marked);
  node.classList.toggle("loved", favourite);
};
export const pick = (node, picked, current) => {
  if (picked !== node.picked) node.setAttribute("aria-selected", String((node.picked = picked)));
  if (current !== node.current) {
    node.classList.toggle("active", (node.current = current));
    if (current) node.id = "tile-active";
    else node.removeAttribute("id");
  }
};
// How long a clip is, in its corner.
export const time = (node, picture) => {
  const words = picture?.frames > 1 ? lasts(picture) : "";
  if (words === node.length.data) return;
  node.length.data = words;
  node.classList.toggle("clip", !!words);
};
/** @type {(node: any, picture: Picture | undefined) => void} */
export const tell = (node, picture) => {
  if (node.position !== node.index) node.setAttribute("aria-posinset", String((node.position = node.index) + 1));
  if (node.told === picture) return;
  node.told = picture;
  if (!picture) {
    node.removeAttribute("data-picture");
    node.removeAttribute("aria-label");
    node.title = "";
    return;
  }
  node.dataset.picture = picture.id;
  node.setAttribute("aria-label", named(picture) + (picture.rating ? `, ${picture.rating} of 5 stars` : ""));
  node.title = picture.prompt;
};
