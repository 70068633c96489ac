// A menu that a button opens: a press elsewhere or Esc closes it, and arrow keys walk through its buttons.
import { findAll } from "./dom.js";

// `filled` is called before it opens. Returns what opens (true) and closes (false) it.
export const dropdown = (button, menu, filled = () => {}) => {
  const show = (open) => {
    if (open) filled();
    menu.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) menu.querySelector("button, input, select")?.focus({ preventScroll: true });
  };
  show(false);
  button.addEventListener("click", () => show(menu.hidden));
  document.addEventListener("pointerdown", ({ target }) => menu.hidden || menu.contains(target) || button.contains(target) || show(false));
  menu.parentElement.addEventListener("keydown", (event) => {
    if (menu.hidden) return;
    if (event.key === "Escape") (event.stopPropagation(), show(false), button.focus());
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const items = findAll("button", menu);
    const at = items.indexOf(document.activeElement);
    if (!by || at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    items[(at + by + items.length) % items.length].focus();
  });
  return show;
};
