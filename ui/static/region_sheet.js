// The sheet on which the regions of a picture are painted, each in its colour: in a dialog, so that there is room.
// It is the sheet of paint_pad.js; the region that is chosen is on it, and the others that are in sight lie below.
import * as store from "./canvas_store.js";
import { make, parts, surface, write } from "./dom.js";
import { typedNumber } from "./numbers.js";
import { paintPad } from "./paint_pad.js";
import { png } from "./png.js";
import { colorOf, frameOf, layerOf, tinted } from "./region_frame.js";

const WHY = "Choose a region and paint where its words count. Where none lies, the prompt speaks alone.";

let sheet = null;
// The one sheet of the page, which is made when it is first wanted.
export const regionSheet = (page) => (sheet ??= made(page));

const tool = (part, icon, says, looks = {}) => make("button", { type: "button", className: `tool icon-${icon}`, "data-part": part, "aria-label": says.split(" (")[0], title: says, ...looks });
const slide = (says, title, ...inputs) => make("label", { className: "canvas-slide", title }, make("span", { textContent: says }), ...inputs);

const skeleton = () => {
  const group = (...inside) => make("div", { className: "canvas-group" }, ...inside);
  const size = slide("Size", "Size of the brush in pixels of the sheet ([ and ])", make("input", { type: "range", "data-part": "size-range", min: 0, max: 100, "aria-label": "Size of the brush" }), make("input", { type: "number", "data-part": "size", min: 1, max: 512, step: 1, "aria-label": "Size of the brush in pixels" }));
  const hard = slide("Hard", "How much of the brush is full, in %", make("input", { type: "range", "data-part": "hardness", min: 0, max: 100, "aria-label": "Hardness of the brush in per cent" }));
  const tools = make(
    "div", { className: "canvas-tools", role: "toolbar", "aria-label": "Painting" },
    group(tool("brush", "brush", "Brush (B)"), tool("eraser", "eraser", "Eraser (E)")), size, hard,
    group(tool("undo", "undo-2", "Undo (Ctrl+Z)"), tool("redo", "redo-2", "Redo (Ctrl+Shift+Z)"), tool("clear", "trash-2", "Clear this region (Delete)"), tool("invert", "contrast", "Invert this region (Ctrl+I)")),
    make("span", { hidden: true }, make("input", { type: "color", "data-part": "color", "aria-label": "Colour" }), make("span", { "data-part": "swatches" }), make("button", { "data-part": "pressure", "aria-label": "Pen pressure" }), make("button", { "data-part": "done", "aria-label": "Touched" })),
  );
  const canvas = make("canvas", { "data-part": "canvas", tabIndex: 0, role: "application", "aria-label": "Sheet for painting regions. B brush, E eraser, [ and ] size, Control Z undo, Control I invert, Delete clears, 0 shows all of it, Control with the wheel zooms, Shift and dragging moves the view." });
  const box = make("div", { className: "canvas-box", "data-part": "sheet" }, canvas, make("div", { className: "canvas-cursor", "data-part": "cursor", hidden: true }, make("div", { "data-part": "core" })));
  const use = make("button", { type: "button", className: "quiet pad-done", "data-part": "use", textContent: "Use these regions" });
  const leave = make("button", { type: "button", className: "quiet", "data-part": "cancel", textContent: "Leave them as they were" });
  const head = make("p", { className: "region-head" }, make("strong", { textContent: "Regions" }), make("span", { className: "regions-info", textContent: ` ${WHY}` }));
  const chips = make("ol", { className: "regions-chips", "data-part": "chips" });
  const alert = make("p", { className: "unit-problem", "data-part": "alert", role: "alert", hidden: true });
  const pad = make("div", { className: "canvas-room region-pad regions-pad", "data-part": "pad", "data-filled": "", "data-hand": "brush" }, head, chips, tools, box, alert, make("div", { className: "region-ways" }, use, leave));
  return make("dialog", { className: "region-dialog", "aria-label": "Painting the regions" }, pad);
};

