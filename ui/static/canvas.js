// The paint canvas: a picture of the server's inputs, with a mask or a drawing over it, or with a frame that extends it.
// The pixels are in raster.js, what is seen in canvas_view.js, what is kept and sent in canvas_store.js.
const part = (name) => element.querySelector(`[data-part="${name}"]`);
const { kind, mode = "mask", held = "", most = 4096 } = props.offers;
const { raster, canvasStore: store } = atelier;
const paints = mode !== "frame";
const sketches = mode === "sketch";
const TELL = 150; // milliseconds after the last change until the page hears of it
const SAVE = 600; // and until it is kept
const RECENT = 2000; // milliseconds in which a mask and a picture that Python sets belong together
const NOTHING = "Put a picture on the canvas first: drop it, paste it, or open one.";
const KEYS = "B brush, E eraser, [ and ] size, Shift with [ and ] hardness, Control Z undo, Control Shift Z redo, Control I invert, "
  + "Delete clears, 0 shows the whole picture, Control with the wheel zooms, Space or Shift and dragging moves the view.";

const room = part("room");
const canvas = part("canvas");
const view = new atelier.CanvasView(canvas);
const history = new raster.History();
const journal = new atelier.CanvasJournal(kind);
let picture = null; // {id, blob, image, width, height}; an empty canvas has neither id nor blob
let layer = null; // what is painted
let version = 0;
let clean = true; // the server has what is on the canvas
let stands = ""; // the value that belongs to what is on the canvas
let mask = ""; // the id of the mask that the request takes
let heard = { id: "", at: 0 }; // the newest mask that Python set
let sent = ""; // the mask's id that was kept with what was restored
let restored = false; // from this browser's store, and not changed since
let form = atelier.forms?.[kind] ?? {}; // a tab may be opened later than the page
let stroke = null; // {id of its pointer, raster.Stroke}

const pause = (time) => new Promise((done) => setTimeout(done, time));
const say = (name, words = "") => {
  part(name).textContent = words;
  part(name).hidden = !words;
};
const later = (time, act) => {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, time);
  };
};

// What takes a while happens one after the other.
let line = Promise.resolve();
let waiting = 0;
const inTurn = (act) => {
  waiting += 1;
  const done = line.then(act).finally(() => (waiting -= 1));
  line = done.catch(() => {});
  return done;
};

// ---- the value and the mask's id ----------------------------------------------------------------------------------------

const setValue = (id) => {
  stands = id;
  if ((props.value || "") === id) return;
  props.value = id;
  trigger("change");
};
const hold = (id, again = false) => {
  if (!held || (id === mask && !again)) return;
  mask = id;
  window.dispatchEvent(new CustomEvent("atelier:hold", { detail: { id: held, value: id } }));
};

const tell = later(TELL, () => {
  const bounds = layer?.bounds() ?? null;
  const { width = 0, height = 0 } = picture ?? {};
  const inverse = mode === "mask" ? (layer?.bounds(true) ?? null) : null;
  const detail = { kind, width, height, bounds, inverse, full: !!bounds && layer.isFull() };
  atelier.painted = { ...atelier.painted, [kind]: detail };
  window.dispatchEvent(new CustomEvent("atelier:painted", { detail }));
});

const aside = (whole) => whole && { id: whole.id, blob: whole.blob, width: whole.width, height: whole.height };
let kept = -1; // the version that this browser's store has
const state = () => ({ picture: picture && { id: picture.id, width: picture.width, height: picture.height }, layer, sent: { value: stands, mask, clean } });
const keep = async () => {
  if (!picture) return journal.isMine() && store.forget(kind).then(() => !picture && journal.drop());
  const { scale, x, y, fitted } = view;
  store.look(kind, { scale, x, y, fitted });
  if (kept === version || !journal.isMine()) return null;
  kept = version;
  const stamp = journal.saving();
  const saved = await store.save(kind, { ...state(), stamp }, () => journal.isMine());
  return saved && journal.saved(stamp) && jot();
};
const save = later(SAVE, () => inTurn(keep));
// At once, for a page that is reloaded or closed waits for nothing. What is too much for that begins to be kept at once.
const jot = () => journal.write(state()) || inTurn(keep);

