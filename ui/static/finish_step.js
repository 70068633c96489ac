// One step of a finish as a row: what it does, what of it stays, and what can be done with it.
import { dropdown } from "./dropdown.js";
import { make } from "./dom.js";

/** @typedef {import("./messages.d.ts").FinishStepLine} Step */
const SHORT = 60; // letters of a prompt

const sign = (name) => make("i", { className: `icon icon-${name}` });
const round = (icon, says, does = () => {}) => {
  const made = make("button", { type: "button", className: "round", title: says, "aria-label": says }, sign(icon));
  made.addEventListener("click", does);
  return made;
};
const switched = (says, title, on, set) => {
  const box = make("input", { type: "checkbox", checked: on });
  box.addEventListener("change", () => set(box.checked));
  return make("label", { className: "finish-switch", title }, box, make("span", { textContent: says }));
};
const short = (words) => (words.length > SHORT ? `${words.slice(0, SHORT)}…` : words || "no words");

// `acts`: change(fields), remove(), move(by), show(), take().
/** @type {(step: Step, place: { at: number, count: number }, acts: Record<string, (value?: any) => void>) => HTMLElement} */
export const row = (step, { at, count }, acts) => {
  const { title, words, prompt, own, keep } = step;
  const called = `Step ${at + 1}, ${title}`;
  /** @type {[string, () => void][]} */
  const items = [
    .../** @type {[string, () => void][]} */ (at ? [["Move up", () => acts.move(-1)]] : []),
    .../** @type {[string, () => void][]} */ (at + 1 < count ? [["Move down", () => acts.move(1)]] : []),
    [`Show it in ${title}`, () => acts.show()],
    [`Take what ${title} has now`, () => acts.take()],
  ];
  const menu = make("div", { className: "menu finish-menu", hidden: true });
  const more = round("ellipsis", `What to do with ${called.toLowerCase()}`);
  more.setAttribute("aria-haspopup", "true");
  const holder = make("div", { className: "gallery-drop" }, more, menu);
  const show = dropdown(more, menu);
  menu.append(...items.map(([says, does]) => {
    const item = make("button", { type: "button", textContent: says });
    item.addEventListener("click", () => (show(false), does()));
    return item;
  }));
  return make("li", { className: "finish-step", "aria-label": called },
    make("span", { className: "finish-place", "aria-hidden": "true", textContent: String(at + 1) }),
    make("div", { className: "finish-body" },
      make("b", { textContent: title }),
      make("span", { className: "finish-does", textContent: words, title: words }),
    ),
    make("div", { className: "finish-acts" }, holder, round("x", `Remove ${called.toLowerCase()}`, () => acts.remove())),
    make("div", { className: "finish-more" },
      prompt === null ? "" : switched("Words and models of the picture", "Else those that the tab had; they count as well where a picture was not drawn from words", own, (value) => acts.change({ own: value })),
      prompt === null || own ? "" : make("span", { className: "finish-does", textContent: short(prompt), title: prompt }),
      at + 1 === count ? "" : switched("Keep what comes of it", "Else it goes to the bin when the next step is done, unless you have marked it", keep, (value) => acts.change({ keep: value })),
    ),
  );
};
