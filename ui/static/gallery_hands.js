// Mouse, fingers and keys on the grid of the library.
import { markOf } from "./stars.js";

const LONG = 450; // milliseconds until a finger that rests selects
const STILL = 10; // pixels that it may move
const MOVES = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];

// `view`: the grid; `chosen`: the selection; `open(index)`: the large view; `mark`: what a key does with pictures.
export const hands = (scroll, { view, chosen, open, mark, drag }) => {
  let finger = null; // {x, y, timer} while one rests
  let held = false; // a long press has selected: the click that follows is none
  let kind = "mouse";
  const indexOf = (target) => {
    const tile = target.closest?.(".tile");
    return tile ? tile.index : -1;
  };

  const pick = (index, { shiftKey, ctrlKey, metaKey, target }) => {
    const several = kind === "touch" && chosen.all().length;
    if (shiftKey) chosen.range(index);
    else if (ctrlKey || metaKey || several || target.closest(".tick")) chosen.toggle(index);
    else if (kind === "touch") open(index);
    else chosen.only(index);
  };
  scroll.addEventListener("click", (event) => {
    const index = indexOf(event.target);
    const pressed = held;
    held = false;
    if (pressed) return;
    if (index < 0) return chosen.clear();
    view.move(index);
    pick(index, event);
  });
  scroll.addEventListener("dblclick", (event) => {
    const index = indexOf(event.target);
    if (index >= 0 && kind !== "touch") open(index);
  });

  // ---- fingers ---------------------------------------------------------------------------------------------------------------

  const lift = () => {
    clearTimeout(finger?.timer);
    finger = null;
  };
  const rest = (index) => {
    held = true;
    view.move(index);
    chosen.toggle(index);
    navigator.vibrate?.(10);
  };
  scroll.addEventListener("pointerdown", ({ pointerType, target, clientX, clientY }) => {
    kind = pointerType;
    held = false;
    const index = indexOf(target);
    if (kind === "touch" && index >= 0) finger = { x: clientX, y: clientY, timer: setTimeout(() => rest(index), LONG) };
  });
  scroll.addEventListener("pointermove", ({ clientX, clientY }) => {
    if (finger && Math.hypot(clientX - finger.x, clientY - finger.y) > STILL) lift();
  });
  for (const name of ["pointerup", "pointercancel"]) scroll.addEventListener(name, lift);
  scroll.addEventListener("contextmenu", (event) => kind === "touch" && event.preventDefault());
  scroll.addEventListener("dragstart", (event) => {
    if (kind === "touch") return event.preventDefault();
    const tile = event.target.closest(".tile");
    if (!chosen.has(tile.dataset.picture)) chosen.only(tile.index);
    drag(event);
  });

  // ---- keys ------------------------------------------------------------------------------------------------------------------

  const walk = (event) => {
    view.move(view.beside(event.key));
    if (event.shiftKey) chosen.range(view.active);
    else if (!event.ctrlKey && !event.metaKey) chosen.only(view.active);
  };
  const ACTS = { Enter: () => open(view.active), " ": () => chosen.toggle(view.active), Escape: () => chosen.clear() };
  scroll.addEventListener("keydown", (event) => {
    const command = event.ctrlKey || event.metaKey;
    const act = MOVES.includes(event.key) ? () => walk(event) : command && event.key.toLowerCase() === "a" ? chosen.everything : command ? null : ACTS[event.key] ?? (markOf(event) && (() => mark(markOf(event))));
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
};
