// The card of the chosen model in the Models tab. What it shows comes in, what is done to it goes out; it keeps which parts are folded out
// and what is typed but not kept yet, so that a look at the library disturbs neither. Everything that a file says enters as text.
import { find, make } from "./dom.js";
import * as page from "./page.js";

const ONE = {
  checkpoint: "checkpoint", vae: "VAE", lora: "LoRA", embedding: "embedding", hypernetwork: "hypernetwork", controlnet: "ControlNet",
  upscaler: "upscaler",
};
export const kind = (sort) => ONE[sort] ?? sort.replace("_", " ");
export const size = (bytes) => (bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`);
const line = (name, ...value) => make("div", { className: "library-line" }, make("dt", { textContent: name }), make("dd", {}, ...value));
export const button = (name, words, press, looks = {}) => {
  const made = make("button", { type: "button", className: "quiet", textContent: words, ...looks });
  made.dataset.act = name;
  made.addEventListener("click", press);
  return made;
};
const choice = (name, options, value) => {
  const made = make("select", { name }, ...options.map(([id, words]) => make("option", { value: id, textContent: words })));
  made.value = value ?? "";
  return made;
};

// Puts new items into a list of which one may be in somebody's hands.
export const redraw = (list, items) => {
  const held = list.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
  list.replaceChildren(...items);
  if (held?.isConnected) held.focus();
  else if (held?.dataset.act) find(`[data-act="${CSS.escape(held.dataset.act)}"]`, list)?.focus();
};

// `data`: null takes back what was chosen here.
export const setPicture = (id, data) => fetch(`cards/picture?id=${id}`, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: data ?? new Blob() }).catch(() => null);

// `does`: {act(model, name, asked, words), choose(id), addWord({said, written})}
export const libraryCard = (box, does) => {
  let shown = null; // {id, form, sort}: the model that is shown, its form once something was typed there, what it was said to be
  const open = new Set(); // names of the parts that are folded out
  let before = "";

  const fold = (name, words, ...inside) => {
    const made = make("details", { open: open.has(name) }, make("summary", { textContent: words }), ...inside);
    made.addEventListener("toggle", () => (made.open ? open.add(name) : open.delete(name)));
    return made;
  };
  const word = (text) => button(`word ${text.said}`, text.said, () => does.addWord(text), { className: "rack-word" });
  const words = ({ words: own, kind }) => {
    if (!own.length) return [];
    const which = kind === "embedding" ? "What wakes it in a prompt; a click puts it there:" : "Words that wake it; a click puts one into the prompt:";
    return [make("p", { className: "library-quiet", textContent: which }), make("div", { className: "rack-words" }, ...own.map(word))];
  };
  const hash = (model, told, owner) => {
    if (model.hash) return make("code", { textContent: model.hash.slice(0, 10), title: model.hash });
    if (!owner) return "not computed yet";
    const busy = told?.busy === "hash";
    return button("hash", busy ? "Reading the file…" : "Compute", () => does.act(model, "hash", {}), { className: "quiet small", disabled: busy });
  };
  const conversion = (model, told) => {
    const busy = told?.busy === "convert";
    const sort = model.kind === "unknown" ? choice("sort", [["", "Choose what it is…"], ...model.sorts.map((each) => [each, kind(each)])], shown.sort) : null;
    sort?.setAttribute("aria-label", `What ${model.name} is`);
    sort?.addEventListener("change", () => (shown.sort = sort.value));
    const press = () => does.act(model, "convert", { kind: sort ? sort.value : model.kind });
    const title = "Reads the file once, in a process of its own that can do nothing else. The old file stays.";
    return make("div", { className: "library-acts" }, sort, button("convert", busy ? "Converting…" : "Convert to safetensors", press, { disabled: busy, title }));
  };
  const converted = ({ id, name }) => {
    const there = make("p", { className: "library-quiet", textContent: `It was converted: “${name}” came of it, and is used in its place.` });
    return [there, button("converted", "Show what came of it", () => does.choose(id), { className: "quiet small" })];
  };

  const number = (model, name) => {
    const { low, high, step } = model.numbers[name];
    return make("input", { name, type: "number", min: low, max: high, step, value: model.decided[name] ?? "", placeholder: "as it was" });
  };
  const decisions = (model) => {
    const own = model.decided;
    const zero = own.zero_terminal_snr == null ? "" : String(own.zero_terminal_snr);
    const form = make("form", { className: "library-form" },
      make("label", {}, "Predicts", choice("prediction_type", [["", "as found"], ["epsilon", "epsilon"], ["v_prediction", "v"]], own.prediction_type)),
      make("label", {}, "Zero terminal SNR", choice("zero_terminal_snr", [["", "as found"], ["true", "yes"], ["false", "no"]], zero)),
      make("label", {}, model.ways_title, choice("variant", [["", "as found"], ...model.ways.map((way) => [way.id, way.name])], own.variant)),
      make("label", {}, "Its VAE", choice("vae", [["", "its own"], ...model.vaes.map((vae) => [vae.id, vae.name])], own.vae)),
      make("label", {}, "Steps", number(model, "steps")),
      make("label", {}, "Guidance", number(model, "guidance_scale")),
      make("button", { type: "submit", className: "quiet", textContent: "Keep" }));
    form.addEventListener("input", () => (shown.form = form));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const given = Object.fromEntries(new FormData(form));
      const asked = { ...given, zero_terminal_snr: { true: true, false: false }[given.zero_terminal_snr] ?? null };
      for (const name of Object.keys(model.numbers)) asked[name] = given[name] === "" ? null : Number(given[name]);
      const kept = await does.act(model, "override", asked, `Kept for “${model.name}”, wherever the file lies.`);
      if (kept && shown?.id === model.id) shown.form = null;
    });
    return form;
  };
  // What of it was decided and what was found, so that both are seen without unfolding anything.
  const facts = (model) => {
    const own = model.decided ?? {};
    const said = { v_prediction: "v", epsilon: "epsilon" };
    const yours = (value, is) => (value && is ? `${value} (your choice)` : value);
    const vae = model.vaes?.find(({ id }) => id === own.vae)?.name ?? (own.vae ? "a file that is not here" : "");
    const starts = Object.keys(model.numbers ?? {}).filter((name) => own[name] != null).map((name) => `${{ steps: "steps", guidance_scale: "guidance" }[name]} ${own[name]}`);
    return [
      ["Predicts", yours(said[model.prediction] ?? "", own.prediction_type)],
      ["Zero SNR", own.zero_terminal_snr == null ? "" : yours(own.zero_terminal_snr ? "yes" : "no", true)],
      [model.ways_title ?? "", yours(model.ways?.find(({ id }) => id === own.variant)?.name ?? "", true)],
      ["VAE", yours(vae, true)],
      ["Starts at", yours(starts.join(", "), true)],
    ].filter(([, value]) => value).map(([name, value]) => line(name, value));
  };

  // Its picture; the owner gives it another: the one on the surface, or a file.
  const picture = (model, owner) => {
    const shown_so = model.picture && make("img", { src: `cards/${model.id}/picture?of=${model.picture}`, alt: `A picture made with ${model.name}` });
    const file = make("input", { type: "file", accept: "image/*", hidden: true });
    file.addEventListener("change", () => file.files[0] && does.picture(model, file.files[0]));
    const surface = async () => {
      const answer = await fetch(`thumb/${page.open.picture}`).catch(() => null);
      if (answer?.ok) does.picture(model, await answer.blob());
    };
    const acts = owner ? [
      page.open.picture && button("surface", "Use the picture in the inspector", surface, { className: "quiet small" }),
      button("file", "Choose a picture…", () => file.click(), { className: "quiet small" }),
      model.picture && button("no-picture", "As beside the file", () => does.picture(model, null), { className: "quiet small", title: "Takes back a picture that was chosen here" }),
      file,
    ] : [];
    return shown_so || acts.length ? make("div", { className: "library-pictured" }, shown_so, make("div", {}, ...acts.filter(Boolean))) : null;
  };

  const build = (model, told, owner) => {
    const texts = Object.entries(model.metadata);
    const about = [kind(model.kind), model.family, model.variant].filter(Boolean).join(", ");
    return [
      make("h2", { textContent: model.name }),
      model.problem && make("p", { className: "library-problem", textContent: model.problem }),
      model.misfit && make("p", { className: "library-misfit", textContent: model.misfit }),
      told?.words && make("p", { className: told.wrong ? "library-note" : "library-quiet", role: told.wrong ? "alert" : "status", textContent: told.words }),
      ["checkpoint", "lora", "embedding", "hypernetwork"].includes(model.kind) && picture(model, owner),
      make("dl", {}, line("Kind", about), line("Size", size(model.size)), ...facts(model), line("SHA-256", hash(model, told, owner))),
      ...words(model),
      ...(model.converted ? converted(model.converted) : []),
      model.pickle && owner && conversion(model, told),
      model.decided && !model.problem && owner && fold("decisions", "Use it differently", shown.form ?? decisions(model)),
      texts.length && fold("metadata", `Metadata (${texts.length})`, make("dl", { className: "library-metadata" }, ...texts.map(([key, value]) => line(key, value)))),
    ].filter(Boolean);
  };

  // `told`: {words, wrong, busy} of the last act on this file.
  const show = (model, told, owner) => {
    const now = JSON.stringify([model, told, owner]);
    if (now === before) return;
    before = now;
    if (shown?.id !== model.id) [shown] = [{ id: model.id, form: null, sort: "" }, open.clear()];
    redraw(box, build(model, told, owner));
  };
  return { show };
};
