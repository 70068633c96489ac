// The inspector: all that made the picture that was chosen last, in groups that fold. A value is selected by mouse, copied by a button,
// or taken over into the form that is open, alone, with its group, or with all. Everything that people wrote enters as text.
import { comments } from "./comments.js";
import { snapshot } from "./desk.js";
import { emit, find, findAll, make, on, parts, write } from "./dom.js";
import { details } from "./folds.js";
import { hide } from "./marks.js";
import { wanted } from "./on_demand.js";
import { lookInside } from "./page.js";
import { begins, completes } from "./pairing.js";
import { address } from "./stage_live.js";
import { timeLines } from "./time_line.js";

/** @typedef {import("./messages.d.ts").DetailValue} Value */
/** @typedef {import("./messages.d.ts").PictureShown} Details */

const FOLDED = ["Provenance"]; // groups that are shut until somebody opens them
const LONG = 26; // letters of a value that needs the whole width

// The form that is open; "" in a tab that has none.
const openForm = () => findAll("button.generate").find((button) => button.getClientRects().length)?.id.replace(/-generate$/, "") ?? "";

const isPrompt = (value) => value.fields[0] === "prompt"; // stands above all others
const isTemplate = (value) => /_template$/.test(value.fields[0]);
const WORDS = ["prompt", "negative_prompt", "second_prompt", "hires_prompt", "hires_negative_prompt"];
// The value below which stands what can be done with words that were drawn.
/** @param {Details} told */
const templateOf = (told) => {
  const values = told.groups.flatMap((group) => group.values);
  return values.find(isTemplate) ?? values.find(({ fields, raw }) => fields[0] === "boxes" && Array.isArray(raw) && raw.some((box) => box.template));
};
const namesOf = (values) => values.flatMap((value) => value.fields);

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger }) => {
  const part = parts(element);
  /** @type {Details | null} */
  let shown = null;
  let asked = ""; // the id of the picture that was chosen last

  const said = comments(part("comments"));
  const lines = timeLines(part("lines"));
  const speak = (words) => (part("spoken").textContent = words);

  // ---- what a value offers ------------------------------------------------------------------------------------------------

  // Into the form that is open; where there is none, into that of the picture's own kind.
  const takeOver = (names, words) => {
    const to = openForm() || shown.kind;
    snapshot(to);
    const whole = names === null && to === shown.kind;
    trigger("send", whole ? { id: shown.id, to: "", units: null } : { id: shown.id, to, fields: names ?? namesOf(shown.groups.flatMap(({ values }) => values)) });
    speak(words);
  };

  const copy = async (button, text) => {
    const written = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("a page without TLS has no clipboard"));
    const copied = await written.then(() => true, () => copyBySelection(text));
    speak(copied ? "Copied." : "The browser did not let this be copied. Select it and press Ctrl+C.");
    button.dataset.done = copied ? "yes" : "no";
    setTimeout(() => delete button.dataset.done, 1200);
  };

  const sign = (name) => make("i", { className: `icon small icon-${name}` });
  const small = (says, title, act, icon) => {
    const button = make("button", { type: "button", className: `inspector-way ${icon}`, title, "aria-label": title }, says);
    button.addEventListener("click", () => act(button));
    return button;
  };

  // What the words were drawn of: the words as they are, or new ones with another seed.
  const drawnWays = () => {
    const names = templateOf(shown).fields[0] === "boxes" ? [...WORDS, "boxes"] : WORDS;
    const keeps = small("Keep these words", "Put the words that were drawn into the form", () => takeOver(names, "The words are in the form."), "take");
    const rolls = small("Roll again", "Put what they were drawn of into the form, with a new seed", roll, "take");
    return make("div", { className: "inspector-ways drawn" }, keeps, rolls);
  };

  const roll = () => {
    const to = openForm() || shown.kind;
    snapshot(to);
    trigger("send", { id: shown.id, to, roll: true });
    speak("The template is in the form, with a new seed.");
  };

  /** @param {Value} value */
  const ways = (value) => {
    const copies = small(sign("copy"), `Copy: ${value.title}`, (button) => copy(button, value.text), "copy");
    const takes = small(sign("arrow-left"), `Take over: ${value.title}`, () => takeOver(value.fields, `${value.title} is in the form.`), "take");
    return make("span", { className: "inspector-actions" }, copies, value.fields.length && !isTemplate(value) ? takes : null);
  };

  // ---- what is shown ------------------------------------------------------------------------------------------------------

  const inputs = (value) =>
    value.pictures.map((id) => {
      const image = make("img", { src: `${address("input", id)}.png`, alt: `${value.title}`, loading: "lazy" });
      image.addEventListener("error", () => image.remove());
      return image;
    });

  /** @param {Value} value */
  const fact = (value, depth = 0) => {
    const text = value.parts.length ? (depth ? String(value.raw) : "") : value.text || "–"; // what has parts is said by them
    const wide = isTemplate(value) || value.text.length > LONG || value.note || value.parts.length || depth;
    const hash = value.hash && make("span", { className: "inspector-hash", textContent: value.hash, title: "The beginning of its SHA-256" });
    return make(
      "div",
      { className: `inspector-fact${wide ? " wide" : ""}`, "data-default": value.default ? "yes" : "no", "data-fields": value.fields.join(" "), title: value.info },
      make("dt", { textContent: value.title }),
      make("dd", {}, text && make("span", { className: "inspector-text", textContent: text }), hash, depth ? null : ways(value)),
      value === templateOf(shown) ? drawnWays() : null,
      ...inputs(value),
      value.note && make("p", { className: "inspector-note", textContent: value.note }),
      value.parts.length ? make("dl", { className: "inspector-parts" }, ...value.parts.map((each) => fact(each, depth + 1))) : null,
    );
  };

  const group = ({ title, values }) => {
    const names = namesOf(values);
    const takes = names.length ? small("Take over", `Take over the group: ${title}`, () => takeOver(names, `${title} is in the form.`), "take") : null;
    const head = make("summary", {}, make("span", { textContent: title }));
    const facts = make("dl", { className: "inspector-facts" }, ...values.filter((value) => !isPrompt(value)).map((value) => fact(value)));
    const fold = details(make("details", { className: "inspector-group" }, head, facts, takes), `inspector ${title}`, !FOLDED.includes(title));
    fold.dataset.group = title;
    return fold;
  };

  // Whose picture it is, whose settings it was begun with; and whether its maker keeps those from others.
  /** @param {Details} told */
  const sayKin = ({ kin }) => {
    const whose = (name) => (kin.origin_own ? (kin.own ? "an earlier" : "your") : name ? `${name}’s` : "the owner’s");
    const by = kin.own ? "" : `Drawn by ${kin.maker || "the owner"}. `;
    const from = kin.forked ? `Begun with the settings of ${kin.origin ? "" : "another picture. "}` : "";
    const origin = kin.origin && make("button", { type: "button", className: "inspector-origin", textContent: `${whose(kin.origin_maker)} picture`, title: "Show that picture" });
    if (origin) origin.addEventListener("click", () => emit("picture", { id: kin.origin, chosen: true }));
    const forks = kin.forks ? `${kin.origin ? ". " : ""}Forked ${kin.forks === 1 ? "once" : `${kin.forks} times`}.` : "";
    part("kin").replaceChildren(by, from, origin, forks);
    part("kin").hidden = !part("kin").textContent;
    part("all").textContent = kin.own ? "Take over all" : "Use these settings";
    for (const name of ["inside", "again", "hide"]) part(name).hidden = !kin.own;
    part("hide").setAttribute("aria-pressed", String(kin.hidden));
    part("hide").title = kin.hidden ? "Others see how it was made, wherever they see the picture" : "Others see the picture, where it is shared, and not how it was made";
    part("hide").lastElementChild.textContent = kin.hidden ? "Settings are hidden" : "Hide settings";
  };

  // A clip, frame by frame.
  let frames = null;
  const step = async (told) => {
    if (!told.frames && !frames) return;
    frames ??= (await wanted("clip_frames").catch(() => null))?.clipFrames(part("frames"), speak) ?? null;
    if (shown?.id === told.id) frames?.show(told);
  };

  const draw = (told) => {
    shown = told;
    part("empty").hidden = part("remade").hidden = true;
    part("known").hidden = false;
    part("prompt").textContent = told.prompt || (told.groups.length ? "(no prompt)" : ""); // without groups they are kept from who asks
    part("all").hidden = !told.groups.length;
    find(".inspector-actions", part("words"))?.remove();
    part("words").append(...told.groups.flatMap(({ values }) => values.filter(isPrompt).map(ways)));
    lines.show(told.lines);
    step(told);
    sayKin(told);
    write(part("hidden"), told.hidden);
    part("reveal").hidden = !told.reveals;
    write(part("note"), told.note);
    part("groups").replaceChildren(...told.groups.map(group));
    part("room").dataset.picture = told.id;
    said.show(told.id);
  };

  const fail = (words) => {
    shown = null;
    part("known").hidden = true;
    said.show("");
    write(part("empty"), words);
  };

  const show = async (id) => {
    asked = id;
    const answer = await fetch(`${address("picture", id)}/details`).catch(() => null);
    const told = answer ? await answer.json().catch(() => ({})) : {};
    if (asked !== id) return;
    if (answer?.ok) draw(told);
    else fail(told.message || "The server did not answer. Choose the picture again.");
  };

  // What the safety checker hides is asked for anew everywhere that it stands.
  part("reveal").addEventListener("click", async () => {
    const { id } = shown;
    const answer = await fetch(`${address("picture", id)}/reveal`, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" }).catch(() => null);
    if (!answer?.ok) return speak("The picture could not be revealed. Try again.");
    for (const image of findAll("img").filter(({ src }) => src.includes(`/${id}`))) image.src = `${image.src.split("?")[0]}?shown=1`;
    show(id);
  });
  begins(part("compare"), part("compares"), part("compares").textContent, () => shown?.id, speak);
  part("model").addEventListener("click", () => wanted("model_cards").then(({ showModelsOf }) => showModelsOf(shown.id), () => speak("This could not be fetched. Try again.")));
  part("hide").addEventListener("click", async () => {
    const hidden = !shown.kin.hidden;
    if (!(await hide([shown.id], hidden))) return;
    speak(hidden ? "How it was made is told to nobody else." : "Others see how it was made.");
    show(shown.id);
  });
  part("again").addEventListener("click", () => wanted("again").then(({ again }) => again(part("remade"), shown.id), () => speak("The server did not answer. Try again.")));
  part("lineage").addEventListener("click", () => wanted("lineage").then(({ showLineage }) => showLineage(shown.id), () => speak("The server did not answer. Try again.")));
  part("inside").addEventListener("click", () => lookInside(shown.id));
  part("all").addEventListener("click", () => takeOver(null, "The form has the settings of this picture."));
  on("picture", ({ id, chosen = false }) => {
    if (!id || id === asked) return;
    if (chosen) completes(id);
    show(id);
  });
};

// Where the clipboard is shut.
const copyBySelection = (text) => {
  const field = make("textarea", { value: text, className: "sr" });
  const before = document.activeElement;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return copied;
};
