// What is typed stays in this browser: saved at each change, put back when the page opens. Nothing is sent.
import { emit, enter, on } from "./dom.js";
import * as page from "./page.js";

const key = (kind) => `atelier.form.${kind}`;
const restored = new Set(); // kinds whose form was put back; until it is, nothing is saved

const load = (kind) => {
  try {
    const kept = JSON.parse(localStorage.getItem(key(kind)));
    return kept && typeof kept === "object" ? kept : {};
  } catch {
    return {};
  }
};
/** @type {(names: string[], values: any[]) => Record<string, any>} */
const byName = (names, values) => Object.fromEntries(names.map((name, index) => [name, values[index]]));

// A kept value is used when it is of the same type and, for a choice, still offered.
const usable = (kept, now, choices) =>
  typeof kept === typeof now && Array.isArray(kept) === Array.isArray(now) && (!choices || choices.includes(kept));

// A number may be there as text. Lists are compared by what is in them.
const scalar = (value) => typeof value !== "object";
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other) || (scalar(one) && scalar(other) && String(one) === String(other));

const tell = (kind, values) => emit("form", { kind, values });

export const keep = (kind, names, values) => {
  if (!restored.has(kind)) return;
  tell(kind, byName(names, values));
  try {
    localStorage.setItem(key(kind), JSON.stringify(byName(names, values)));
  } catch {
    // A full or forbidden store loses the copy, not the form.
  }
};

export const recall = (kind, names, choices, values) => {
  const kept = load(kind);
  const result = names.map((name, index) => (usable(kept[name], values[index], choices[name]) ? kept[name] : values[index]));
  restored.add(kind);
  tell(kind, byName(names, result));
  // What is as it was stays undefined, which leaves a component alone: somebody may be typing in it already.
  return result.map((value, index) => (same(value, values[index]) ? undefined : value));
};

// ---- another checkpoint ------------------------------------------------------------------------------------------------
// The list of checkpoints tells of a choice more than once, and also when it is left without one. So a choice is what differs
// from what the form held when the list was opened; what settings or an undo bring is none, and keeps its own values.
const held = {}; // kind -> that checkpoint
document.addEventListener("focusin", ({ target }) => {
  const kind = /** @type {Element} */ (target).closest?.('[id$="-checkpoint"]')?.id.replace(/-checkpoint$/, "");
  if (page.forms[kind]) held[kind] = page.forms[kind].checkpoint;
});

// The new checkpoint's size in the same shape, where the size is one that the old checkpoint brought or its buttons gave.
/** @type {(now: Record<string, any>, before: any, after: any) => { width?: number, height?: number }} */
const sizeOf = ({ width, height }, before, after) => {
  for (const [name, [across, up]] of Object.entries({ "": [before.width, before.height], ...before.aspects })) {
    const [wide, high] = name ? (after.aspects[name] ?? []) : [after.width, after.height];
    if (wide && same([width, height], [across, up])) return { width: wide, height: high };
    if (wide && same([width, height], [up, across])) return { width: high, height: wide };
  }
  return {};
};

// What changes when a checkpoint is chosen by hand: its defaults and size, where those of the old one are still untouched. All
// else stays undefined, which leaves a component as it is.
export const follow = (kind, names, values, former = held[kind]) => {
  const now = byName(names, values);
  const { starts = {}, aspects = {} } = page.lists[kind] ?? {};
  const [before, after] = [former, now.checkpoint].map((id) => starts[id] && { ...starts[id], aspects: aspects[id] ?? {} });
  held[kind] = now.checkpoint;
  if (former === now.checkpoint || !before || !after) return [];
  const { width, height } = now;
  emit("chosen", { kind, width, height, from: former, to: now.checkpoint });
  const untouched = names.filter((name) => name in after && !["width", "height"].includes(name) && same(now[name], before[name]));
  const fresh = { ...byName(untouched, untouched.map((name) => after[name])), ...sizeOf(now, before, after) };
  return names.map((name) => (name in fresh && !same(fresh[name], now[name]) ? fresh[name] : undefined));
};

// A LoRA that makes its model draw in few steps brings what suits it, when it is picked by hand: what is as the checkpoint brought it follows.
const picked = {}; // kind -> field -> value
on("picked", ({ kind, suits }) => (picked[kind] = suits));

export const suit = (kind, names, values) => {
  const now = byName(names, values);
  const { starts = {} } = page.lists[kind] ?? {};
  const [suits, before] = [picked[kind] ?? {}, starts[page.forms[kind]?.checkpoint] ?? {}];
  delete picked[kind];
  return names.map((name) => (name in suits && same(now[name], before[name]) && !same(suits[name], now[name]) ? suits[name] : undefined));
};

// The size that suited a picture with the old checkpoint becomes the one that suits it with the new. `fit` asks the server.
export const refit = async (fit, { kind, width, height, from, to }, picture) => {
  const [old, fresh] = await Promise.all([from, to].map((checkpoint) => fit({ checkpoint, picture }).catch(() => null)));
  if (!fresh?.length || !same(old, [width, height]) || page.forms[kind]?.checkpoint !== to) return;
  enter(`#${kind}-width`, fresh[0]);
  enter(`#${kind}-height`, fresh[1]);
};

// The button of the aspect that its form has is the pressed one, also in a tab that is opened later than the page.
const press = () => {
  for (const [kind, { width, height }] of Object.entries(page.forms)) {
    const tab = document.getElementById(`${kind}-width`)?.closest('[role="tabpanel"]');
    for (const button of tab?.querySelectorAll("button.aspect") ?? []) {
      const [across, up] = button.textContent.split(":").map(Number);
      const close = Math.abs(Math.log((width / height) * (up / across))) < 0.06;
      button.setAttribute("aria-pressed", String(close));
    }
  }
};
on("form", () => queueMicrotask(press)); // when all have heard it, whoever keeps the values too
new MutationObserver(press).observe(document.documentElement, { childList: true, subtree: true });

export const aspect = (name, checkpoint, width, height) => {
  const lists = Object.values(page.lists).find((list) => list.aspects?.[checkpoint]);
  return lists?.aspects[checkpoint][name] || [width, height];
};
