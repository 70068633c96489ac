// The card of one control unit: a line when it is closed, all its fields when it is open. What it shows comes in, what is done to it
// goes out; it keeps nothing but whether it is open and what is being uploaded.
import * as store from "./canvas_store.js";
import { make, write } from "./dom.js";
import { choice, flag, number } from "./unit_parts.js";
import { address, picture, region, seen } from "./unit_pictures.js";
import { weightPlot } from "./unit_plot.js";

const PLAIN = { number, flag, choice };
const MISSING = "It is not in the models folders any more. Choose another one.";
const LACKING = "Choose the model that is to read the map: without one, the unit cannot act.";
const NONE_YET = "There are none yet. Put .safetensors files into the models folder “controlnet”; they appear here by themselves.";
const percent = (share) => `${Math.round(share * 100)} %`;

// What of a field depends on the others. `at`: {place, whose, models, readers, preprocessors, form, begins, map}
const threshold = (index) => (unit, at, { maker }) => {
  const own = maker?.thresholds[index];
  return own ? { ...own, info: "" } : { hidden: true };
};
const offered = ({ name, missing, union_kind }, place) => ({ value: name, text: missing ? `${name} (no weights yet)` : name, why: missing, group: union_kind || (place ? "Other" : "") });
const MOMENT = {
  preprocessor: (unit, at, { maker }) => ({
    options: at.preprocessors.length ? at.preprocessors.map(offered) : [{ value: unit.preprocessor, text: unit.preprocessor }],
    info: maker?.info || undefined,
    problem: maker?.missing,
  }),
  threshold_a: threshold(0),
  threshold_b: threshold(1),
  pixel_perfect: (unit, at, { plain }) => ({ hidden: plain }),
  resolution: (unit, at, { plain }) => ({ hidden: plain || unit.pixel_perfect }),
  id: (unit, at, { model }) => {
    const files = at.models.map(({ id, name, reason, misfit }) => ({ value: id, text: reason ? `${name} (${misfit})` : name, why: reason, barred: !!reason }));
    const first = { value: "", text: at.models.length ? "Choose a model…" : "No model" };
    const lost = unit.id && !model ? [{ value: unit.id, text: unit.name || "a file that is not here", why: MISSING }] : [];
    const problem = lost.length && at.models.length ? MISSING : model?.reason || (at.lacking && at.models.length ? LACKING : "");
    return { options: [first, ...lost, ...files], problem: problem || (at.models.length ? "" : NONE_YET), info: problem ? "" : undefined };
  },
  union_kind: (unit, at, { maker, model, field }) => ({
    hidden: !model?.variant?.startsWith("union"),
    options: field.names.map((name) => ({ value: name, text: name || `As the preprocessor makes it${maker?.union_kind ? ` (${maker.union_kind.toLowerCase()})` : ""}` })),
  }),
};

const signs = {
  remove: ["×", "Remove"],
  up: ["Move up", "Move up:"],
  down: ["Move down", "Move down:"],
  copy: ["Duplicate", "Duplicate"],
};

