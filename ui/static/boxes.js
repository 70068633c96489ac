// The list of boxes that are drawn anew, each with its words. Its value is the list that the request takes; on the picture they are
// shown and moved by box_layer.js.
import { emit, make, on, parts } from "./dom.js";
import { typedNumber } from "./numbers.js";
import * as page from "./page.js";

const LONGEST = 100; // changes that can be undone

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, watch }) => {
  const part = parts(element);
  const { kind, most, fields } = props;
  let chosen = -1;
  /** @type {string[]} */
  let labels = []; // of each box, what a detector says of it
  /** @returns {import("./box_layer.js").Box[]} */
  const boxes = () => (Array.isArray(props.value) ? props.value : []);
  let shown = JSON.stringify(boxes());
  /** What the list was before each change: [boxes, labels]. @type {[import("./box_layer.js").Box[], string[]][]} */
  const past = [];

  const tell = () => emit("boxes", { kind, boxes: boxes(), chosen });
  const change = (next, at = chosen, called = labels) => {
    past.push([boxes(), labels]);
    if (past.length > LONGEST) past.shift();
    take(next, at, called);
  };
  const take = (next, at, called) => {
    [chosen, labels] = [Math.min(at, next.length - 1), called];
    props.value = next.slice(0, most);
    shown = JSON.stringify(props.value);
    trigger("change");
    draw();
    tell();
  };
  const choose = (at) => {
    if (chosen === at) return;
    chosen = at;
    mark();
    tell();
  };
  const mark = () => [...part("list").children].forEach((row, at) => row.classList.toggle("chosen", at === chosen));
  const remove = (at) => change(boxes().filter((_, place) => place !== at), chosen, labels.filter((_, place) => place !== at));
  const put = (at, own) => change(boxes().map((each, place) => (place === at ? { ...each, ...own } : each)), at);

  const row = (box, at) => {
    const size = `${box.right - box.left} × ${box.bottom - box.top}`;
    const words = make("input", { type: "text", value: box.prompt ?? "", placeholder: "The prompt above", title: fields.prompt.info, maxLength: 10_000, "aria-label": `Prompt of box ${at + 1}` });
    words.addEventListener("change", () => put(at, { prompt: words.value, template: "" }));
    const { low, high, step, title, info } = fields.strength;
    const strength = make("input", { type: "number", min: low, max: high, step, value: box.strength || "", placeholder: "form", title: `${title}. ${info}`, "aria-label": `${title} of box ${at + 1}` });
    strength.addEventListener("change", () => put(at, { strength: strength.value === "" ? 0 : typedNumber(strength, box.strength, { low, high }) }));
    const out = make("button", { type: "button", className: "tool icon-x", title: `Remove box ${at + 1}`, "aria-label": `Remove box ${at + 1}` });
    out.addEventListener("click", () => remove(at));
    const name = make("span", { className: "boxes-name" }, make("b", { textContent: `${at + 1}` }), make("span", { textContent: [size, labels[at]].filter(Boolean).join(" · ") }));
    const made = make("li", { className: at === chosen ? "chosen" : "" }, name, out, words, strength);
    made.addEventListener("focusin", () => choose(at));
    made.addEventListener("pointerdown", () => choose(at));
    return made;
  };
  const draw = () => {
    const now = boxes();
    part("list").replaceChildren(...now.map(row));
    part("count").textContent = now.length ? `${now.length} of at most ${most}` : "none yet";
    part("clear").hidden = now.length < 2;
    part("undo").hidden = !past.length;
    part("add").disabled = now.length >= most;
  };

  part("add").addEventListener("click", () => {
    const { width = 0, height = 0 } = page.painted[kind] ?? {};
    if (!width) return (part("count").textContent = "Put a picture on the canvas first.");
    const [across, down] = [Math.ceil(width / 3), Math.ceil(height / 3)];
    const box = { left: across, top: down, right: Math.max(across + 1, 2 * across), bottom: Math.max(down + 1, 2 * down), prompt: "", strength: 0 };
    change([...boxes(), box], boxes().length);
  });
  part("undo").addEventListener("click", () => {
    const [before, called] = past.pop();
    take(before, -1, called);
  });
  part("clear").addEventListener("click", () => change([], -1, []));
  on("boxed", ({ kind: whose, boxes: next, chosen: at }) => {
    if (whose !== kind) return;
    const called = next.length < boxes().length ? labels.filter((_, place) => next.includes(boxes()[place])) : labels;
    if (JSON.stringify(next) !== JSON.stringify(boxes())) change(next, at, called);
    else choose(at);
  });
  on("found", ({ kind: whose, boxes: next, labels: called }) => whose === kind && change(next, next.length ? 0 : -1, called));
  on("opened", ({ kind: whose }) => whose === kind && boxes().length && change([], -1, [])); // they belong to another picture
  on("painted", ({ kind: whose }) => whose === kind && tell());
  watch("value", () => {
    if (JSON.stringify(boxes()) === shown) return;
    shown = JSON.stringify(boxes());
    [chosen, labels] = [-1, []];
    draw();
    tell();
  });
  draw();
  tell();
};
