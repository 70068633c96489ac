// The depth map of the form: its value is the map's id. Picture and estimator are values of the form that are shown here ("atelier:hold").
// The live view is in depth_view.js, the histogram in depth_plot.js, the drawing in depth_pad.js.
import * as store from "./canvas_store.js";
import { depthPad } from "./depth_pad.js";
import { depthPlot } from "./depth_plot.js";
import { depthView } from "./depth_view.js";
import { notify, snapshot } from "./desk.js";
import { emit, enter, find, make, on, parts, write } from "./dom.js";
import { chooses, receive } from "./files.js";
import * as page from "./page.js";
import { address } from "./unit_pictures.js";
import { unitWeights } from "./unit_weights.js";

const SLOW = 3000; // milliseconds after which a wait is explained
const NO_ANSWER = "The studio did not answer. Try again.";
const INVITE = {
  nothing: "Drop a picture here to take the depth from it, paste one (Ctrl+V), or bring a depth map. White is near, black is far.",
  picture: "No depth map yet. Estimate it from the picture, or drop a map here. Without one, Generate estimates it by itself.",
};

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, server, watch }) => {
  const part = parts(element);
  const { kind, seen, edits, titles, infos, image: imageField, estimator: estimatorField } = props.offers;
  let form = page.forms[kind] ?? {};
  let estimators = []; // {name, info, missing}
  let look = "edited";
  let fetched = ""; // the estimator whose weights this page downloads: it estimates when they are there
  let busy = ""; // what is being waited for
  let turn = 0; // of what makes a map: the newest one counts
  let drawing = false;
  let raw = null; // the map as it came: {id, image, bins}
  let shownPicture = ""; // the id whose size the page knows

  const map = () => props.value || "";
  const say = (name, words) => write(part(name), words);
  const hold = (id, value) => emit("hold", { id, value });
  const setMap = (id, words = "") => {
    const former = map();
    if (id === former) return;
    turn += 1;
    props.value = id;
    trigger("change");
    look = "edited";
    if (former && words) notify(words, { says: "Undo", does: () => setMap(former) });
    draw();
  };
  const setPicture = (id) => {
    form = { ...form, image: id };
    hold(imageField, id);
    draw();
  };

  // ---- what is seen -------------------------------------------------------------------------------------------------------
  const question = () => (map() ? JSON.stringify(Object.fromEntries(seen.map((name) => [name, name === "map" ? map() : form[name]]))) : "");
  const isWhole = () => seen.every((name) => name === "map" || (form[name] !== undefined && form[name] !== null));
  let edited = null;
  const view = depthView(
    (image, asked) => {
      if (!map() || JSON.parse(asked).map !== map()) return view.drop(image);
      if (edited) view.drop(edited);
      edited = image;
      say("alert");
      show();
    },
    (words) => map() && say("alert", words),
  );
  const plot = depthPlot(part("histogram"), (name, value) => enter(`#${kind}-${name}`, value));

  // The map before editing, to look at and to count.
  const loadRaw = async () => {
    const id = map();
    if (!id || raw?.id === id) return;
    const image = Object.assign(new Image(), { src: address(id) });
    const there = await image.decode().then(() => true, () => false);
    if (map() !== id || !there) return;
    raw = { id, image, bins: plot.count(image) };
    draw();
  };

  const SHOWN = { edited: () => edited?.src, raw: () => raw?.id === map() && raw.image.src, picture: () => form.image && address(form.image) };
  const ALT = { edited: "The edited depth map", raw: "The depth map as it came", picture: "The picture" };
  const show = () => {
    if (look === "picture" && !form.image) look = "edited";
    const source = map() || look === "picture" ? SHOWN[look]() : "";
    part("shown").hidden = !source;
    if (source && part("shown").getAttribute("src") !== source) part("shown").src = source;
    part("shown").alt = ALT[look];
    part("facts").textContent = source ? facts() : "";
  };
  const facts = () => {
    if (look === "edited") return edited ? `${edited.naturalWidth} × ${edited.naturalHeight}` : "";
    const image = look === "raw" ? raw?.image : part("thumb-picture");
    return image?.naturalWidth ? `${image.naturalWidth} × ${image.naturalHeight}` : "";
  };

  const draw = () => {
    if (!element.isConnected) return;
    const has = { picture: !!form.image, map: !!map() };
    if (!has.map && edited) edited = (view.drop(edited), null);
    drawSource(has);
    part("stand").hidden = drawing;
    part("pad").hidden = !drawing;
    part("looks").hidden = !has.map;
    for (const name of Object.keys(SHOWN)) part(`look-${name}`).setAttribute("aria-pressed", String(look === name));
    part("look-picture").hidden = !has.picture;
    part("empty").hidden = has.map;
    part("invite").textContent = INVITE[has.picture ? "picture" : "nothing"];
    part("open").hidden = has.picture;
    part("first-estimate").hidden = !has.picture;
    part("ways").hidden = part("plot").hidden = !has.map;
    part("ways").toggleAttribute("inert", drawing);
    part("box").toggleAttribute("data-busy", !!busy);
    say("busy", busy);
    view.want(isWhole() ? question() : "");
    plot.show(raw?.id === map() ? raw.bins : null, edit(), titles);
    part("reset").disabled = Object.entries(edits).every(([name, value]) => edit()[name] === value);
    show();
    loadRaw();
  };
  const edit = () => Object.fromEntries(Object.entries(edits).map(([name, value]) => [name, form[name] ?? value]));

  const drawSource = (has) => {
    const source = has.picture ? address(form.image) : "";
    const image = part("thumb-picture");
    image.hidden = !source;
    part("thumb-sign").hidden = !!source;
    if (!source) image.removeAttribute("src");
    else if (image.getAttribute("src") !== source) image.src = source;
    if (!source && shownPicture) tellSize("", 0, 0);
    part("source-words").textContent = has.picture ? "The picture" : has.map ? "No picture: at strength 1 the map is enough" : "No picture yet";
    part("another").textContent = has.picture ? "Another…" : "Open…";
    part("remove").hidden = !has.picture;
    part("thumb").setAttribute("aria-label", has.picture ? "Choose another picture" : "Choose a picture");
    const entry = estimators.find((each) => each.name === form.estimator);
    part("estimator").value = form.estimator ?? "";
    const why = !has.picture ? "Put a picture in first." : (entry?.missing ?? "");
    for (const name of ["estimate", "first-estimate"]) {
      part(name).disabled = !!why || !!busy;
      part(name).title = why;
    }
    say("info", entry?.missing || (has.map ? "" : entry?.info));
    weights.show(entry);
    part("estimator").title = entry?.info ?? "";
    part("info").classList.toggle("unit-problem", !!entry?.missing);
  };
  // Lines about the run and a size that suits need to know how large the picture is.
  const tellSize = (id, width, height) => {
    shownPicture = id;
    page.tellPainted({ kind, width, height, bounds: null });
  };
  part("thumb-picture").addEventListener("load", ({ target }) => (tellSize(form.image, target.naturalWidth, target.naturalHeight), show()));
  part("thumb-picture").addEventListener("error", () => form.image && say("alert", "The picture is not stored here any more. Put it in again."));

  // ---- files --------------------------------------------------------------------------------------------------------------
  const during = async (words, act) => {
    busy = words;
    for (const name of ["alert", "notes"]) say(name);
    draw();
    const why = await act().then(() => "", (problem) => problem.message);
    busy = "";
    draw();
    if (why) say("alert", why);
  };
  const opened = ({ width, height }) => emit("opened", { kind, width, height });
  const open = (file) =>
    during("Uploading the picture…", async () => {
      const told = await store.send("input?as=picture", file);
      const stale = map() && form.image && form.image !== told.id ? ["The depth map is still the one of before: estimate it anew, or keep it."] : [];
      setPicture(told.id);
      opened(told);
      say("notes", [...(told.notes ?? []), ...stale].join(" "));
    });
  const bring = (file) =>
    during("Uploading the depth map…", async () => {
      const told = await store.send("input?as=depth", file);
      if (!form.image) opened(told);
      setMap(told.id, "The depth map was replaced.");
      say("notes", (told.notes ?? []).join(" "));
    });
  let aim = "picture"; // what a dropped file becomes
  const take = (file) => {
    const isMap = aim === "map" || /\.exr$/i.test(file.name ?? "");
    aim = "picture";
    return isMap ? bring(file) : open(file);
  };

  // ---- making a map -------------------------------------------------------------------------------------------------------
  const estimate = () => {
    const mine = ++turn;
    const asked = { image: form.image, estimator: form.estimator };
    const slow = setTimeout(() => {
      busy &&= "Estimating the depth… It waits while a picture is being drawn.";
      draw();
    }, SLOW);
    return during("Estimating the depth…", async () => {
      const told = (await server.estimate(asked).catch(() => null)) ?? { message: NO_ANSWER };
      clearTimeout(slow);
      if (mine !== turn || form.image !== asked.image) return; // another map or picture came meanwhile
      if (!told.id) throw new Error(told.message);
      setMap(told.id, "The depth map was replaced.");
      part("spoken").textContent = "The depth map is there.";
    });
  };

  const pad = depthPad(part);
  const startDrawing = () => {
    const picture = part("thumb-picture");
    const size = picture.naturalWidth ? [picture.naturalWidth, picture.naturalHeight] : [Number(form.width) || 512, Number(form.height) || 512];
    drawing = true;
    for (const name of ["alert", "notes"]) say(name);
    draw();
    const image = raw?.id === map() ? raw.image : null;
    pad.open({ image, size, guide: form.image ? address(form.image) : "", inverted: !!form.map_inverted, of: `${map()} ${form.image ?? ""}` });
  };
  const stopDrawing = () => {
    pad.forget();
    drawing = false;
    draw();
    part(map() ? "draw" : "first-draw").focus({ preventScroll: true });
  };
  const useDrawing = () => {
    const below = map();
    return during("Taking the drawing…", async () => {
      const told = await store.send(`input?as=depth${below ? `&over=${below}` : ""}`, await pad.file(!below));
      if (!form.image && !below) opened(told);
      setMap(told.id, "The depth map was drawn on.");
      stopDrawing();
    });
  };

  // ---- joined -------------------------------------------------------------------------------------------------------------
  const reset = () => {
    for (const [name, value] of Object.entries(edits)) {
      const box = find(`#${kind}-${name} input[type="checkbox"]`);
      if (box && box.checked !== value) box.click();
      else if (!box) enter(`#${kind}-${name}`, value);
    }
  };
  const send = () => {
    snapshot("controlnet");
    const { controls, checkpoint } = page.forms.controlnet ?? {};
    trigger("send_map", { values: JSON.parse(question()), units: controls, checkpoint });
    part("spoken").textContent = "The depth map is in the first unit of ControlNet.";
  };
  const weights = unitWeights(server, (name) => (fetched = name));
  part("weights").replaceChildren(weights.root);
  const ON = {
    thumb: () => part("file").click(),
    another: () => part("file").click(),
    open: () => part("file").click(),
    remove: () => setPicture(""),
    estimate,
    "first-estimate": estimate,
    upload: () => part("map-file").click(),
    "first-upload": () => part("map-file").click(),
    draw: startDrawing,
    "first-draw": startDrawing,
    done: useDrawing,
    cancel: stopDrawing,
    clear: () => setMap("", "The depth map was taken out."),
    send,
    reset,
  };
  for (const [name, act] of Object.entries(ON)) part(name).addEventListener("click", act);
  for (const name of Object.keys(SHOWN)) part(`look-${name}`).addEventListener("click", () => ((look = name), draw()));
  part("estimator").addEventListener("change", () => ((form = { ...form, estimator: part("estimator").value }), hold(estimatorField, form.estimator), draw()));
  chooses(part("file"), open);
  chooses(part("map-file"), bring);
  part("room").addEventListener("drop", (event) => (aim = form.image && part("box").contains(event.target) ? "map" : "picture"), true);
  receive(part("room"), () => element.isConnected && element.getClientRects().length > 0, take, (words) => say("alert", words));

  const learn = async () => {
    estimators = (await server.estimators().catch(() => null)) ?? estimators;
    const option = ({ name, missing }) => make("option", { value: name, textContent: missing ? `${name} (no weights yet)` : name, title: missing, className: missing ? "grey" : "" });
    part("estimator").replaceChildren(...estimators.map(option));
    draw();
    const arrived = fetched && !estimators.find(({ name }) => name === fetched)?.missing;
    if (arrived && form.estimator === fetched && form.image && !map()) estimate();
    if (arrived) fetched = "";
  };
  on("library", learn);
  on("form", (detail) => {
    if (detail.kind !== kind) return;
    form = detail.values;
    draw();
  });
  on("held", (detail) => {
    if (detail.id === imageField) form = { ...form, image: detail.value };
    if (detail.id === estimatorField) form = { ...form, estimator: detail.value };
    draw();
  });
  watch("value", () => {
    if (drawing) stopDrawing(); // what was drawn on has been replaced
    draw();
  });
  for (const [name, words] of Object.entries(infos)) document.getElementById(`${kind}-${name}`)?.setAttribute("title", words);
  draw();
  learn();
};