// hooks: fold(details), change(patch), remove(), duplicate(), move(by), enlarge(), retry(), resize(size),
// paint({picture, mask, whose, take}): opens the sheet for a region; weights: what unitWeights made
export const unitCard = ({ fields, places, curves, begins }, hooks) => {
  let unit = null;
  let at = null;
  let former = fields.weight.default; // the weight before it was switched off
  const state = { busy: "", note: "", masking: "", region: "" }; // what is said of an upload
  const again = () => at && show(unit, at);

  // ---- files ---------------------------------------------------------------------------------------------------------
  const during = async (step, line, words, act) => {
    Object.assign(state, { [step]: words, [line]: "" });
    again();
    const told = await act().catch((problem) => ({ problem: problem.message }));
    Object.assign(state, { [step]: "", [line]: told.problem ?? (told.notes ?? []).join(" ") });
    again();
  };
  const put = (file) =>
    during("busy", "note", "Uploading…", async () => {
      const before = parts.image.size();
      const told = await store.send("input?as=picture", file);
      const same = before && before.width === told.width && before.height === told.height;
      const notes = [...(told.notes ?? []), ...(unit.mask && !same ? ["The region belonged to a picture of another size, so it was cleared."] : [])];
      hooks.change({ image: told.id, ...(same ? {} : { mask: "" }) });
      return { notes };
    });
  const putMask = (file) =>
    during("masking", "region", "Uploading the mask…", async () => {
      const size = parts.image.size();
      if (!size) throw new Error("The picture is not shown yet, and the mask takes its size. Try again in a moment.");
      return sendMask(file, size);
    });
  const sendMask = async (file, { width, height }) => {
    const told = await store.send(`input?as=mask&width=${width}&height=${height}`, file);
    hooks.change({ mask: told.id });
    return told;
  };
  const takeDrawn = async (file, size) => {
    if (file) await sendMask(file, size);
    else hooks.change({ mask: "" });
    state.region = file ? "" : "Nothing is painted, so the unit acts everywhere.";
    again();
  };
  const paintMask = () =>
    during("masking", "region", "Opening the picture…", () => {
      return hooks.paint({ picture: shownPicture(), mask: unit.mask, whose: at.whose, take: takeDrawn }).then(() => ({}));
    });

  // ---- the fields ----------------------------------------------------------------------------------------------------
  const SPECIAL = { image: picture, mask: region };
  const FILES = { image: put, mask: putMask };
  const plot = weightPlot(fields.weight.high);
  const plotted = make("p", { className: "unit-info" });
  const draw = (shown) => write(plotted, plot.show(shown, at?.form.steps, curves));
  const commit = (name) => (value) => hooks.change(patchOf(name, value));
  const follow = (name) => (value) => ["weight", "start", "end"].includes(name) && draw({ ...unit, [name]: value });
  const patchOf = (name, value) => {
    if (name === "preprocessor") return { preprocessor: value, ...startOf(value) };
    if (name === "id") return { id: value, name: at.models.find((file) => file.id === value)?.called ?? "" };
    return { [name]: value };
  };
  // Another preprocessor brings its thresholds, and the model that reads its maps: where none is chosen yet, or where the one that is
  // chosen came in this way.
  const startOf = (name) => {
    const maker = at.preprocessors.find((each) => each.name === name);
    const [a, b] = [0, 1].map((index) => maker?.thresholds[index]?.default ?? 0);
    const own = !unit.id || unit.id === at.readers[unit.preprocessor];
    const model = own && at.models.find((file) => file.id === at.readers[name]);
    return { threshold_a: a, threshold_b: b, ...(model ? { id: model.id, name: model.called } : {}) };
  };
  const parts = {};
  const section = (place, names) => {
    for (const name of names) {
      const maker = SPECIAL[name] ?? PLAIN[fields[name].sort];
      parts[name] = maker(fields[name], commit(name), FILES[name] ? { put: FILES[name], resize: hooks.resize, paint: paintMask } : follow(name));
      parts[name].root.dataset.field = name;
    }
    return make("div", { className: `unit-part unit-${place}` }, ...names.map((name) => parts[name].root));
  };

  // ---- the line ------------------------------------------------------------------------------------------------------
  const press = (name, act) => {
    const made = make("button", { type: "button", className: `unit-way unit-${name}`, textContent: signs[name][0], "data-part": name });
    made.addEventListener("click", act);
    return made;
  };
  const thumb = make("img", { className: "unit-thumb", alt: "", decoding: "async" });
  const title = make("strong", { className: "unit-title" });
  const sub = make("span", { className: "unit-sub" });
  const head = make("button", { type: "button", className: "unit-open", "data-part": "open" }, thumb, make("span", { className: "unit-names" }, title, sub));
  const power = make("button", { type: "button", className: "unit-switch", role: "switch", "data-part": "switch" });
  const ways = { remove: press("remove", hooks.remove), copy: press("copy", hooks.duplicate), up: press("up", () => hooks.move(-1)), down: press("down", () => hooks.move(1)) };
  const body = make("div", { className: "unit-body" });
  const root = make("li", { className: "unit" }, make("div", { className: "unit-head" }, head, power, ways.remove), body);
  const map = seen({ enlarge: hooks.enlarge, retry: hooks.retry });
  const folded = make("span", { className: "unit-folded" });
  const more = make("details", {}, make("summary", {}, make("span", { textContent: "When, where and how" }), folded));
  const SECTIONS = Object.fromEntries(Object.entries(places).map(([place, names]) => [place, section(place, names)]));
  SECTIONS.pictures.append(map.root);
  SECTIONS.strength.append(plot.root, plotted);
  parts.preprocessor.problem.after(hooks.weights.root);
  more.append(SECTIONS.more);
  hooks.fold(more);
  for (const [place, made] of Object.entries(SECTIONS)) body.append(...(place === "pictures" ? [made, map.trouble] : [place === "more" ? more : made]));
  body.append(make("div", { className: "unit-ways" }, ways.up, ways.down, ways.copy));

  const open = (wanted) => {
    head.setAttribute("aria-expanded", String(wanted));
    body.hidden = !wanted;
  };
  head.addEventListener("click", () => (open(body.hidden), hooks.looked()));
  power.addEventListener("click", () => {
    if (unit.weight) former = unit.weight;
    hooks.change({ weight: unit.weight ? 0 : former || fields.weight.default });
  });
  open(false);

  // ---- shown ---------------------------------------------------------------------------------------------------------
  const plain = () => unit.preprocessor === fields.preprocessor.default;
  const shownPicture = () => unit.image || at.form[begins.name] || "";
  const called = () => (plain() ? (unit.image ? "the picture as it is" : "") : unit.preprocessor);
  const showLine = (model) => {
    write(title, [`Unit ${at.place + 1}`, called()].filter(Boolean).join(" – "));
    write(sub, [model?.name || unit.name || "no model yet", unit.weight ? `weight ${unit.weight}` : "off"].join(" · "));
    const source = (at.map.state === "done" && at.map.id) || shownPicture();
    thumb.hidden = !source;
    if (source) thumb.src = address(source);
    root.classList.toggle("off", !unit.weight);
    power.setAttribute("aria-checked", String(!!unit.weight));
    power.setAttribute("aria-label", `${at.whose} acts`);
    power.title = unit.weight ? "Switch it off: weight 0" : "Switch it on again";
    for (const [name, made] of Object.entries(ways)) made.setAttribute("aria-label", `${signs[name][1]} ${at.whose}`);
    ways.remove.title = "Remove this unit";
    ways.up.disabled = at.place === 0;
    ways.down.disabled = at.place === at.count - 1;
    ways.copy.disabled = at.full;
  };
  const looks = () => ({
    image: { shown: shownPicture(), begins, form: at.form, busy: state.busy, note: state.note },
    mask: { can: !!shownPicture(), busy: state.masking, note: state.region },
  });
  const show = (next, now) => {
    [unit, at] = [next, now];
    at.lacking = !unit.id && unit.weight > 0 && (!!unit.image || !plain());
    const maker = at.preprocessors.find((each) => each.name === unit.preprocessor);
    const model = at.models.find((file) => file.id === unit.id);
    const own = looks();
    for (const [name, part] of Object.entries(parts)) {
      const moment = MOMENT[name]?.(unit, at, { maker, model, plain: plain(), field: fields[name] }) ?? {};
      const set = Object.fromEntries(Object.entries(moment).filter(([, value]) => value !== undefined));
      part.root.hidden = !!set.hidden;
      part.show(unit[name], { ...fields[name], ...own[name], ...set, whose: at.whose });
    }
    map.show({ map: at.map, whose: at.whose });
    hooks.weights.show(maker);
    draw(unit);
    root.classList.toggle("wrong", at.map.state === "failed" || !!root.querySelector(".unit-choice:not([hidden]) .unit-problem:not([hidden])"));
    write(folded, [`${percent(unit.start)} to ${percent(unit.end)}`, unit.curve, unit.mode, unit.resize_mode, unit.mask && "region"].filter(Boolean).join(" · "));
    showLine(model);
  };

  const isPointed = () => root.matches(":hover") || root.contains(document.activeElement);
  return { root, show, open, put, isPointed, isOpen: () => !body.hidden, focus: () => head.focus() };
};
