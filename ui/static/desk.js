// What tabs do together: a canvas hands over its pixels before a job starts, and an overwritten form comes back with one undo.
import { findAll, make, on } from "./dom.js";
import { canvases, forms } from "./page.js";

const saved = []; // {kind, values, tab}: forms as they were before something overwrote them, the latest last
const LONGEST = 20;
let awaited = null; // the snapshot whose form is about to be overwritten
let restored = null;
let timer = null;

// ---- a line at the foot of the page ----------------------------------------------------------------------------------
const bar = () => {
  const found = document.querySelector(".page-note");
  if (found) return found;
  const made = make("div", { className: "page-note", role: "status" });
  document.body.append(made);
  return made;
};
const hide = () => (bar().hidden = true);
export const notify = (words, action = null, lasts = 12_000) => {
  const text = make("span", { textContent: words });
  const close = make("button", { type: "button", textContent: "×", title: "Close", "aria-label": "Close this note" });
  close.addEventListener("click", hide);
  const act = action && make("button", { type: "button", className: "quiet", textContent: action.says });
  act?.addEventListener("click", () => (hide(), action.does()));
  bar().replaceChildren(...[text, act, close].filter(Boolean));
  bar().hidden = false;
  clearTimeout(timer);
  timer = setTimeout(hide, lasts);
};

// ---- one undo for a whole form ---------------------------------------------------------------------------------------
const tabs = () => findAll('#tabs > .tab-wrapper button[role="tab"]');
const openTab = () => tabs().findIndex((tab) => tab.getAttribute("aria-selected") === "true");

on("form", ({ kind, values }) => {
  const before = forms[kind];
  forms[kind] = values;
  if (awaited?.kind !== kind || JSON.stringify(before) === JSON.stringify(values)) return;
  const step = awaited;
  awaited = null;
  saved.push(step);
  if (saved.length > LONGEST) saved.shift();
  notify("The form was filled anew.", { says: "Undo", does: undo }, 30_000);
});

// Before something overwrites a form: keeps what it holds.
export const snapshot = (kind) => {
  if (forms[kind]) awaited = { kind, values: { ...forms[kind] }, tab: openTab() };
  setTimeout(() => (awaited = null), 15_000);
};
const undo = async () => {
  restored = saved.pop();
  if (!restored) return;
  await canvases[restored.kind]?.former(restored.values.image ?? "").catch(() => {});
  document.getElementById(`${restored.kind}-undo`)?.click();
  tabs()[restored.tab]?.click();
};
export const before = (kind, names) => names.map((name) => (restored?.kind === kind ? restored.values[name] : forms[kind][name]));

// ---- Generate ---------------------------------------------------------------------------------------------------------
const ready = new WeakSet(); // buttons whose canvas has handed over its pixels for this press
const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
const handOver = async (button, canvas) => {
  button.setAttribute("aria-busy", "true");
  const why = await canvas.flush().catch((error) => error?.message || "The picture could not be sent. Try again.");
  button.removeAttribute("aria-busy");
  if (why) return notify(why);
  await frame();
  await frame();
  ready.add(button);
  button.click();
};
const onClick = (event) => {
  const button = event.target.closest?.("button.generate");
  const kind = button?.id.replace(/-generate$/, "");
  const canvas = canvases[kind];
  if (!canvas || ready.delete(button) || forms[kind]?.images?.length) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (!button.hasAttribute("aria-busy")) handOver(button, canvas);
};
document.addEventListener("click", onClick, true);
