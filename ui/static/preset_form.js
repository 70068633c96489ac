// One preset, as it is made or changed: its name and picture, words and where they go, and what of the form it keeps.
import { find, findAll, make } from "./dom.js";
import * as page from "./page.js";
import { ask, hand, likeness } from "./preset_ask.js";

/** @typedef {import("./messages.d.ts").PresetParts} Parts */
/** @typedef {import("./messages.d.ts").PresetLine} Preset */

const HOLE = "{prompt}"; // where the prompt goes among the words
const WAYS = { behind: "Behind what is written", before: "Before what is written", around: "Around it: {prompt} stands for it", instead: "In the place of what is written" };
const NOT_USUAL = ["seed", "variation_seed"]; // what is rarely meant to come again

const wayOf = (text, instead) => {
  if (instead) return "instead";
  if (!text.includes(HOLE)) return "behind";
  return text.trimEnd().endsWith(HOLE) && text.split(HOLE).length === 2 ? "before" : "around";
};
// The words, with the hole where the way has it.
export const placed = (text, way, at) => {
  if (way === "around") return text.includes(HOLE) ? text : `${text.slice(0, at)}${HOLE}${text.slice(at)}`;
  const plain = text.split(HOLE).map((part) => part.trim().replace(/^,\s*|\s*,$/g, "")).filter(Boolean).join(", ");
  return way === "before" && plain ? `${plain}, ${HOLE}` : plain;
};

const labelled = (says, ...inside) => make("label", { className: "preset-field" }, make("span", { textContent: says }), ...inside);

const wordsField = (says, text, instead) => {
  const field = make("textarea", { rows: 3, value: text, spellcheck: false, "aria-label": says });
  const way = make("select", { "aria-label": `Where they go: ${says}` }, ...Object.entries(WAYS).map(([value, words]) => make("option", { value, textContent: words })));
  way.value = wayOf(text, instead);
  way.addEventListener("change", () => (field.value = placed(field.value, way.value, field.selectionStart)));
  field.addEventListener("input", () => way.value !== "instead" && (way.value = wayOf(field.value, false)));
  return { row: make("div", { className: "preset-field" }, make("div", { className: "preset-way" }, make("span", { textContent: says }), way), field), text: () => field.value, instead: () => way.value === "instead" };
};

// Chips, one for each thing of the form, in their groups; the heading takes or leaves all of its own.
const partsField = (parts, isChosen) => {
  const groups = [...new Set(parts.map(({ group }) => group))];
  const chip = ({ title, shown, names }, chosen) => {
    const made = make("button", { type: "button", className: "preset-chip", ariaPressed: String(chosen), "data-names": names.join(" ") }, make("span", { textContent: title }), make("b", { textContent: shown }));
    made.addEventListener("click", () => (made.ariaPressed = String(made.ariaPressed !== "true")));
    return made;
  };
  const rows = groups.map((group) => {
    const chips = parts.filter((part) => part.group === group).map((part) => chip(part, isChosen(part)));
    const all = make("button", { type: "button", className: "preset-group", textContent: group, title: "All of these, or none" });
    all.addEventListener("click", () => {
      const wanted = String(!chips.every((each) => each.ariaPressed === "true"));
      for (const each of chips) each.ariaPressed = wanted;
    });
    return make("div", { className: "preset-part" }, all, make("div", { className: "preset-chips" }, ...chips));
  });
  return make("div", { className: "preset-parts", role: "group", "aria-label": "What of the form it keeps" }, ...rows);
};

// The picture: what it has, the one on the surface, a file, or none. `blob`: undefined while it stays as it is.
const pictureField = (preset) => {
  let blob;
  const frame = make("div", { className: "preset-picture" });
  const show = (shown) => frame.replaceChildren(shown);
  const none = () => make("span", { className: "preset-likeness", textContent: "No picture" });
  const take = (data) => {
    blob = data;
    show(data ? make("img", { className: "preset-likeness", src: URL.createObjectURL(data), alt: "The picture of the preset" }) : none());
  };
  const onSurface = async () => {
    const answer = page.open.picture ? await fetch(`thumb/${page.open.picture}`).catch(() => null) : null;
    if (answer?.ok) take(await answer.blob());
  };
  const file = make("input", { type: "file", accept: "image/*", hidden: true });
  file.addEventListener("change", () => file.files[0] && take(file.files[0]));
  const act = (says, does, hidden = false) => {
    const made = make("button", { type: "button", className: "act", textContent: says, hidden });
    made.addEventListener("click", does);
    return made;
  };
  show(preset ? likeness(preset, make) : none());
  if (!preset) onSurface();
  const ways = make("div", { className: "preset-ways" }, act("Use the picture on the surface", onSurface, !page.open.picture), act("Choose a file…", () => file.click()), act("No picture", () => take(null)));
  return { row: make("div", { className: "preset-pictured" }, frame, ways, file), blob: () => blob };
};

