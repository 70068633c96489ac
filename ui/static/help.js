// All shortcuts, in a dialog: "?" opens it, and so does the button in the bar.
import { emit, find, make } from "./dom.js";
import { typing } from "./keyboard.js";

/** @type {[string, [string, string][]][]} */
const ALL = [
  ["Everywhere", [
    ["Ctrl Enter", "Generate"],
    ["Esc", "Stop what is drawn; close what is open"],
    ["?", "This list"],
    ["Ctrl V", "Read settings or a picture that is pasted"],
  ]],
  ["In a prompt", [
    ["Ctrl ↑ / Ctrl ↓", "Weigh the words under the cursor up or down"],
    ["Alt ↑ / Alt ↓", "The prompt before this one, and on again"],
    ["Tab", "Take what is offered first; ↑ and ↓ choose"],
    ["Ctrl /", "Switch a phrase of the prompt off, and on again"],
  ]],
  ["The queue", [
    ["↑ / ↓", "Go from job to job; with Alt the job moves"],
    ["E", "Edit a waiting job in the form"],
    ["D", "Another one like it"],
    ["Delete", "Cancel; Undo brings it back"],
  ]],
  ["A picture that is shown", [
    ["0 to 5", "Rate it"],
    ["F", "Favourite, or not any more"],
    ["Delete", "Into the bin"],
  ]],
  ["The large view", [
    ["← / →", "Newer, older picture"],
    ["Esc", "Close"],
  ]],
  ["The library", [
    ["← ↑ ↓ →", "Walk through the pictures; with Shift select all between"],
    ["Space", "Select, or not any more"],
    ["Enter", "The large view"],
    ["Home / End", "First, last picture"],
    ["Ctrl A", "Select all"],
    ["Drag beside them", "Select what the band touches; with Ctrl add, with Shift extend"],
    ["Esc", "Select none"],
  ]],
  ["On a canvas", [
    ["B / E", "Brush, eraser"],
    ["[ / ]", "Smaller, larger brush; with Shift softer, harder"],
    ["Ctrl Z / Ctrl Shift Z", "Undo, redo"],
    ["Ctrl I", "Invert the mask"],
    ["Delete", "Clear the mask or the drawing"],
    ["0", "Show the whole picture"],
    ["Ctrl wheel", "Zoom"],
    ["Space or Shift, and drag", "Move the view"],
    ["Alt click", "Take a colour from the picture"],
    ["Ctrl V", "Paste a picture"],
  ]],
];

const keys = (text) => make("dt", {}, ...text.split(" ").map((word) => (/^(\/|or|and|to|wheel|drag|click)$|,$/.test(word) ? ` ${word} ` : make("kbd", { textContent: word }))));
const group = ([title, rows]) => make("section", {}, make("h3", { textContent: title }), make("dl", {}, ...rows.flatMap(([key, words]) => [keys(key), make("dd", { textContent: words })])));

export const showHelp = () => {
  const found = document.querySelector("dialog.help");
  const dialog = found ?? make("dialog", { className: "help", "aria-label": "Shortcuts" },
    make("h2", { textContent: "Shortcuts" }),
    make("div", { className: "help-groups" }, ...ALL.map(group)),
    make("p", { className: "help-ways" }, make("button", { type: "button", className: "quiet help-reads" }, make("i", { className: "icon icon-file-search" }), "Read a picture or settings…"),
      make("button", { type: "button", className: "quiet help-checks" }, make("i", { className: "icon icon-shield-check" }), "Check a picture…")),
    make("button", { type: "button", className: "turn-off", "aria-label": "Close", title: "Close (Esc)" }, make("i", { className: "icon icon-x" })),
  );
  if (!found) {
    find(".gradio-container").append(dialog);
    dialog.addEventListener("click", ({ target }) => {
      if (target === dialog || target.closest(".turn-off, .help-reads, .help-checks")) dialog.close();
      if (target.closest(".help-reads")) emit("reading");
      if (target.closest(".help-checks")) emit("check");
    });
  }
  dialog.showModal();
};
document.addEventListener("keydown", (event) => {
  if (event.key !== "?" || event.ctrlKey || event.metaKey || typing(event.target) || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  showHelp();
});