const changed = (known = false) => {
  version += 1;
  clean = known;
  restored = false;
  refresh();
  tell();
  jot();
  save();
};

// ---- changes that can be undone -----------------------------------------------------------------------------------------

const push = (tiles) => {
  journal.touch(tiles.keys());
  if (tiles.size) history.push({ tiles, bytes: raster.cost(tiles) });
};
const edit = (change, known = false) => {
  if (!layer) return;
  endStroke();
  push(raster.remember(layer, change));
  view.repaint();
  changed(known);
};

const whole = () => {
  const packed = layer && raster.pack(layer);
  const bytes = (picture?.blob?.size ?? 0) + (packed ? raster.cost(packed.tiles) : 0);
  return { picture: aside(picture), packed, clean, stands, mask, bytes };
};
const install = (next, painted) => {
  endStroke();
  choices.show([]);
  const former = picture;
  journal.begin("");
  picture = next;
  layer = next && paints ? (painted ?? new raster.Layer(next.width, next.height, sketches ? 4 : 1)) : null;
  view.setPicture(picture, layer);
  if (picture) tool.suit(picture);
  former?.image.close?.();
};
const replace = (next, painted) => {
  endStroke();
  history.push(whole());
  install(next, painted);
  setValue(next?.id ?? "");
  changed();
};

const back = (entry, onto) => {
  if (entry.tiles) {
    const tiles = raster.exchange(layer, entry.tiles);
    onto.push({ tiles, bytes: raster.cost(tiles) });
    journal.touch(tiles.keys());
    view.repaint();
    return changed();
  }
  return store.revive(entry.picture).then((former) => {
    onto.push(whole());
    install(former, entry.packed && raster.unpack(entry.packed));
    setValue(entry.clean ? entry.stands : (former?.id ?? ""));
    if (entry.clean) hold(entry.mask);
    changed(entry.clean);
  });
};
const step = (from, onto) => {
  endStroke();
  const go = () => from.length && back(from.pop(), onto);
  if (waiting || !from.at(-1)?.tiles) return inTurn(go);
  return go();
};
const undo = () => step(history.past, history.future);
const redo = () => step(history.future, history.past);

// ---- pictures and masks that come in ------------------------------------------------------------------------------------

let opening = Promise.resolve();
const during = (words, act) => {
  opening = opening.then(async () => {
    say("alert");
    say("progress", words);
    await act().catch((problem) => say("alert", problem.message));
    say("progress");
  });
  return opening;
};

const open = (file) =>
  during("Uploading the picture…", async () => {
    const answer = await store.send("input?as=picture", file);
    const next = await store.picture(answer.id);
    const notes = [...(answer.notes ?? [])];
    await inTurn(async () => {
      replace(next);
      if (mode !== "mask" || !answer.mask) return;
      if (await load(answer.mask, true)) notes.push("The transparent parts of the picture are the mask.");
    });
    window.dispatchEvent(new CustomEvent("atelier:opened", { detail: { kind, width: next.width, height: next.height } }));
    say("notes", notes.join(" "));
  });

const openMask = (file) =>
  picture &&
  during("Uploading the mask…", async () => {
    const answer = await store.send(`input?as=mask&width=${picture.width}&height=${picture.height}`, file);
    if (!(await inTurn(() => load(answer.id)))) throw new Error("This mask does not have the size of the picture.");
    say("notes", (answer.notes ?? []).join(" "));
  });

// Puts a mask of the server's onto the picture, when it has its size.
const load = async (id, within = false) => {
  if (!picture || mode !== "mask") return false;
  const values = await store.mask(id, picture.width, picture.height);
  if (!values) return false;
  if (within) (layer.cells.set(values), journal.begin("")); // a part of the step that brought the picture
  else edit((cells) => cells.set(values));
  view.repaint();
  hold(id);
  changed(true);
  if (heard.id === id) heard = { id: "", at: 0 };
  return true;
};

