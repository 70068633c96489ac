// Detailers: what looks for details in the picture, and with what they are drawn. “Find” shows what they see as boxes on the picture.
import { emit, make, parts, write } from "./dom.js";
import * as page from "./page.js";
import { choice, number } from "./unit_parts.js";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, server, watch }) => {
  const part = parts(element);
  const { kind, fields, first, later, colour, most } = props;
  const blank = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, /** @type {any} */ (field).default]));
  /** @type {import("./messages.d.ts").OfferedDetector[]} */
  let detectors = [];
  const opened = new Set(); // cards whose further settings are seen
  let turn = 0; // an answer to an older question is thrown away

  const list = () => (Array.isArray(props.value) && props.value.length ? props.value : [blank]);
  let shown = "";
  const change = (next) => {
    props.value = next;
    trigger("change");
    draw();
  };
  const put = (at, own) => change(list().map((each, place) => (place === at ? { ...each, ...own } : each)));

  const text = (field, commit) => {
    const input = make("input", { type: "text", maxLength: 10_000, placeholder: "The prompt above", title: field.info });
    input.addEventListener("change", () => commit(input.value));
    const name = make("span", { className: "unit-name", textContent: field.title });
    const show = (value, look) => {
      if (document.activeElement !== input) input.value = value;
      input.setAttribute("aria-label", `${field.title} of ${look.whose}`);
    };
    return { root: make("div", { className: "unit-text" }, make("label", {}, name, input)), show };
  };
  const color = (field, commit) => {
    const made = text(field, commit);
    Object.assign(made.root.querySelector("input"), { type: "color", className: "detail-color" });
    return made;
  };
  const control = (name, commit) => {
    const field = fields[name];
    if (name === "colour") return color(field, commit);
    return { number, choice, text }[field.sort](field, commit);
  };
  const options = (value) => {
    const offered = detectors.map(({ name, why }) => ({ value: name, text: name, why, barred: !!why }));
    return offered.some((each) => each.value === value) ? offered : [...offered, { value, text: `${value} (not here)`, why: "It is not in the folder of detectors." }];
  };

  const card = (detailer, at, all) => {
    const whose = `detailer ${at + 1}`;
    const controls = Object.keys(fields).map((name) => [name, control(name, (value) => put(at, { [name]: value }))]);
    const made = Object.fromEntries(controls);
    for (const [name, each] of controls) {
      const look = { ...fields[name], whose };
      if (name === "detector") Object.assign(look, { options: options(detailer.detector), problem: detectors.find((known) => known.name === detailer.detector)?.why ?? "" });
      each.show(detailer[name] ?? blank[name], look);
    }
    made.colour.root.hidden = detailer.detector !== colour;
    const out = make("button", { type: "button", className: "tool icon-x", title: `Remove ${whose}`, "aria-label": `Remove ${whose}`, hidden: all.length < 2 });
    out.addEventListener("click", () => change(list().filter((_, place) => place !== at)));
    const more = make("details", { open: opened.has(at) }, make("summary", { textContent: "Which of them, and where" }), ...later.map((name) => made[name].root));
    more.addEventListener("toggle", () => (more.open ? opened.add(at) : opened.delete(at)));
    const head = make("div", { className: "detailer-head", hidden: all.length < 2 }, make("b", { textContent: `Detailer ${at + 1}` }), out);
    return make("li", { className: "detailer" }, head, ...first.map((name) => made[name].root), more);
  };
  const draw = () => {
    shown = JSON.stringify([list(), detectors]);
    part("list").replaceChildren(...list().map(card));
    part("add").disabled = list().length >= most;
  };

  const find = async () => {
    const mine = ++turn;
    write(part("status"), "Looking…");
    const canvas = page.canvases[kind];
    const why = canvas ? await canvas.flush() : "The picture is not there yet. Try again.";
    if (why) return write(part("status"), why);
    const answer = await server.find({ detailers: list(), ...canvas.named() }).catch(() => null);
    if (mine !== turn) return;
    if (!answer?.boxes) return write(part("status"), answer?.message ?? "The studio did not answer. Try again.");
    write(part("status"), answer.words);
    emit("found", { kind, boxes: answer.boxes, labels: answer.labels });
  };
  const look = async () => {
    detectors = (await server.detectors().catch(() => null)) ?? detectors;
    if (JSON.stringify([list(), detectors]) !== shown) draw();
  };
  part("find").addEventListener("click", find);
  part("add").addEventListener("click", () => change([...list(), blank]));
  part("list").addEventListener("focusin", (event) => event.target.tagName === "SELECT" && look()); // a file may have come
  watch("value", () => JSON.stringify([list(), detectors]) !== shown && draw());
  draw();
  look();
};
