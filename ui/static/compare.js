// Two to four pictures compared over the whole window: a slider between two, side by side, blinking, their difference; under them the
// parameters in which they differ. Each picture is loaded once and moved, never copied. What people wrote enters as text.
import { amplified, compared, said } from "./compare_pixels.js";
import { drags, follow } from "./compare_pointers.js";
import { columnsFor, commonFrame, placed, put, saidOfSizes, shared, View } from "./compare_view.js";
import { inStep, leave, load } from "./compare_step.js";
import { notify } from "./desk.js";
import { findAll, make, on, parts, write } from "./dom.js";
import { limit } from "./numbers.js";
import { wanted } from "./on_demand.js";
import { address } from "./stage_live.js";

const MODES = ["slider", "side", "blink", "difference"];
const OVER = 60; // CSS pixels that an arrow key moves
const STEP = 0.02; // of the width, that one moves the line

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element }) => {
  const part = parts(element);
  /** @type {{ id: string, image: any, file: Blob | null, pane: any, place: import("./compare_view.js").Box }[]} */
  let pictures = [];
  let view = new View({ width: 1, height: 1 });
  let [mode, split, shown, timer] = ["slider", 0.5, 0, 0];
  let turn = 0; // of what is opened: an answer to an earlier one comes too late
  /** @type {import("./messages.d.ts").ComparedPicture[]} */
  let facts = []; // what is told of each
  let still = () => {}; // ends the stepping through clips
  let found = null; // what two pictures differ by, and which two
  const dialog = part("dialog");
  const isStill = matchMedia("(prefers-reduced-motion: reduce)");

  const pair = () => [Number(part("left").value), Number(part("right").value)];
  const room = () => part("room").getBoundingClientRect();
  const pane = () => (mode === "side" ? pictures[0].pane : part("room")).getBoundingClientRect();

  // ---- what is seen -------------------------------------------------------------------------------------------------------

  const arrange = () => {
    const [left, right] = pair();
    for (const [place, { pane: own }] of pictures.entries()) {
      own.hidden = mode === "difference" || (mode === "slider" && place !== left && place !== right) || (mode === "blink" && place !== shown);
      own.style.clipPath = mode === "slider" && place === right && left !== right ? `inset(0 0 0 ${split * 100}%)` : "";
      own.style.zIndex = mode === "slider" && place === right ? "1" : "";
      own.dataset.side = mode === "slider" && place === right ? "right" : "left";
    }
    part("divider").style.left = `${split * 100}%`;
    part("divider").setAttribute("aria-valuenow", String(Math.round(split * 100)));
    part("divider").setAttribute("aria-valuetext", `${Math.round(split * 100)} % of picture ${left + 1}, the rest of picture ${right + 1}`);
  };

  const place = () => {
    if (!pictures.length) return;
    const here = pane();
    if (view.fitted) view.fit(here);
    for (const { image, place: box } of pictures) put(image, view.onPane(box, here), image.naturalWidth);
    if (mode === "difference" && found) put(part("canvas"), view.onPane(found.box, here), part("canvas").width);
    part("zoom").textContent = `${Math.round(view.scale * devicePixelRatio * 100)} %`;
  };

  const show = () => {
    element.dataset.mode = dialog.dataset.mode = mode;
    for (const button of findAll("[data-mode]", part("modes"))) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    part("divider").hidden = mode !== "slider";
    part("canvas").hidden = mode !== "difference";
    part("pair").hidden = pictures.length < 3 || !["slider", "difference"].includes(mode);
    part("blinking").hidden = mode !== "blink";
    part("amplifying").hidden = mode !== "difference";
    const columns = mode === "side" ? columnsFor(pictures.length, room(), view.frame) : 1;
    part("panes").style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    part("figures").textContent = "";
    if (mode === "difference") differ();
    arrange();
    place();
  };

  const choose = (next) => {
    mode = next;
    if (mode !== "blink") play(false);
    show();
    if (mode === "blink") play(!isStill.matches);
  };

  const slide = (to) => {
    split = limit(to, 0, 1);
    arrange();
  };

  // ---- difference ---------------------------------------------------------------------------------------------------------

  const factor = () => 2 ** Number(part("factor").value);
  const differ = () => {
    const [left, right] = pair();
    const [one, other] = [pictures[left], pictures[right]];
    const box = shared(one.place, other.place);
    if (found?.left !== left || found.right !== right) found = { ...compared(one, other, box), box, left, right };
    const canvas = part("canvas");
    Object.assign(canvas, { width: found.width, height: found.height });
    canvas.getContext("2d").putImageData(new ImageData(amplified(found.apart, factor()), found.width, found.height), 0, 0);
    part("times").textContent = `${factor()} ×`;
    part("figures").textContent = said(found, factor());
    canvas.setAttribute("aria-label", `The difference of pictures ${left + 1} and ${right + 1}`);
  };

  // ---- blink --------------------------------------------------------------------------------------------------------------

  const next = (by = 1) => {
    shown = (shown + by + pictures.length) % pictures.length;
    arrange();
  };
  const play = (going) => {
    clearInterval(timer);
    timer = going ? window.setInterval(next, Number(part("pace").value) * 1000) : 0;
    part("play").setAttribute("aria-pressed", String(going));
    part("play").textContent = going ? "Pause" : "Play";
  };
  let holding = false;
  const hold = (down) => {
    if (mode !== "blink" || down === holding) return;
    holding = down;
    if (down) play(false);
    next(down ? 1 : -1);
  };

  // ---- zoom and place -----------------------------------------------------------------------------------------------------

  const within = (at) => {
    const panes = mode === "side" ? pictures.map(({ pane: own }) => own.getBoundingClientRect()) : [room()];
    const under = panes.find(({ left, right, top, bottom }) => at.x >= left && at.x < right && at.y >= top && at.y < bottom) ?? panes[0];
    return { x: at.x - under.left, y: at.y - under.top };
  };
  const zoom = (by, at) => {
    view.zoomTo(view.scale * by, pane(), at && within(at));
    place();
  };
  const fit = () => {
    view.fit(pane());
    place();
  };
  const exact = (at) => {
    view.zoomTo(1 / devicePixelRatio, pane(), at && within(at));
    place();
  };
  const pan = (x, y) => {
    view.pan(x, y);
    place();
  };

  // ---- what they differ in ------------------------------------------------------------------------------------------------

  /** @param {import("./messages.d.ts").PictureComparison} told */
  const table = (told) => {
    if (!told.differences.length) return make("p", { textContent: "They differ in no parameter that is known." });
    const cell = (tag, text, looks = {}) => make(tag, { ...looks }, make("div", { textContent: text }));
    const head = make("tr", {}, cell("th", "Differs", { scope: "col" }), ...told.pictures.map((_, place) => cell("th", `Picture ${place + 1}`, { scope: "col" })));
    const rows = told.differences.map(({ group, title, texts }) => make("tr", {}, cell("th", title, { scope: "row", title: group }), ...texts.map((text) => cell("td", text))));
    return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  };

  const tell = async (ids, mine) => {
    const answer = await fetch(`compare?ids=${ids.map(encodeURIComponent).join(",")}`).catch(() => null);
    const told = answer ? await answer.json().catch(() => ({})) : {};
    if (mine !== turn) return;
    const sorry = told.message || "The server did not say in what they differ. Close this and compare them again.";
    part("table").replaceChildren(answer?.ok ? table(told) : make("p", { textContent: sorry }));
    facts = answer?.ok ? told.pictures : [];
    clips(mine);
    if (dialog.open) place();
  };

  // Those that move are stepped through, once they are there and it is known how many frames they have.
  const clips = async (mine) => {
    if (!pictures.length || !facts.some(({ frames }) => frames > 1)) return;
    const later = await wanted("compare_clips").catch(() => null);
    if (mine !== turn || !later) return;
    still();
    still = later.transport(part("clips"), pictures, facts, () => ((found = null), show()));
  };

  // ---- opened and closed --------------------------------------------------------------------------------------------------

  const paneOf = (id, number) => {
    const image = make("img", { className: "compare-picture", alt: `Picture ${number}`, draggable: false });
    return { id, image, file: null, place: null, pane: make("figure", { className: "compare-pane" }, image, make("figcaption", {})) };
  };

  const hang = (loading) => {
    for (const image of findAll("img", part("panes"))) leave(image);
    part("panes").replaceChildren(...loading.map(({ pane: own }) => own));
  };

  const ready = (mine) => {
    if (mine !== turn) return;
    const sizes = pictures.map(({ image }) => ({ width: image.naturalWidth, height: image.naturalHeight }));
    view = new View(commonFrame(sizes));
    for (const [number, each] of pictures.entries()) {
      each.place = placed(sizes[number], view.frame);
      each.pane.querySelector("figcaption").textContent = `${number + 1} · ${sizes[number].width} × ${sizes[number].height}`;
    }
    write(part("note"), saidOfSizes(sizes));
    inStep(pictures);
    clips(mine);
    part("room").setAttribute("aria-busy", "false");
    choose(mode);
  };

  const open = async (asked) => {
    const ids = [...new Set(asked)];
    if (ids.length < 2 || ids.length > 4) return notify("Choose two to four pictures to compare.");
    const mine = (turn += 1);
    found = null;
    still();
    facts = [];
    shown = 0;
    const offered = () => ids.map((_, place) => make("option", { value: String(place), textContent: `Picture ${place + 1}` }));
    for (const [name, place] of Object.entries({ left: 0, right: 1 })) {
      part(name).replaceChildren(...offered());
      part(name).value = String(place);
    }
    const loading = ids.map((id, place) => paneOf(id, place + 1));
    pictures = [];
    hang(loading);
    part("table").replaceChildren();
    part("room").setAttribute("aria-busy", "true");
    write(part("note"), "");
    if (!dialog.open) dialog.showModal();
    tell(ids, mine);
    await Promise.all(loading.map(async (each) => (each.file = await load(each.image, `${address("picture", each.id)}.png`))));
    if (mine !== turn) return;
    if (!loading.every(({ file }) => file)) return write(part("note"), "A picture could not be loaded. Its file may be gone; close this and choose others.");
    pictures = loading;
    ready(mine);
  };

  const close = () => {
    turn += 1;
    play(false);
    still();
    pictures = [];
    found = null;
    hang([]);
    Object.assign(part("canvas"), { width: 1, height: 1 });
  };

  // ---- keys ---------------------------------------------------------------------------------------------------------------

  const aside = (x, event) => (mode === "slider" ? slide(split - Math.sign(x) * STEP * (event.shiftKey ? 5 : 1)) : pan(x, 0));
  const KEYS = {
    1: () => choose("slider"), 2: () => choose("side"), 3: () => choose("blink"), 4: () => choose("difference"),
    ArrowLeft: (event) => aside(OVER, event), ArrowRight: (event) => aside(-OVER, event),
    ArrowUp: () => pan(0, OVER), ArrowDown: () => pan(0, -OVER),
    "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: fit, " ": () => hold(true),
  };
  const busy = (event) => event.target.matches("select, input, table *, [data-part=table]") || (event.key === " " && event.target.matches("button"));
  dialog.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    if (!act || !pictures.length || event.ctrlKey || event.metaKey || event.altKey || (busy(event) && !MODES[Number(event.key) - 1])) return;
    event.preventDefault();
    act(event);
  });
  dialog.addEventListener("keyup", (event) => event.key === " " && hold(false));

  // ---- joined -------------------------------------------------------------------------------------------------------------

  follow(part("room"), {
    pan: (x, y) => pictures.length && pan(x, y),
    zoom: (by, at) => pictures.length && zoom(by, at),
    toggle: (at) => pictures.length && (view.fitted ? exact(at) : fit()),
    press: (down) => pictures.length && hold(down),
  });
  drags(part("divider"), part("room"), slide);
  for (const button of findAll("[data-mode]", part("modes"))) button.addEventListener("click", () => pictures.length && choose(button.dataset.mode));
  const ON = { less: () => zoom(0.8), more: () => zoom(1.25), fit, exact: () => exact(), play: () => play(!timer) };
  for (const [name, act] of Object.entries(ON)) part(name).addEventListener("click", () => pictures.length && act());
  part("close").addEventListener("click", () => dialog.close());
  for (const name of ["left", "right"]) part(name).addEventListener("change", () => pictures.length && show());
  part("pace").addEventListener("input", () => timer && play(true));
  part("factor").addEventListener("input", () => pictures.length && differ());
  for (const [name, down] of Object.entries({ pointerdown: true, pointerup: false, pointercancel: false, pointerleave: false })) part("hold").addEventListener(name, () => hold(down));
  dialog.addEventListener("close", close);
  new ResizeObserver(() => pictures.length && (mode === "side" ? show() : place())).observe(part("room"));
  on("compare", ({ ids }) => open(ids));
};
