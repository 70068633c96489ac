// A rubber band over the grid of the library: the mouse is pressed beside the pictures and drawn over them, and they are selected.
import { make } from "./dom.js";

const BEGINS = 5; // pixels that the mouse must move
const EDGE = 48; // pixels from the upper and lower edge in which the grid moves along
const PACE = 0.5; // pixels of a frame for each pixel into the edge

// `within(box)`: the places of the pictures in a box of the grid; `chosen`: the selection.
export const band = (scroll, space, { within, chosen }) => {
  const mark = space.appendChild(make("div", { className: "gallery-rubber", hidden: true }));
  let held = null; // {from, pointer, way, moved, over} while the mouse is down: where it began, in the grid; where it is now, in the window
  let frame = 0;

  const inGrid = ({ x, y }) => {
    const frame = space.getBoundingClientRect();
    return { x: x - frame.left, y: y - frame.top };
  };
  const edge = (y) => {
    const { top, bottom } = scroll.getBoundingClientRect();
    return PACE * (Math.min(0, y - top - EDGE) + Math.max(0, y - bottom + EDGE));
  };
  const draw = () => {
    frame = 0;
    if (!held || held.over) return;
    const by = edge(held.pointer.y);
    if (by) scroll.scrollTop += by;
    const [from, to] = [held.from, inGrid(held.pointer)];
    const wide = space.clientWidth;
    const box = {
      left: Math.max(0, Math.min(from.x, to.x)), right: Math.min(wide, Math.max(from.x, to.x)),
      top: Math.max(0, Math.min(from.y, to.y)), bottom: Math.min(space.clientHeight, Math.max(from.y, to.y)),
    };
    Object.assign(mark.style, { transform: `translate(${box.left}px, ${box.top}px)`, width: `${box.right - box.left}px`, height: `${box.bottom - box.top}px` });
    mark.hidden = false;
    chosen.stretch(within(box));
    if (by) redraw();
  };
  const redraw = () => {
    if (!frame) frame = requestAnimationFrame(draw);
  };

  const end = () => {
    const { moved, over } = held;
    held = null;
    removeEventListener("keydown", leave, true);
    if (!moved) return;
    if (!over) settle(true);
    scroll.addEventListener("click", swallow, { capture: true, once: true }); // the click that ends it is none
    setTimeout(() => scroll.removeEventListener("click", swallow, { capture: true }));
  };
  const settle = (keeps) => {
    if (held) held.over = true;
    mark.hidden = true;
    chosen.stretched(keeps);
  };
  const swallow = (event) => event.stopPropagation();
  const leave = (event) => {
    if (event.key !== "Escape" || !held.moved || held.over) return;
    event.stopPropagation();
    settle(false);
  };
  const onBar = ({ clientX }) => clientX > scroll.getBoundingClientRect().left + scroll.clientLeft + scroll.clientWidth;

  scroll.addEventListener("pointerdown", (event) => {
    const { pointerType, button, target, clientX: x, clientY: y, shiftKey, ctrlKey, metaKey, pointerId } = event;
    if (pointerType !== "mouse" || button || target.closest(".tile") || onBar(event)) return;
    held = { from: inGrid({ x, y }), pointer: { x, y }, way: shiftKey ? "extend" : ctrlKey || metaKey ? "add" : "only", moved: false, over: false };
    scroll.setPointerCapture(pointerId);
    addEventListener("keydown", leave, true);
  });
  scroll.addEventListener("pointermove", ({ clientX: x, clientY: y }) => {
    if (!held || held.over) return;
    if (!held.moved && Math.hypot(x - held.pointer.x, y - held.pointer.y) < BEGINS) return;
    if (!held.moved) chosen.begin(held.way);
    held.moved = true;
    held.pointer = { x, y };
    redraw();
  });
  scroll.addEventListener("scroll", () => held?.moved && redraw(), { passive: true });
  for (const name of ["pointerup", "pointercancel"]) scroll.addEventListener(name, () => held && end());
};
