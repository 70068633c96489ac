// The presets: a list that is searched, several of it chosen one after another, what they would make of the form, and that put into it.
import { notify, snapshot } from "./desk.js";
import { find, later, make, write } from "./dom.js";
import { chooses } from "./files.js";
import * as page from "./page.js";
import { ask, hand, likeness } from "./preset_ask.js";
import { presetForm } from "./preset_form.js";
import { keep } from "./save_as.js";

/** @typedef {import("./messages.d.ts").PresetLine} Preset */
/** @typedef {import("./messages.d.ts").PresetLook} Look */

const SOON = 120; // milliseconds after a choice until what it would change is asked for
const NONE = "No preset yet. Set the form as you like it and keep it, or bring in the styles that you have: a styles.csv of A1111, or the JSON of Fooocus or SD.Next.";
const CHOOSE = "Choose one or several. What they would make of the form shows here before anything is changed.";

const button = (says, className, act, looks = {}) => {
  const made = make("button", { type: "button", className, ...looks }, says);
  made.addEventListener("click", act);
  return made;
};
const sign = (name) => make("i", { className: `icon small icon-${name}` });

/** @param {HTMLDialogElement} dialog @param {(told: Record<string, any>) => void} fill */
export const presetList = (dialog, fill) => {
  let kind = "";
  /** @type {Preset[]} */
  let known = [];
  let chosen = []; // ids, in the order in which they were chosen
  let turn = 0; // an answer to what was chosen before comes too late

  const search = make("input", { type: "search", placeholder: "Search presets", "aria-label": "Search presets", autocomplete: "off", spellcheck: false });
  const rows = make("ul", { className: "preset-rows", "aria-label": "Presets" });
  const looked = make("div", { className: "preset-looked", "aria-live": "polite" });
  const problem = make("p", { className: "preset-problem", role: "alert", hidden: true });
  const file = make("input", { type: "file", accept: ".csv,.json,.txt", hidden: true });
  const body = make("div", { className: "preset-body" });
  const foot = make("div", { className: "preset-foot" });
  const title = make("h2", { id: "presets-title", textContent: "Presets" });
  const close = button(make("i", { className: "icon icon-x" }), "round", () => dialog.close(), { "aria-label": "Close", title: "Close (Esc)" });
  dialog.append(make("div", { className: "preset-head" }, title, close), problem, body, foot, file);

  // What the server refuses is said on top.
  const tried = async (act) => {
    write(problem);
    try {
      return await act();
    } catch (error) {
      write(problem, error.message);
    }
  };

  // ---- what they would make of the form ------------------------------------------------------------------------------------

  const words = (name, pieces) =>
    pieces && make("section", {}, make("h3", { textContent: name }), make("p", { className: "preset-words" }, ...pieces.map(({ text, added }) => make(added ? "mark" : "span", { textContent: text }))));
  const changes = (those) =>
    those.length && make("section", {}, make("h3", { textContent: "Settings" }), make("dl", { className: "preset-changes" }, ...those.map(({ title: what, before, after }) =>
      make("div", {}, make("dt", { textContent: what }), make("dd", {}, make("s", { textContent: before }), make("i", { className: "icon small icon-arrow-right", role: "img", "aria-label": "becomes" }), make("b", { textContent: after }))),
    )));
  /** @param {Look} look */
  const show = (look) => {
    const notes = [look.problem, ...look.notes].filter(Boolean);
    const told = [words("Prompt", look.prompt), words("Negative prompt", look.negative_prompt), changes(look.changes)].filter(Boolean);
    if (!told.length) told.push(make("p", { className: "preset-quiet", textContent: "The form is like that already." }));
    looked.replaceChildren(...told, notes.length ? make("ul", { className: "preset-notes" }, ...notes.map((note) => make("li", { textContent: note }))) : "");
    apply.disabled = !!look.problem;
  };
  const look = later(SOON, async () => {
    const mine = (turn += 1);
    if (!chosen.length) return looked.replaceChildren(make("p", { className: "preset-quiet", textContent: known.length ? CHOOSE : NONE }));
    const told = await tried(() => ask("/look", { ids: chosen, kind, values: page.forms[kind] ?? {} }));
    if (mine === turn && told) show(told);
  });

  // ---- the list --------------------------------------------------------------------------------------------------------------

  const choose = (id) => {
    chosen = chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id];
    draw();
    find(`[data-preset="${CSS.escape(id)}"] .preset-choose`, rows)?.focus({ preventScroll: true });
  };
  const row = (preset) => {
    const at = chosen.indexOf(preset.id);
    const inside = make("span", { className: "preset-about" }, make("b", { textContent: preset.name }), make("span", { textContent: preset.note || [preset.words, preset.keeps].filter(Boolean).join(" · ") || preset.about }));
    const pick = button("", "preset-choose", () => choose(preset.id), { ariaPressed: String(at >= 0), disabled: !!preset.note, title: preset.about });
    pick.append(likeness(preset, make), inside, chosen.length > 1 && at >= 0 ? make("span", { className: "preset-turn", textContent: String(at + 1), title: "Its turn among those that are chosen" }) : "");
    const change = button(sign("pencil"), "round", () => edit(preset.id), { "aria-label": `Change the preset ${preset.name}`, title: "Change or delete it", disabled: !!preset.note });
    const gone = button(sign("trash-2"), "round", () => remove([preset.id]), { "aria-label": `Delete the preset ${preset.name}`, title: "Delete it" });
    return make("li", { "data-preset": preset.id }, pick, preset.note ? gone : change);
  };
  const draw = () => {
    const asked = search.value.trim().toLowerCase().split(/\s+/);
    const says = ({ name, words: added, about, keeps }) => asked.every((word) => `${name} ${added} ${about} ${keeps}`.toLowerCase().includes(word));
    const found = known.filter(says);
    rows.replaceChildren(...found.map(row));
    if (!found.length && known.length) rows.append(make("li", { className: "preset-quiet", textContent: "No preset has these words." }));
    search.hidden = known.length < 2;
    apply.hidden = !chosen.length;
    apply.textContent = chosen.length > 1 ? `Apply these ${chosen.length}` : "Apply";
    out.hidden = !known.length;
    out.lastChild.textContent = chosen.length ? "Export these" : "Export all";
    look();
  };
  const load = async () => {
    known = (await ask()).presets;
    chosen = chosen.filter((id) => known.some((each) => each.id === id && !each.note));
    draw();
  };

  // ---- what is done ----------------------------------------------------------------------------------------------------------

  const apply = button("Apply", "quiet preset-apply", () => {
    snapshot(kind);
    fill({ ids: chosen, kind, values: page.forms[kind] ?? {} });
    dialog.close();
  });
  const out = button(sign("download"), "act", () => keep(`presets/file${chosen.length ? `?${chosen.map((id) => `id=${encodeURIComponent(id)}`).join("&")}` : ""}`, "atelier-presets.json"), { title: "A file with their words, settings and pictures" });
  out.append("Export all");
  const restore = async (blob) => {
    await tried(() => hand("/file", blob));
    if (dialog.open) load();
  };
  const remove = (ids) => tried(async () => {
    const answer = await fetch(`presets/file?${ids.map((id) => `id=${encodeURIComponent(id)}`).join("&")}`);
    const before = answer.ok ? await answer.blob() : null;
    await ask("/delete", { ids });
    await load();
    back();
    notify("The preset is deleted.", before && { says: "Undo", does: () => restore(before) });
  });
  const bring = (source) => tried(async () => {
    const { ids, notes } = await hand("/file", source);
    await load();
    const what = `${ids.length.toLocaleString("en")} ${ids.length === 1 ? "preset was" : "presets were"} brought in.`;
    write(problem, notes.join(" "));
    notify(what, ids.length ? { says: "Undo", does: () => tried(async () => (await ask("/delete", { ids }), load())) } : null);
  });
  chooses(file, bring);
  dialog.addEventListener("dragover", (event) => event.preventDefault());
  dialog.addEventListener("drop", (event) => {
    event.preventDefault();
    const [dropped] = event.dataTransfer?.files ?? [];
    if (dropped && body.dataset.shows === "list") bring(dropped);
  });

  const back = () => {
    title.textContent = "Presets";
    write(problem);
    body.dataset.shows = "list";
    body.replaceChildren(make("div", { className: "preset-side" }, search, rows), looked);
    const fresh = button(sign("plus"), "act", () => edit(""), { title: "What the form holds now, or a part of it, under a name" });
    fresh.append("Keep this form…");
    const into = button(sign("upload"), "act", () => file.click(), { title: "styles.csv of A1111, JSON styles of Fooocus and SD.Next, or presets that were exported" });
    into.append("Bring in…");
    foot.replaceChildren(fresh, into, out, make("span", { className: "preset-gap" }), apply);
    draw();
  };
  const edit = (id) => tried(async () => {
    const told = await ask(id ? "/one" : "/parts", id ? { id } : { kind, values: page.forms[kind] ?? {} });
    title.textContent = id ? "Change a preset" : "Keep this form";
    body.dataset.shows = "form";
    const preset = known.find((each) => each.id === id) ?? null;
    const done = async (saved) => {
      await load();
      chosen = saved && !chosen.length ? [saved] : chosen;
      back();
    };
    presetForm({ body, foot }, { kind, preset, told }, { tried, done, remove: () => remove([id]) });
  });

  search.addEventListener("input", draw);
  return (asked) => {
    kind = asked;
    chosen = [];
    search.value = "";
    if (!dialog.open) dialog.showModal();
    back();
    tried(load).then(() => !search.hidden && search.focus());
  };
};
