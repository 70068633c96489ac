// Colours behind the words of a prompt. The field stays a plain textarea, whose own ground is clear; below it lies a copy of its text, which
// is clear itself and shows only the ground of what each part is. What is what, the server says; until it has read the newest keys, what it
// said of the text before is moved along.
import { find, make } from "./dom.js";

/** Part of a text: text[start:end]. @typedef {{ start: number, end: number }} Span */

/**
 * Where parts of a text stand after an edit: those before it stay, those behind it move, those around it grow; what it touches is gone.
 * @type {<Part extends Span>(parts: Part[], before: string, after: string) => Part[]}
 */
export const carried = (parts, before, after) => {
  if (before === after) return parts;
  const most = Math.min(before.length, after.length);
  let head = 0;
  while (head < most && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < most - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  const [from, to, grown] = [head, before.length - tail, after.length - before.length];
  const moved = (part) => {
    if (part.end <= from) return part;
    if (part.start >= to) return { ...part, start: part.start + grown, end: part.end + grown };
    return part.start < from && to < part.end ? { ...part, end: part.end + grown } : null;
  };
  return parts.map(moved).filter(Boolean);
};

// The text in pieces, each with the kinds of all marks that lie on it.
export const pieces = (text, marks) => {
  const edges = marks.flatMap(({ kind, start, end }) => [[start, kind, 1], [Math.min(end, text.length), kind, -1]]).sort((one, other) => one[0] - other[0]);
  const open = new Map();
  const found = [];
  let rest = 0;
  for (const [at, kind, step] of [...edges, [text.length, "", 0]]) {
    const kinds = [...open].filter(([, count]) => count > 0).map(([name]) => name);
    if (at > rest) found.push({ text: text.slice(rest, at), kinds });
    rest = Math.max(rest, at);
    open.set(kind, (open.get(kind) ?? 0) + step);
  }
  return found;
};

// What decides where a letter stands.
const METRICS = ["font", "fontKerning", "fontFeatureSettings", "fontVariantNumeric", "letterSpacing", "wordSpacing", "lineHeight", "padding", "textAlign", "textIndent", "textTransform", "tabSize", "direction", "unicodeBidi", "wordBreak", "lineBreak"];

const layerOf = (field) => {
  const words = make("div", { className: "layer-words" });
  const sight = make("div", { className: "layer-sight" }, words);
  const layer = make("div", { className: "prompt-layer", "aria-hidden": "true" }, sight);
  let text = "";
  let marks = [];
  let painted = []; // the pieces that are drawn, a node each

  const scroll = () => void (words.style.transform = `translateY(${-field.scrollTop}px)`);
  const align = () => {
    const look = getComputedStyle(field);
    for (const name of METRICS) words.style[name] = look[name];
    const px = (number) => `${number}px`;
    Object.assign(layer.style, { left: px(field.offsetLeft), top: px(field.offsetTop), width: px(field.offsetWidth), height: px(field.offsetHeight), borderRadius: look.borderRadius });
    Object.assign(sight.style, { left: px(field.clientLeft), top: px(field.clientTop), width: px(field.clientWidth), height: px(field.clientHeight) });
    scroll();
  };
  // Of a long text only what has changed is drawn anew: a key takes as long as in a short one.
  const paint = () => {
    const now = [...pieces(text, marks), { text: "\u200b", kinds: [] }].map(({ text: own, kinds }) => ({ own, look: kinds.map((kind) => `is-${kind}`).join(" ") }));
    const same = (one, other) => one.own === other.own && one.look === other.look;
    const most = Math.min(painted.length, now.length);
    let [head, tail] = [0, 0];
    while (head < most && same(painted[head], now[head])) head += 1;
    while (tail < most - head && same(painted[painted.length - 1 - tail], now[now.length - 1 - tail])) tail += 1;
    const nodes = [...words.childNodes];
    const behind = nodes[nodes.length - tail] ?? null;
    for (const node of nodes.slice(head, nodes.length - tail)) node.remove();
    for (const { own, look } of now.slice(head, now.length - tail)) words.insertBefore(look ? make("span", { className: look, textContent: own }) : document.createTextNode(own), behind);
    painted = now; // where it stands, a scroll of the field tells: to ask here would lay the page out once more
  };
  const follow = () => {
    if (field.value === text) return;
    marks = carried(marks, text, field.value);
    text = field.value;
    paint();
  };
  field.parentElement.classList.add("layered");
  field.before(layer);
  field.addEventListener("input", follow);
  field.addEventListener("scroll", scroll, { passive: true });
  new ResizeObserver(align).observe(field);
  document.fonts?.ready.then(align);
  align();
  return {
    follow,
    take(read, found) {
      [text, marks] = [read, found];
      if (field.value === text) paint();
      else follow();
    },
  };
};

// The layers of a form's prompts. Fields that stand in a part that is not open yet come later.
export const promptLayers = (kind) => {
  const layers = new WeakMap();
  const of = (name) => {
    const field = find(`#${kind}-${name} textarea`);
    if (field && !layers.has(field)) layers.set(field, layerOf(field));
    return layers.get(field);
  };
  return {
    // `marks`: field -> what its parts are; `texts`: what the server has read.
    take: (marks, texts) => {
      for (const [name, text] of Object.entries(texts)) of(name)?.take(text ?? "", marks[name] ?? []);
    },
    // A script of Gradio's may have written into them.
    follow: (names) => {
      for (const name of names) of(name)?.follow();
    },
  };
};