// An empty canvas has the size of the form, and follows it until the first stroke.
const emptied = () => {
  const size = (name) => Math.min(most, Math.max(8, Math.round(Number(form[name])) || 512));
  return store.revive({ id: "", blob: null, width: size("width"), height: size("height") });
};
const blank = () => inTurn(async () => replace(await emptied()));
const isUntouched = () => sketches && picture && !picture.id && !history.past.at(-1)?.tiles && !history.future.length && !layer.bounds();
const resizeBlank = later(250, () =>
  inTurn(async () => {
    const next = isUntouched() && (await emptied());
    if (!next || (next.width === picture.width && next.height === picture.height)) return;
    install(next);
    changed();
  }),
);

const gone = (problem) => {
  say("alert", problem.message);
  if (!problem.missing) return;
  if (picture) replace(null);
  setValue("");
};

// What Python or the page sets: settings of an old picture, a picture from another tab.
const take = async () => {
  const id = props.value || "";
  if (id === stands) return;
  if (!id && restored) {
    const again = stands; // the form was put back later than this canvas
    restored = false;
    return setValue(again);
  }
  if (!id) return replace(null);
  const next = await store.picture(id).catch(gone);
  if (!next || (props.value || "") !== id) return;
  say("alert");
  replace(next);
  if (heard.id && Date.now() - heard.at < RECENT) await load(heard.id, true).catch(gone);
};
const hear = ({ detail }) => {
  if (!held || detail.id !== held || detail.value === mask) return;
  const id = detail.value || "";
  if (!id && restored) return hold(mask, true);
  heard = { id, at: Date.now() };
  mask = id;
  const mine = heard;
  inTurn(async () => {
    await pause(50); // the picture may come with it
    if (heard !== mine || (props.value || "") !== stands) return;
    if (restored && id === sent) return; // what is painted since is newer than the mask that the form remembers
    if (!id) return layer && edit((cells) => cells.fill(0), true);
    if (!(await load(id))) throw new Error("The mask that came with these settings belongs to a picture of another size.");
  }).catch((problem) => say("alert", problem.message));
};

// Back to the step before the picture with this id was overwritten by something that came from the page.
const former = (id) =>
  inTurn(async () => {
    const at = history.past.findLastIndex((entry) => !entry.tiles && (entry.stands === id || (entry.picture?.id ?? "") === id));
    while (at >= 0 && history.past.length > at) await back(history.past.pop(), history.future);
  });

const place = (id, { keepMask = false } = {}) =>
  inTurn(async () => {
    const next = await store.picture(id);
    const same = keepMask && layer && next.width === picture.width && next.height === picture.height;
    const known = same && mode === "mask" && clean;
    replace(next, same ? layer : null);
    clean = known;
    if (!same) hold("");
  });

const restore = async () => {
  const record = journal.onto(await store.load(kind));
  const now = props.value || "";
  if (!record?.picture || (now && ![record.sent.value, record.picture.id].includes(now))) return take();
  const { id, width, height } = record.picture;
  let found = null;
  try {
    found = await (id ? store.picture(id) : store.revive({ id: "", blob: null, width, height }));
  } catch (problem) {
    if (problem.missing) (store.forget(kind), journal.drop(true));
    return gone(problem);
  }
  install(found, record.layer);
  ({ mask, clean } = { mask: "", clean: record.sent.clean });
  setValue(record.sent.value);
  sent = record.sent.mask;
  hold(sent);
  kept = record.fresh ? -1 : version;
  if (!record.fresh) journal.begin(record.stamp ?? "");
  else (jot(), save());
  if (record.view && !record.view.fitted) Object.assign(view, record.view);
  view.change();
  refresh();
  tell();
  restored = true;
};

// ---- what the request needs ---------------------------------------------------------------------------------------------

