// The paint canvas: a picture of the server's inputs, with a mask or a drawing over it, or with a frame that extends it.
// What is on it is in canvas_sheet.js, what comes and goes in canvas_pictures.js, what is seen in canvas_view.js.
import { BoxLayer } from "./box_layer.js";
import { Choices } from "./canvas_choices.js";
import { Frame } from "./canvas_frame.js";
import { keys } from "./canvas_keys.js";
import { painting } from "./canvas_painting.js";
import { pictures } from "./canvas_pictures.js";
import { Sheet } from "./canvas_sheet.js";
import { choose } from "./canvas_tint.js";
import { View } from "./canvas_view.js";
import { enter, find, findAll, on, parts } from "./dom.js";
import { chooses, receive } from "./files.js";
import * as page from "./page.js";

const KEYS = "B brush, E eraser, [ and ] size, Shift with [ and ] hardness, Control Z undo, Control Shift Z redo, Control I invert, "
  + "Delete clears, 0 shows the whole picture, Control with the wheel zooms, Space or Shift and dragging moves the view.";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, watch }) => {
  const part = parts(element);
  const room = part("room");
  const canvas = part("canvas");
  const view = new View(canvas);
  const sheet = new Sheet(props, () => trigger("change"), part, view);
  const { kind, paints, sketches } = sheet;
  const { open, openMask, blank, isUntouched, resizeBlank, take, hear, former, place, restore, flush, idle } = pictures(sheet);

  const byName = (names) => Object.fromEntries(names.map((name) => [name, part(name)]));
  const choices = new Choices(view, byName(["choices", "thumbs", "keep", "original", "dismiss"]), (words) => sheet.say("alert", words));
  const shown = () => element.isConnected && element.getClientRects().length > 0;
  // What there is to choose from comes into view, with the canvas on which it stands.
  const candidates = (list) => {
    choices.show(list ?? []);
    const { top, bottom } = part("choices").getBoundingClientRect();
    const foot = find(".generate") && innerWidth <= 780 ? 76 : 0; // the button lies there
    if (list?.length && shown() && (top < 0 || bottom > innerHeight - foot)) part("choices").scrollIntoView({ block: "end", behavior: "smooth" });
  };
  // A preview of the picture that is being drawn from this one stands in its place; without one, what is here is seen again.
  let jobs = 0; // that have ended: what is decoded later than the end of its own is not shown
  const forming = async (url) => {
    if (!url) jobs += 1;
    const mine = jobs;
    const image = url ? Object.assign(new Image(), { src: url }) : null;
    await image?.decode().catch(() => {});
    if (mine !== jobs || (!image && !view.forming)) return;
    view.forming = image?.naturalWidth && view.picture ? { image, ...choices.placed(image) } : null;
    view.redraw();
  };
  const settle = (sides) => {
    for (const [side, length] of Object.entries(sides)) {
      if ((Number(sheet.form[side]) || 0) !== length) enter(`#${kind}-${side}`, length);
    }
    sheet.form = { ...sheet.form, ...sides };
    refresh();
  };
  const brush = painting(sheet, choices);
  const { tool, pointers, showCursor } = brush;
  const layer = props.offers.boxed ? new BoxLayer(view, part("boxes"), kind) : null;
  sheet.boxing = layer;
  const setBoxing = (active) => {
    if (!layer) return;
    layer.active = active;
    room.toggleAttribute("data-boxing", active);
    part("boxing").setAttribute("aria-pressed", String(active));
    if (active) for (const name of ["brush", "eraser"]) part(name).setAttribute("aria-pressed", "false");
    if (active) showCursor(null);
  };
  sheet.installed = () => {
    choices.show([]);
    if (sheet.picture) tool.suit(sheet.picture);
  };
  const frame = paints ? null : new Frame(view, part("handles"), sheet.most, settle);

  const refresh = () => {
    const painted = paints && !!sheet.picture;
    const steps = sheet.history.past.length + sheet.history.future.length;
    room.toggleAttribute("data-filled", !!sheet.picture);
    layer?.place();
    room.dataset.hand = painted ? "brush" : sheet.picture ? "pan" : "";
    part("empty").hidden = !!sheet.picture;
    part("tools").hidden = part("figures").hidden = !sheet.picture && !steps;
    part("zoom").hidden = !sheet.picture;
    part("handles").hidden = paints || !sheet.picture;
    part("undo").disabled = !sheet.history.past.length;
    part("redo").disabled = !sheet.history.future.length;
    for (const name of ["brush", "eraser", "size", "size-range", "hardness", "clear", "invert", "fill", "load"]) part(name).disabled = !painted;
    part("remove").disabled = part("larger").disabled = !sheet.picture;
    part("facts").textContent = facts();
    if (!sheet.picture) showCursor(null);
  };
  sheet.refresh = refresh;
  const facts = () => {
    if (!sheet.picture) return "";
    const { width, height } = view.extent();
    const size = `${sheet.picture.width} × ${sheet.picture.height}`;
    return width === sheet.picture.width && height === sheet.picture.height ? size : `${size} → ${width} × ${height}`;
  };

  const setLarger = (larger) => {
    room.classList.toggle("larger", larger);
    part("larger").setAttribute("aria-pressed", String(larger));
    if (larger) room.popover = "manual"; // above everything else on the page
    if (larger) room.showPopover?.();
    else room.removeAttribute("popover");
    document.documentElement.style.overflow = larger ? "hidden" : "";
    view.fit();
  };

  const clear = () => sheet.edit((cells) => cells.fill(0));
  const invert = () => {
    if (!sketches) sheet.edit((cells) => cells.forEach((cell, index) => (cells[index] = 255 - cell)));
  };
  const ON = {
    boxing: () => (layer ? setBoxing(true) : false),
    brush: () => (setBoxing(false), tool.setErase(false)),
    eraser: () => (setBoxing(false), tool.setErase(true)),
    undo: () => sheet.undo(),
    redo: () => sheet.redo(),
    clear,
    invert,
    fill: () => sheet.edit((cells) => cells.fill(sketches ? tool.abgr() : 255)),
    load: () => part("mask-file").click(),
    another: () => part("file").click(),
    open: () => part("file").click(),
    blank,
    start: blank,
    remove: () => sheet.inTurn(async () => sheet.picture && sheet.replace(null)),
    pressure: () => tool.setPressure(!tool.pressure),
    larger: () => setLarger(!room.classList.contains("larger")),
    out: () => view.zoom(0.8),
    in: () => view.zoom(1.25),
    fit: () => view.fit(),
    whole: () => view.zoom(1 / view.scale),
  };
  for (const [name, act] of Object.entries(ON)) part(name).addEventListener("click", act);
  keys(sheet, brush, choices, ON, { shown, setLarger });

  view.suited = () => (part("tint").value = view.colors.color);
  part("tint").addEventListener("input", () => choose(part("tint").value));
  part("tint").addEventListener("contextmenu", (event) => (event.preventDefault(), choose("")));

  // ---- joined -------------------------------------------------------------------------------------------------------------

  receive(room, shown, open, (words) => sheet.say("alert", words));
  chooses(part("file"), open);
  chooses(part("mask-file"), openMask);

  const read = (values) => {
    sheet.form = values;
    const [blur, inverted] = [Number(sheet.form.mask_blur) || 0, !!sheet.form.inverted];
    const other = blur !== view.blur || inverted !== view.inverted;
    Object.assign(view, { blur, inverted });
    if (other) view.redraw();
    frame?.set(sheet.form);
    if (isUntouched()) resizeBlank();
    refresh();
  };
  on("form", ({ kind: whose, values }) => whose === kind && read(values));
  on("preflight", ({ kind: whose, box, sentence }) => {
    if (whose !== kind) return;
    Object.assign(view, { box: box ?? null, sentence: sentence ?? "" });
    sheet.say("preflight", sentence ?? "");
    view.ask();
  });
  on("held", hear);
  window.addEventListener("resize", () => measure());
  window.addEventListener("pointerdown", (event) => {
    if (!room.contains(event.target)) pointers.clicked = false;
  }, true);
  document.addEventListener("visibilitychange", () => document.hidden && sheet.inTurn(() => sheet.keep()));
  window.addEventListener("pagehide", () => sheet.endStroke());
  window.addEventListener("storage", (event) => sheet.journal.overtaken(event) && sheet.jot());

  const measure = () => view.resize(part("box").clientWidth, part("box").clientHeight, window.devicePixelRatio || 1);
  new ResizeObserver(measure).observe(part("box"));
  view.over = ["tools", "figures", "facts", "zoom"].map(part);
  const covered = new ResizeObserver(() => view.fitted && view.fit());
  for (const each of view.over) covered.observe(each);
  new MutationObserver(() => view.redraw()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  view.moved = () => {
    part("percent").textContent = `${Math.round(100 * view.scale)} %`;
    frame?.place();
    layer?.place();
    if (sheet.picture) sheet.save();
  };

  canvas.setAttribute("aria-label", paints ? `Canvas for painting. ${layer ? "A drag makes a box; B takes the brush, X the boxes. " : ""}${KEYS}` : "Picture with a frame around it. 0 shows all of it, Control with the wheel zooms.");
  for (const name of ["brushes", "strokes", "pressure"]) part(name).hidden = !paints;
  for (const slide of findAll(".canvas-slide", element)) slide.hidden = !paints;
  part("boxing").hidden = !layer;
  setBoxing(true);
  part("tint").hidden = sheet.mode !== "mask";
  for (const name of ["colors", "blank", "start"]) part(name).hidden = !sketches;
  for (const name of ["invert", "load"]) part(name).hidden = sketches;
  if (sketches) {
    part("clear").setAttribute("aria-label", "Clear drawing");
    part("clear").title = "Clear the drawing; the picture stays (Delete)";
  }
  part("figures").classList.toggle("none", !paints);
  room.classList.toggle("framed", !paints); // the handles may lie anywhere on the picture, so nothing else lies there
  if (!paints) part("box").after(part("lower"));
  measure();
  if (page.forms[kind]) read(sheet.form);
  refresh();

  const api = {
    flush, place, former, element, candidates, forming, idle, view, over: sheet.over,
    get posted() {
      return sheet.posted;
    },
    get layer() {
      return sheet.layer;
    },
    /** The ids of the picture and of what is painted on it, once they are handed over. */
    named: () => ({ image: sheet.stands, mask: sheet.mask }),
  };
  page.canvases[kind] = api;
  watch("value", () => sheet.inTurn(take).catch((problem) => sheet.say("alert", problem.message)));
  sheet.inTurn(restore).catch((problem) => sheet.say("alert", problem.message));
};