/**
 * @param {{ body: HTMLElement, foot: HTMLElement }} places
 * @param {{ kind: string, preset: Preset | null, told: Parts }} of
 * @param {{ tried: (act: () => Promise<any>) => Promise<any>, done: (saved?: string) => Promise<void>, remove: () => void }} acts
 */
export const presetForm = ({ body, foot }, { kind, preset, told }, { tried, done, remove }) => {
  let parts = told.parts;
  let fromForm = !preset;
  const name = make("input", { type: "text", maxLength: 120, value: told.name, placeholder: "Ink on grey paper", autocomplete: "off", spellcheck: false });
  const about = make("input", { type: "text", maxLength: 2000, value: told.about, placeholder: "For yourself: when to use it", autocomplete: "off" });
  const written = (which) => (preset ? told.instead.includes(which) : !!told[which]);
  const prompt = wordsField("Words for the prompt", told.prompt, written("prompt"));
  const negative = wordsField("Words for the negative prompt", told.negative_prompt, written("negative_prompt"));
  const picture = pictureField(preset);
  const keeps = make("div", {});
  let note = told.note;
  const drawParts = (isChosen) => keeps.replaceChildren(partsField(parts, isChosen), make("p", { className: "preset-note", textContent: note, hidden: !note }));
  drawParts((part) => !!preset || (!part.usual && !part.names.some((each) => NOT_USUAL.includes(each))));

  const again = make("button", { type: "button", className: "act", textContent: "Take the values of the form", title: "The settings that the form holds now, instead of those that are kept", hidden: !preset });
  again.addEventListener("click", () => tried(async () => {
    const kept = parts.flatMap(({ names }) => names);
    ({ parts, note } = await ask("/parts", { kind, values: page.forms[kind] ?? {} }));
    fromForm = true;
    drawParts((part) => part.names.some((each) => kept.includes(each)));
  }));

  const save = make("button", { type: "button", className: "quiet preset-apply", textContent: "Save" });
  save.addEventListener("click", () => tried(async () => {
    const fields = { prompt, negative_prompt: negative };
    const instead = Object.keys(fields).filter((which) => fields[which].instead() && fields[which].text());
    const chosen = findAll('.preset-chip[aria-pressed="true"]', keeps).flatMap((each) => each.dataset.names.split(" "));
    const held = fromForm && chosen.length ? { kind, values: page.forms[kind] ?? {} } : {};
    const order = { id: preset?.id ?? "", name: name.value, about: about.value, prompt: prompt.text(), negative_prompt: negative.text(), instead, names: chosen, ...held };
    save.disabled = true;
    try {
      const { id } = await ask("", order);
      if (picture.blob() !== undefined) await hand(`/picture?id=${encodeURIComponent(id)}`, picture.blob());
      await done(id);
    } finally {
      save.disabled = false;
    }
  }));
  const leave = make("button", { type: "button", className: "act", textContent: "Back" });
  leave.addEventListener("click", () => done());
  const gone = make("button", { type: "button", className: "act", textContent: "Delete", hidden: !preset });
  gone.addEventListener("click", remove);

  const kept = make("div", { className: "preset-field" }, make("div", { className: "preset-way" }, make("span", { textContent: "Settings that it keeps" }), again), keeps);
  body.replaceChildren(make("div", { className: "preset-form" }, make("div", { className: "preset-top" }, picture.row, make("div", { className: "preset-named" }, labelled("Name", name), labelled("Note", about))), prompt.row, negative.row, kept));
  foot.replaceChildren(leave, gone, make("span", { className: "preset-gap" }), save);
  find("input[type=text]", body).focus();
};
