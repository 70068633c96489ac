// The frame of the room of grids: its parts, before anything is in them.
import { find, make } from "./dom.js";

const EMPTY = "Choose what varies, and the values that it takes. The sheet takes shape here before anything is drawn.";

const sign = (icon) => make("i", { className: `icon small icon-${icon}` });
/** @type {(icon: string, says: string, title: string, act: () => unknown, className?: string) => HTMLButtonElement} */
export const button = (icon, says, title, act, className = "act") => {
  const made = make("button", { type: "button", className, title }, icon && sign(icon), make("span", { textContent: says }));
  made.dataset.act = says;
  made.addEventListener("click", act);
  return made;
};
/** @type {(count: number, one: string, many?: string) => string} */
export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

export const framed = () => {
  const close = button("x", "", "Close (Esc)", () => dialog.close(), "round");
  close.ariaLabel = "Close";
  const dialog = make("dialog", { className: "grid-room", "aria-labelledby": "grid-title" });
  const title = make("h2", { id: "grid-title", textContent: "Grid" });
  const about = make("p", { className: "grid-about" });
  const ways = make("div", { className: "grid-ways", hidden: true });
  const rows = make("div", { className: "grid-axes" });
  const problem = make("p", { className: "grid-wrong", role: "alert", hidden: true });
  const plan = make("p", { className: "grid-plan", role: "status" });
  const acts = make("div", { className: "grid-acts" });
  const shelf = make("details", { className: "grid-shelf" }, make("summary", { textContent: "Your grids" }), make("ul", {}));
  const empty = make("p", { className: "grid-empty", textContent: EMPTY });
  const sheet = make("div", { className: "grid-stage" }, empty);
  const bar = make("div", { className: "grid-bar" });
  const tools = make("div", { className: "grid-tools" });
  const fields = make("div", { className: "grid-fields" }, about, ways, rows, shelf);
  const side = make("div", { className: "grid-side" }, fields, make("div", { className: "grid-foot" }, problem, plan, acts));
  dialog.append(make("div", { className: "grid-head" }, title, tools, close), make("div", { className: "grid-body" }, side, make("div", { className: "grid-main" }, sheet, bar)));
  (find(".gradio-container") ?? document.body).append(dialog);
  return { dialog, title, fields, about, ways, rows, problem, plan, acts, shelf, empty, sheet, bar, tools };
};
