// What is done with a picture: its settings into the form, and the picture into another tab, by a menu.
import { snapshot } from "./desk.js";
import { lookInside } from "./page.js";

const SAYS = {
  "": "The form has the settings of this picture.",
  txt2img: "Its words and settings are in text to image.",
  img2img: "The picture is in image to image.",
  inpaint: "The picture is in inpaint.",
  outpaint: "The picture is in outpaint.",
  controlnet: "The picture is in the first unit of ControlNet.",
  hires: "The picture is in hires fix.",
  details: "The picture is in details.",
  enlarge: "The picture is in enlarge.",
  upscale: "The picture is in enlarge, to be drawn larger.",
  depth: "The picture is in depth.",
  video: "The picture is in video.",
  turn: "The picture is in turn.",
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
    speak(SAYS[to]);
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
  const to = Object.keys(SAYS).filter(Boolean).map((kind) => [`to-${kind}`, () => send(kind)]);
  return { settings: () => send(""), send: () => open(part("menu").hidden), "to-inside": inside, ...Object.fromEntries(to) };
};
