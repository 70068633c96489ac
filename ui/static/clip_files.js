// How clips are kept: choices in the form, for the owner of the studio, with what a clip of this form will take.
import { on, parts, write } from "./dom.js";
import * as page from "./page.js";

const AWAY = "The server did not answer. Try again.";
// Bytes for each pixel of a frame, about; latents are four numbers of four bytes for 64 pixels.
const SIZES = { lossless: 1.5, lossy: 0.2, png: 2, latents: 0.25 };
const amount = (bytes) => (bytes < 1e5 ? (bytes ? `${Math.ceil(bytes / 1000)} kB` : "") : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`);

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element }) => {
  const part = parts(element);
  const beside = [...element.querySelectorAll("input")].filter(({ type }) => type === "radio");
  let asked = false;
  /** @type {import("./messages.d.ts").ClipFiles} */
  let kept = { lossless: true, beside: "png" };

  const measure = ({ frames = 0, width = 0, height = 0 } = page.forms.video ?? {}) => {
    const size = (way) => amount(frames * width * height * SIZES[way]);
    part("animation").textContent = size(part("lossless").checked ? "lossless" : "lossy");
    for (const way of ["png", "latents"]) part(way).textContent = size(way);
  };
  const show = () => {
    part("room").hidden = false;
    part("film").hidden = !!page.told.engine?.mp4;
    part("lossless").checked = kept.lossless;
    for (const input of beside) input.checked = input.value === kept.beside;
    measure();
  };
  const ask = async (options = {}) => {
    const answer = await fetch("clips", options).catch(() => null);
    const told = answer ? await answer.json().catch(() => ({})) : {};
    write(part("problem"), answer?.ok ? "" : told.message || AWAY);
    if (answer?.ok) kept = told;
    if (answer?.ok || asked) show();
  };
  const keep = () => {
    const wanted = { lossless: part("lossless").checked, beside: beside.find((input) => input.checked)?.value };
    ask({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wanted) });
  };
  for (const input of [part("lossless"), ...beside]) input.addEventListener("change", keep);
  // Who sits at the machine is known when the server has told of it.
  const begin = () => {
    if (asked || page.told.engine?.you?.role !== "owner") return;
    asked = true;
    ask();
  };
  on("engine", begin);
  on("form", ({ kind, values }) => kind === "video" && measure(values));
  begin();
};
