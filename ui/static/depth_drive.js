// What reads the depth map: said after each change of the checkpoint or the units, and set by two buttons.
import { snapshot } from "./desk.js";
import { on, parts, write } from "./dom.js";
import { follow } from "./memory.js";
import * as page from "./page.js";

let found = null; // what a press has found

// The values of the form with what was found; a checkpoint brings its own where they are untouched.
export const driven = (kind, names) => {
  const values = names.map((name) => found?.[name] ?? page.forms[kind][name]);
  const fresh = follow(kind, names, values, page.forms[kind].checkpoint);
  return values.map((value, place) => fresh[place] ?? value);
};

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, server }) => {
  const part = parts(element);
  const { kind } = props;
  const WAYS = ["checkpoint", "controlnet"];
  let held = null; // {checkpoint, controls} of the form, as text
  let turn = 0; // an answer that comes after a newer question is thrown away

  const of = ({ checkpoint, controls }) => ({ checkpoint, controls });
  const problem = (words) => write(part("problem"), words);

  const look = async () => {
    const mine = ++turn;
    const said = await server.reading(JSON.parse(held)).catch(() => null);
    if (!said || mine !== turn || !element.isConnected) return;
    for (const way of WAYS) part(way).setAttribute("aria-pressed", String(said[way]));
    part("words").textContent = said.words;
  };
  const hear = (values) => {
    const next = JSON.stringify(of(values));
    if (next === held) return;
    held = next;
    problem();
    look();
  };

  const press = async (way) => {
    if (!held) return;
    const answer = await server.drive({ way, ...JSON.parse(held) }).catch(() => null);
    if (!answer?.checkpoint) return problem(answer?.message || "The studio did not answer. Try again.");
    problem();
    found = answer;
    if (JSON.stringify(of(found)) === held) return;
    snapshot(kind);
    trigger("settle");
  };
  for (const way of WAYS) part(way).addEventListener("click", () => press(way));
  on("form", (detail) => detail.kind === kind && hear(detail.values));
  on("library", () => held && look());
  if (page.forms[kind]) hear(page.forms[kind]);
};
