// The keys of the paint canvas, while it has the focus or the pointer.
import { chord, typing } from "./keyboard.js";

/**
 * `on`: what the buttons do, by name; `shown` tells whether the canvas is seen.
 * @param {import("./canvas_sheet.js").Sheet} sheet
 */
export const keys = (sheet, { tool, pointers, showCursor }, choices, on, { shown, setLarger }) => {
  const room = sheet.part("room");
  const listens = (event) =>
    shown() && !typing(event.target) && !event.target.closest?.(".detail-box") && !event.isComposing && (room.contains(document.activeElement) || sheet.part("box").matches(":hover"));
  const KEY = {
    "ctrl+z": on.undo, "ctrl+shift+z": on.redo, "ctrl+y": on.redo, 0: () => sheet.view.fit(),
    arrowleft: () => choices.turn(-1), arrowright: () => choices.turn(1),
  };
  const PAINTING = {
    b: on.brush, e: on.eraser, x: on.boxing,
    "[": () => tool.setSize(Math.min(tool.size - 1, tool.size / 1.15)), "]": () => tool.setSize(Math.max(tool.size + 1, tool.size * 1.15)),
    "{": () => tool.setHardness(tool.hardness - 10), "}": () => tool.setHardness(tool.hardness + 10),
    "ctrl+i": on.invert, delete: on.clear,
  };
  const onKey = (event) => {
    if (event.key === "Escape" && room.classList.contains("larger")) setLarger(false);
    else if (!listens(event)) return;
    else if (event.key === " " && (document.activeElement === sheet.view.canvas || document.activeElement === document.body)) hand(true);
    else {
      const name = chord(event);
      if (name.startsWith("arrow") && event.target.matches("input")) return;
      const act = KEY[name] ?? (sheet.layer && PAINTING[name]);
      if (!act || act() === false) return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const hand = (spacing) => {
    pointers.spacing = spacing;
    if (sheet.picture) room.dataset.hand = spacing || !sheet.paints ? "pan" : "brush";
    if (spacing) showCursor(null);
  };
  window.addEventListener("keydown", onKey, true);
  window.addEventListener("keyup", (event) => event.key === " " && hand(false), true);
  window.addEventListener("blur", () => hand(false));
};
