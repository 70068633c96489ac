// What is done with a picture: its settings into the form, and the picture into another tab, by a menu.
import { snapshot } from "./desk.js";
import { lookInside } from "./page.js";
import { targets } from "./targets.js";

const SAYS = {
  "": "The form has the settings of this picture.",
  txt2img: "Its words and settings are in text to image.",
  controlnet: "The picture is in the first unit of ControlNet.",
  upscale: "The picture is in enlarge, to be drawn larger.",
};

// Name of a part -> what a press of it does. `picture` gives the selected one, `tell` has it sent; `sent` hears of it.
export const menu = (part, { picture, tell, speak, sent }) => {
  const open = (wanted) => {
    part("menu").hidden = !wanted;
    part("send").setAttribute("aria-expanded", String(wanted));
    if (wanted) part("menu").querySelector("button").focus();
  };
  // Fills the form of a tab; what it held can be brought back.
  const send = (to) => {
    open(false);
    snapshot(to || picture()?.kind || "txt2img");
    tell(to);
    speak(SAYS[to] ?? `The picture is in ${targets()[to].toLowerCase()}.`);
    sent();
  };
  document.addEventListener("pointerdown", ({ target }) => part("menu").hidden || part("menu").parentElement.contains(target) || open(false));
  part("menu").parentElement.addEventListener("keydown", (event) => {
    if (part("menu").hidden) return;
    if (event.key === "Escape") (event.stopPropagation(), open(false), part("send").focus());
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const items = [...part("menu").children];
    items[(items.indexOf(document.activeElement) + by + items.length) % items.length].focus();
  });
  const inside = () => (open(false), lookInside(picture().id));
  const to = Object.keys(targets()).map((kind) => [`to-${kind}`, () => send(kind)]);
  return { settings: () => send(""), send: () => open(part("menu").hidden), "to-inside": inside, ...Object.fromEntries(to) };
};