const post = async (address, blob) => {
  const { id } = await store.send(address, blob);
  api.posted += blob.size;
  return id;
};
const deliver = async () => {
  const { width, height } = picture;
  const painted = layer.bounds();
  if (sketches) return setValue(!painted && picture.id ? picture.id : await post("input?as=picture", await store.flattened(picture, layer)));
  const file = painted && (await raster.png(width, height, 1, layer.bytes));
  return hold(file ? await post(`input?as=mask&width=${width}&height=${height}`, file) : "");
};
const flush = async () => {
  await opening;
  return inTurn(async () => {
    endStroke();
    api.posted = 0;
    if (!picture) return NOTHING;
    if (clean || !paints) return "";
    const mine = version;
    try {
      await deliver();
    } catch (problem) {
      return problem.message;
    }
    clean = version === mine;
    kept = -1;
    jot();
    save();
    return "";
  });
};

// ---- painting -----------------------------------------------------------------------------------------------------------

const draw = (event) => {
  const { x, y } = view.toPicture(view.device(event));
  view.repaint(stroke.drawn.to(x, y, tool.radius(event)));
};
const startStroke = (event) => {
  choices.choose(-1);
  const erase = tool.erase || (event.buttons & 32) > 0; // the other end of a pen
  const drawn = new raster.Stroke(layer, { erase, hardness: tool.hardness / 100, color: tool.abgr() });
  stroke = { id: event.pointerId, drawn };
  view.painting = true;
  if (sketches && !erase) tool.remember();
  draw(event);
};
const endStroke = (cancelled = false) => {
  if (!stroke) return;
  const { drawn } = stroke;
  stroke = null;
  view.painting = false;
  if (cancelled) drawn.cancel();
  else push(drawn.tiles);
  if (!cancelled && drawn.tiles.size) changed();
  if (!cancelled) return;
  journal.touch(drawn.tiles.keys());
  kept = -1; // a part of the stroke may have been kept
  view.repaint();
  jot();
  save();
};

const pick = (event) => {
  const { x, y } = view.toPicture(view.device(event));
  const [column, row] = [Math.floor(x), Math.floor(y)];
  if (column < 0 || row < 0 || column >= picture.width || row >= picture.height) return;
  const under = store.pixel(picture, column, row);
  const cell = layer.cells[row * layer.width + column];
  const color = raster.over(under, cell, cell >>> 24);
  tool.setColor(atelier.CanvasBrush.hex(color));
};

let seen = null; // where the pointer was last
const showCursor = (event) => {
  seen = event && { clientX: event.clientX, clientY: event.clientY };
  const shown = event && picture && layer;
  room.classList.toggle("pointed", !!shown);
  part("cursor").hidden = !shown;
  if (!shown) return;
  const box = part("box").getBoundingClientRect();
  const across = Math.max(2, (tool.size * view.scale) / view.dpr);
  const { style } = part("cursor");
  style.width = style.height = `${across}px`;
  style.transform = `translate(${event.clientX - box.left - across / 2}px, ${event.clientY - box.top - across / 2}px)`;
  style.setProperty("--core", `${((1 - tool.hardness / 100) * across) / 2}px`);
};
const press = (event) => (event.altKey && sketches ? pick(event) : startStroke(event));
const pointers = new atelier.CanvasPointers(view, { takes: () => paints, start: press, on: (event) => stroke && draw(event), end: endStroke, show: showCursor });

// ---- tools --------------------------------------------------------------------------------------------------------------

