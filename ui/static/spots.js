// Spots of a picture, as numbered dots over it; and the one that is being set: by a press on the picture, or by arrow keys.
import { make } from "./dom.js";

const STEP = 0.02; // of the picture, for an arrow key
const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
const share = (value) => Math.min(1, Math.max(0, value));

/** Where a picture lies within its element, which shows all of it (object-fit: contain).
 * @type {(width: number, height: number, natural: number, tall: number) => number[]} */
export const contained = (width, height, natural, tall) => {
  const scale = Math.min(width / (natural || 1), height / (tall || 1));
  return [(width - natural * scale) / 2, (height - tall * scale) / 2, natural * scale, tall * scale];
};

// `chosen` hears the number of a dot that was pressed, `placed` where the one lies that is being set, and whether a hand has set it there.
/** @type {(image: HTMLImageElement, into: HTMLElement, hears: { chosen: (place: number) => void, placed: (spot: number[], pressed: boolean) => void }) => any} */
export const spots = (image, into, { chosen, placed }) => {
  const layer = make("div", { className: "spots", hidden: true });
  into.append(layer);
  let draft = null; // where the one lies that is being set
  let before = ""; // the dots that are there: they stay while a press is on its way

  const lay = () => {
    const [left, top, width, height] = contained(image.clientWidth, image.clientHeight, image.naturalWidth, image.naturalHeight);
    Object.assign(layer.style, { left: `${image.offsetLeft + left}px`, top: `${image.offsetTop + top}px`, width: `${width}px`, height: `${height}px` });
  };
  new ResizeObserver(lay).observe(image);
  image.addEventListener("load", lay);

  const at = (dot, [x, y]) => Object.assign(dot.style, { left: `${100 * x}%`, top: `${100 * y}%` });
  const dot = ({ place, spot, says }) => {
    const made = make("button", { type: "button", className: "spot", textContent: String(place), title: says, "aria-label": `Comment ${place}: ${says}`, "data-place": String(place) });
    made.addEventListener("click", () => chosen(place));
    at(made, spot);
    return made;
  };
  const own = make("button", { type: "button", className: "spot draft", "aria-label": "The spot that you speak of; arrow keys move it", textContent: "+" });
  const set = (spot, pressed) => {
    draft = spot;
    at(own, spot);
    placed(spot, pressed);
  };
  own.addEventListener("keydown", (event) => {
    const by = ARROWS[event.key];
    if (!by || !draft) return;
    event.preventDefault();
    event.stopPropagation();
    set([share(draft[0] + by[0]), share(draft[1] + by[1])], false);
  });
  layer.addEventListener("pointerdown", (event) => {
    if (!draft || event.button || event.target.closest(".spot:not(.draft)")) return;
    const box = layer.getBoundingClientRect();
    event.preventDefault();
    set([share((event.clientX - box.left) / box.width), share((event.clientY - box.top) / box.height)], true);
  });

  // `list`: dots that are there; `spot`: the one that is being set, or null.
  return (shown, list, spot) => {
    layer.hidden = !shown;
    draft = spot;
    layer.dataset.placing = spot ? "yes" : "no";
    if (spot) at(own, spot);
    const now = JSON.stringify([list, Boolean(spot)]);
    if (now !== before) layer.replaceChildren(...list.map(dot), ...(spot ? [own] : []));
    before = now;
    lay();
  };
};
