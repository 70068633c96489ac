// How clips are kept: two switches in the form, for the owner of the studio.
import { on, parts, write } from "./dom.js";
import * as page from "./page.js";

const AWAY = "The server did not answer. Try again.";
const NAMES = ["lossless", "frames"];

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element }) => {
  const part = parts(element);
  let asked = false;

  /** @type {(files: import("./messages.d.ts").ClipFiles) => void} */
  const show = (files) => {
    part("room").hidden = false;
    part("film").hidden = !!page.told.engine?.mp4;
    for (const name of NAMES) part(name).checked = files[name];
  };
  const ask = async (options = {}) => {
    const answer = await fetch("clips", options).catch(() => null);
    const told = answer ? await answer.json().catch(() => ({})) : {};
    write(part("problem"), answer?.ok ? "" : told.message || AWAY);
    if (answer?.ok) show(told);
    return !!answer?.ok;
  };
  const keep = async ({ target }) => {
    const body = JSON.stringify(Object.fromEntries(NAMES.map((name) => [name, part(name).checked])));
    if (!(await ask({ method: "POST", headers: { "Content-Type": "application/json" }, body }))) target.checked = !target.checked;
  };
  for (const name of NAMES) part(name).addEventListener("change", keep);
  // Who sits at the machine is known when the server has told of it.
  const begin = () => {
    if (asked || page.told.engine?.you?.role !== "owner") return;
    asked = true;
    ask();
  };
  on("engine", begin);
  begin();
};