const byName = (names) => Object.fromEntries(names.map((name) => [name, part(name)]));
const choices = new atelier.CanvasChoices(view, byName(["choices", "thumbs", "keep", "original", "dismiss"]), (words) => say("alert", words));
// What there is to choose from comes into view, with the canvas on which it stands.
const candidates = (list) => {
  choices.show(list ?? []);
  const { top, bottom } = part("choices").getBoundingClientRect();
  const foot = document.querySelector(".generate") && innerWidth <= 780 ? 76 : 0; // the button lies there
  if (list?.length && shown() && (top < 0 || bottom > innerHeight - foot)) part("choices").scrollIntoView({ block: "end", behavior: "smooth" });
};
const settle = (sides) => {
  for (const [side, length] of Object.entries(sides)) {
    if (atelier.enter && (Number(form[side]) || 0) !== length) atelier.enter(`#${kind}-${side}`, length);
  }
  if (!atelier.enter) window.dispatchEvent(new CustomEvent("atelier:frame", { detail: { kind, ...sides } }));
  form = { ...form, ...sides };
  refresh();
};
const BRUSH = ["brush", "eraser", "size", "size-range", "hardness", "color", "swatches", "pressure"];
const tool = new atelier.CanvasBrush(byName(BRUSH), () => showCursor(seen));
const frame = paints ? null : new atelier.CanvasFrame(view, part("handles"), most, settle);