const made = (page) => {
  const dialog = skeleton();
  page.append(dialog);
  const part = parts(dialog);
  const clear = () => pad.edit((cells) => cells.fill(0));
  const invert = () => pad.edit((cells) => cells.forEach((cell, place) => (cells[place] = 255 - cell)));
  const turnTo = (layer) => {
    at = entries.findIndex((entry) => entry.layer === layer);
    show();
  };
  const pad = paintPad(part, "regions-sheet", { delete: clear, "ctrl+i": invert }, turnTo);
  let asked = null; // see `open`
  let frame = null;
  /** @type {{ region: Record<string, any>, color: string, layer: import("./layer.js").Layer, touched: boolean, seen: boolean, was: number }[]} */
  let entries = [];
  let at = 0;

  const say = (words) => write(part("alert"), words);
  const below = () => {
    const base = surface(frame.width, frame.height);
    const context = base.getContext("2d");
    frame.draw(context);
    entries.forEach(({ layer, color, seen }, place) => place !== at && seen && context.drawImage(tinted(layer, color), 0, 0));
    return base;
  };
  const show = () => {
    pad.view.colors.wanted = entries[at].color;
    pad.open(below(), entries[at].layer, `${asked.kind} ${at} ${frame.width} ${frame.height} ${entries[at].region.mask}`);
    chips();
  };
  // What was painted on the one that was chosen counts.
  const settle = () => {
    if (!entries.length) return;
    pad.end(false);
    entries[at].touched ||= pad.isTouched();
  };
  const choose = (place) => {
    settle();
    at = place;
    show();
  };
  const add = async () => {
    settle();
    const region = { ...asked.offers.blank, left: 0, right: 0, top: 0, bottom: 0 };
    entries.push({ region, color: colorOf(entries.length), layer: await layerOf(region, frame.width, frame.height), touched: false, seen: true, was: -1 });
    at = entries.length - 1;
    show();
    part("chips").querySelector("[aria-pressed=true] ~ textarea")?.focus();
  };
  const remove = (place) => {
    settle();
    pad.renew(entries.splice(place, 1)[0].layer);
    entries.forEach((entry, now) => (entry.color = colorOf(now)));
    at = Math.max(0, Math.min(at, entries.length - 1));
    if (entries.length) show();
    else add();
  };

  // ---- the regions, one chip each ----------------------------------------------------------------------------------------
  const chip = ({ region, color, seen }, place) => {
    const says = `Region ${place + 1}`;
    const dot = make("button", { type: "button", className: "regions-dot", textContent: String(place + 1), title: `Paint ${says.toLowerCase()}`, "aria-label": `Paint ${says.toLowerCase()}`, "aria-pressed": String(place === at) });
    dot.style.setProperty("--dot", color);
    dot.addEventListener("click", () => choose(place));
    const words = make("textarea", { rows: 1, value: region.prompt, placeholder: "What is there", maxLength: 10_000, "aria-label": `Words of ${says.toLowerCase()}` });
    words.addEventListener("input", () => (entries[place].region = { ...entries[place].region, prompt: words.value, template: "" }));
    words.addEventListener("focus", () => place !== at && choose(place));
    const { low, high, step, title, info } = asked.offers.fields.weight;
    const weight = make("input", { type: "number", min: low, max: high, step, value: region.weight, title: `${title}. ${info}`, "aria-label": `${title} of ${says.toLowerCase()}` });
    weight.addEventListener("change", () => (entries[place].region = { ...entries[place].region, weight: typedNumber(weight, entries[place].region.weight, { low, high }) }));
    const eye = tool("seen", "eye", `${seen ? "Hide" : "Show"} ${says.toLowerCase()}`, { "aria-pressed": String(seen) });
    eye.addEventListener("click", () => {
      settle();
      entries[place].seen = !seen;
      show();
    });
    const out = tool("out", "x", `Remove ${says.toLowerCase()}`);
    out.addEventListener("click", () => remove(place));
    return make("li", { className: `weighable${place === at ? " chosen" : ""}`, id: `${asked.kind}-region-sheet-${place}` }, dot, words, weight, eye, out);
  };
  const chips = () => {
    const more = make("button", { type: "button", className: "quiet", "data-part": "add", textContent: "Add a region", disabled: entries.length >= asked.offers.most });
    more.addEventListener("click", add);
    const typing = document.activeElement?.closest?.(".regions-chips li")?.id;
    part("chips").replaceChildren(...entries.map(chip), make("li", { className: "regions-more" }, more));
    if (typing) part("chips").querySelector(`#${typing} textarea`)?.focus();
  };

  // ---- there and back ----------------------------------------------------------------------------------------------------
  const sent = async ({ region, layer, touched }, place) => {
    if (!touched) return region;
    if (!layer.cells.some((cell) => cell)) throw new Error(`Nothing is painted for region ${place + 1}. Paint it, or remove it.`);
    const { id } = await store.send(`input?as=mask&width=${layer.width}&height=${layer.height}`, await png(layer.width, layer.height, 1, layer.bytes));
    return { ...region, left: 0, top: 0, right: 1, bottom: 1, mask: id };
  };
  const isBlank = ({ region, touched }) => !touched && !region.mask && region.left >= region.right;
  const leave = () => (pad.forget(), dialog.close());
  const use = async () => {
    say();
    settle();
    dialog.toggleAttribute("inert", true);
    const kept = entries.filter((entry) => !(isBlank(entry) && !entry.region.prompt.trim()));
    const unpainted = kept.findIndex(isBlank);
    const why = unpainted >= 0 ? `Nothing is painted for region ${unpainted + 1}. Paint it, or remove it.` : "";
    const found = why ? null : await Promise.all(kept.map(sent)).catch((problem) => say(problem.message));
    dialog.toggleAttribute("inert", false);
    if (why) return say(why);
    if (!found) return;
    leave();
    asked.take(found, kept.map(({ was }) => was));
  };
  part("clear").addEventListener("click", clear);
  part("invert").addEventListener("click", invert);
  part("use").addEventListener("click", use);
  part("cancel").addEventListener("click", leave);
  // Esc would lose what was painted.
  dialog.addEventListener("cancel", (event) => {
    settle();
    if (!entries.some(({ touched }) => touched)) return;
    event.preventDefault();
    part("use").focus();
  });

  return {
    // {kind, offers, regions, at: which one is painted first, take(regions, which of those that were each is)}
    async open(next) {
      asked = next;
      frame = await frameOf(asked.kind);
      const layers = await Promise.all(asked.regions.map((region) => layerOf(region, frame.width, frame.height).catch(() => layerOf(asked.offers.blank, frame.width, frame.height))));
      entries = asked.regions.map((region, place) => ({ region, color: colorOf(place), layer: layers[place], touched: false, seen: true, was: place }));
      say();
      pad.renew();
      at = Math.min(asked.at, Math.max(0, entries.length - 1));
      dialog.showModal();
      if (entries.length) show();
      else await add();
    },
  };
};
