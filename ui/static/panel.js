// The panel: which of its pages is seen, and whether it is open. Both are kept in this browser.
import * as folds from "./folds.js";
import { findAll, make, on, parts } from "./dom.js";

const WIDE = 1180; // pixels of the window above which it is open at first
const NARROW = 780; // pixels up to which it is a sheet that covers the rest
const room = () => document.getElementById("room");
/** @type {{ turn: (name: string) => void }} */
const seen = { turn: () => {} };

const lay = (open) => {
  room().classList.toggle("panel-open", open);
  for (const button of findAll('[data-opens="panel"]')) button.setAttribute("aria-expanded", String(open));
};
export const showPanel = (open = true) => {
  lay(open);
  if (innerWidth > NARROW) folds.keep("panel", open);
};
/** Closes the panel where it is a sheet over all the rest. True when it was one. */
export const closePanelSheet = () => {
  if (innerWidth > NARROW || !room().classList.contains("panel-open")) return false;
  lay(false);
  findAll('[data-opens="panel"]').find((button) => button.getClientRects().length)?.focus();
  return true;
};
export const togglePanel = () => showPanel(!room().classList.contains("panel-open"));
export const showPage = (name) => (seen.turn(name), showPanel());

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, props }) => {
  const part = parts(element);
  const tabs = props.pages.map(({ name, title }) => {
    const button = make("button", { type: "button", role: "tab", id: `panel-tab-${name}`, "aria-controls": `panel-${name}` },
      make("span", { textContent: title }), make("span", { className: "panel-count", "data-count": name }));
    button.addEventListener("click", () => turn(name));
    return button;
  });
  part("tabs").append(...tabs);

  const turn = (name) => {
    for (const page of findAll("#panel > .panel-page")) {
      page.toggleAttribute("data-seen", page.id === `panel-${name}`);
      page.setAttribute("role", "tabpanel");
      page.setAttribute("aria-labelledby", page.id.replace("panel-", "panel-tab-"));
    }
    folds.keep("panel-page", name);
    props.pages.forEach((page, index) => {
      const chosen = page.name === name;
      tabs[index].setAttribute("aria-selected", String(chosen));
      tabs[index].tabIndex = chosen ? 0 : -1;
    });
  };
  part("tabs").addEventListener("keydown", ({ key }) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!by) return;
    const next = (tabs.indexOf(document.activeElement) + by + tabs.length) % tabs.length;
    tabs[next].focus();
    turn(props.pages[next].name);
  });
  part("close").addEventListener("click", () => showPanel(false));
  seen.turn = turn;

  const kept = folds.was("panel-page", "");
  turn(props.pages.some(({ name }) => name === kept) ? kept : props.pages[0].name);
  // A window that is drawn narrower does not find itself under a sheet that nobody has opened.
  const settle = () => lay(innerWidth > NARROW && folds.was("panel", innerWidth > WIDE));
  for (const width of [WIDE, NARROW]) matchMedia(`(max-width: ${width}px)`).addEventListener("change", settle);
  settle();
};
// On a phone the sheet makes way for what is done elsewhere.
on("tab", () => innerWidth <= NARROW && room() && lay(false));