const refresh = () => {
  const painted = paints && !!picture;
  const steps = history.past.length + history.future.length;
  room.toggleAttribute("data-filled", !!picture);
  room.dataset.hand = painted ? "brush" : picture ? "pan" : "";
  part("empty").hidden = !!picture;
  part("tools").hidden = !picture && !steps;
  part("zoom").hidden = !picture;
  part("handles").hidden = paints || !picture;
  part("undo").disabled = !history.past.length;
  part("redo").disabled = !history.future.length;
  for (const name of ["brush", "eraser", "size", "size-range", "hardness", "clear", "invert", "fill", "load"]) part(name).disabled = !painted;
  part("remove").disabled = part("larger").disabled = !picture;
  part("facts").textContent = facts();
  if (!picture) showCursor(null);
};
const facts = () => {
  if (!picture) return "";
  const { width, height } = view.extent();
  const size = `${picture.width} × ${picture.height}`;
  return width === picture.width && height === picture.height ? size : `${size} → ${width} × ${height}`;
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

const clear = () => edit((cells) => cells.fill(0));
const invert = () => {
  if (!sketches) edit((cells) => cells.forEach((cell, index) => (cells[index] = 255 - cell)));
};
const ON = {
  brush: () => tool.setErase(false),
  eraser: () => tool.setErase(true),
  undo,
  redo,
  clear,
  invert,
  fill: () => edit((cells) => cells.fill(sketches ? tool.abgr() : 255)),
  load: () => part("mask-file").click(),
  another: () => part("file").click(),
  open: () => part("file").click(),
  blank,
  start: blank,
  remove: () => inTurn(async () => picture && replace(null)),
  pressure: () => tool.setPressure(!tool.pressure),
  larger: () => setLarger(!room.classList.contains("larger")),
  out: () => view.zoom(0.8),
  in: () => view.zoom(1.25),
  fit: () => view.fit(),
  whole: () => view.zoom(1 / view.scale),
};
for (const [name, act] of Object.entries(ON)) part(name).addEventListener("click", act);

view.suited = () => (part("tint").value = view.colors.color);
part("tint").addEventListener("input", () => atelier.CanvasTint.choose(part("tint").value));
part("tint").addEventListener("contextmenu", (event) => (event.preventDefault(), atelier.CanvasTint.choose("")));

// ---- keys ---------------------------------------------------------------------------------------------------------------

const { typing, chord, receive, chooses } = atelier.canvasHands;
const shown = () => element.isConnected && element.getClientRects().length > 0;
const listens = (event) =>
  shown() && !typing(event.target) && !event.isComposing && (room.contains(document.activeElement) || part("box").matches(":hover"));
const KEY = {
  "ctrl+z": undo, "ctrl+shift+z": redo, "ctrl+y": redo, 0: () => view.fit(),
  arrowleft: () => choices.turn(-1), arrowright: () => choices.turn(1),
};
const PAINTING = {
  b: ON.brush, e: ON.eraser,
  "[": () => tool.setSize(Math.min(tool.size - 1, tool.size / 1.15)), "]": () => tool.setSize(Math.max(tool.size + 1, tool.size * 1.15)),
  "{": () => tool.setHardness(tool.hardness - 10), "}": () => tool.setHardness(tool.hardness + 10),
  "ctrl+i": invert, delete: clear,
};
const onKey = (event) => {
  if (event.key === "Escape" && room.classList.contains("larger")) setLarger(false);
  else if (!listens(event)) return;
  else if (event.key === " " && (document.activeElement === canvas || document.activeElement === document.body)) hand(true);
  else {
    const name = chord(event);
    if (name.startsWith("arrow") && event.target.matches("input")) return;
    const act = KEY[name] ?? (layer && PAINTING[name]);
    if (!act || act() === false) return;
  }
  event.preventDefault();
  event.stopPropagation();
};
const hand = (spacing) => {
  pointers.spacing = spacing;
  if (picture) room.dataset.hand = spacing || !paints ? "pan" : "brush";
  if (spacing) showCursor(null);
};

// ---- joined -------------------------------------------------------------------------------------------------------------

receive(room, shown, open, (words) => say("alert", words));
chooses(part("file"), open);
chooses(part("mask-file"), openMask);

const read = (values) => {
  form = values;
  const [blur, inverted] = [Number(form.mask_blur) || 0, !!form.inverted];
  const other = blur !== view.blur || inverted !== view.inverted;
  Object.assign(view, { blur, inverted });
  if (other) view.redraw();
  frame?.set(form);
  if (isUntouched()) resizeBlank();
  refresh();
};
const HEARD = {
  "atelier:form": ({ detail }) => detail.kind === kind && read(detail.values),
  "atelier:preflight": ({ detail }) => {
    if (detail.kind !== kind) return;
    Object.assign(view, { box: detail.box ?? null, sentence: detail.sentence ?? "" });
    say("preflight", detail.sentence ?? "");
    view.ask();
  },
  "atelier:held": hear,
  resize: () => measure(),
};
for (const [name, act] of Object.entries(HEARD)) window.addEventListener(name, act);
window.addEventListener("keydown", onKey, true);
window.addEventListener("keyup", (event) => event.key === " " && hand(false), true);
window.addEventListener("blur", () => hand(false));
window.addEventListener("pointerdown", (event) => {
  if (!room.contains(event.target)) pointers.clicked = false;
}, true);
document.addEventListener("visibilitychange", () => document.hidden && inTurn(keep));
window.addEventListener("pagehide", () => endStroke());
window.addEventListener("storage", (event) => journal.overtaken(event) && jot());

const measure = () => view.resize(part("box").clientWidth, part("box").clientHeight, window.devicePixelRatio || 1);
new ResizeObserver(measure).observe(part("box"));
new MutationObserver(() => view.redraw()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
view.moved = () => {
  part("percent").textContent = `${Math.round(100 * view.scale)} %`;
  frame?.place();
  if (picture) save();
};

canvas.setAttribute("aria-label", paints ? `Canvas for painting. ${KEYS}` : "Picture with a frame around it. 0 shows all of it, Control with the wheel zooms.");
for (const name of ["brushes", "strokes", "pressure"]) part(name).hidden = !paints;
for (const slide of element.querySelectorAll(".canvas-slide")) slide.hidden = !paints;
part("tint").hidden = mode !== "mask";
for (const name of ["colors", "blank", "start"]) part(name).hidden = !sketches;
for (const name of ["invert", "load"]) part(name).hidden = sketches;
if (sketches) {
  part("clear").setAttribute("aria-label", "Clear drawing");
  part("clear").title = "Clear the drawing; the picture stays (Delete)";
}
if (!paints) part("box").after(part("lower")); // the handles may lie anywhere on the picture
measure();
if (atelier.forms?.[kind]) read(form);
refresh();

const api = {
  flush, place, former, element, posted: 0, candidates,
  idle: () => opening.then(() => line), // all that was begun is done
  get layer() {
    return layer;
  },
  get view() {
    return view;
  },
};
atelier.canvases = { ...atelier.canvases, [kind]: api };
watch("value", () => inTurn(take).catch((problem) => say("alert", problem.message)));
inTurn(restore).catch((problem) => say("alert", problem.message));
