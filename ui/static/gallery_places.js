// The places of the library: all pictures, favourites, each board, the bin. A picture is put on a board by dropping it there.
import { find, make } from "./dom.js";
import { ask, deleteBoard, makeBoard, putOn, renameBoard } from "./marks.js";
import { quoted } from "./gallery_search.js";

const DRAGGED = "application/x-atelier-pictures"; // ids, in JSON
export const drag = (event, ids) => event.dataTransfer.setData(DRAGGED, JSON.stringify(ids));
const dragged = (event) => {
  const text = event.dataTransfer.getData(DRAGGED);
  return text ? JSON.parse(text) : [];
};

/** @typedef {import("./messages.d.ts").GalleryBoard} Board */

// `go(texts)`: a search is wanted. `here(board)` hears which board is shown, null for none.
export const places = (part, { go, here }) => {
  const list = part("places");
  /** @type {Board[]} */
  let boards = [];
  let now = ""; // the place that is shown
  let named = null; // the field in which a name is typed
  let owner = ""; // whose name that is
  /** @type {import("./messages.d.ts").GalleryChip[]} */
  let searched = [];

  const sign = (name) => make("i", { className: `icon icon-${name}` });
  const place = (key, icon, name, texts, count = null, more = "") => {
    const figure = count === null ? null : make("span", { className: "gallery-figure", textContent: count.toLocaleString("en") });
    const button = make("button", { type: "button", className: "gallery-place", "data-place": key, title: name + more }, sign(icon), make("span", { className: "gallery-name", textContent: name }), figure);
    if (key === now) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => go(texts));
    return make("li", {}, button);
  };
  const small = (icon, says, act) => {
    const button = make("button", { type: "button", className: "gallery-small", title: says, "aria-label": says }, sign(icon));
    button.addEventListener("click", act);
    return button;
  };

  // A name is typed where it will stand.
  const naming = (value, done) => {
    const field = make("input", { type: "text", value, placeholder: "Its name", "aria-label": "Name of the board", maxLength: 100 });
    const end = async (keeps) => {
      if (!named) return;
      named = null;
      owner = "";
      if (keeps && field.value.trim() && field.value.trim() !== value) await done(field.value.trim());
      draw();
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") end(true);
      if (event.key === "Escape") end(false);
    });
    field.addEventListener("blur", () => end(true));
    named = make("li", { className: "gallery-naming" }, sign("folder-open"), field);
    return named;
  };
  // The place that is shown goes with what becomes of it.
  const renamed = async (board, name) => {
    const here = now === `board ${board.id}`;
    if ((await renameBoard(board.id, name)) && here) go([`board:=${quoted(name)}`]);
  };
  const leave = async (board) => {
    const here = now === `board ${board.id}`;
    if ((await deleteBoard(board)) && here) go([]);
  };
  const begin = (id, value, done) => {
    owner = id;
    naming(value, done);
    draw();
    find("input", named).select();
  };

  // Of two boards with one name, which is meant is said by the id.
  /** @type {(board: Board) => string[]} */
  const search = ({ id, name }) => [`board:=${quoted(boards.filter((each) => each.name === name).length > 1 ? id : name)}`];

  /** @type {(board: Board) => HTMLElement} */
  const boardPlace = (board) => {
    if (owner === board.id) return named;
    const item = place(`board ${board.id}`, board.shared ? "users" : "folder-open", board.name, search(board), board.count, board.own ? "" : `, shared by ${board.maker || "the owner"}`);
    if (board.own) item.append(
      small("pencil", `Rename “${board.name}”`, () => begin(board.id, board.name, (name) => renamed(board, name))),
      small("trash-2", `Delete the board “${board.name}”; its pictures stay`, () => leave(board)),
    );
    item.className = "gallery-board";
    item.addEventListener("dragover", (event) => event.dataTransfer.types.includes(DRAGGED) && (event.preventDefault(), item.classList.add("over")));
    item.addEventListener("dragleave", () => item.classList.remove("over"));
    item.addEventListener("drop", (event) => {
      event.preventDefault();
      item.classList.remove("over");
      const ids = dragged(event);
      if (ids.length) putOn(board, ids);
    });
    return item;
  };
  const draw = () => {
    const made = make("button", { type: "button", className: "gallery-place gallery-new" }, sign("plus"), make("span", { className: "gallery-name", textContent: "New board" }));
    made.addEventListener("click", () => begin("new", "", makeBoard));
    list.replaceChildren(
      make("ul", {}, place("all", "images", "All pictures", []), place("favourites", "heart", "Favourites", ["is:favourite"])),
      make("ul", {}, ...boards.map(boardPlace), owner === "new" ? named : make("li", {}, made)),
      make("ul", {}, place("bin", "trash-2", "Bin", ["in:bin"])),
    );
  };

  // Which place the search is: told anew when either has changed.
  const settle = () => {
    const [only] = searched.length === 1 && !searched[0].negated ? searched : [null];
    const board = only?.field === "board" && boards.find(({ id, name }) => only.value === name || only.value === id);
    now = board ? `board ${board.id}` : { is: "favourites", in: "bin" }[only?.field] ?? (searched.length ? "" : "all");
    if (!named) draw();
    here(board || null);
  };
  const load = async () => {
    const told = await ask("/boards");
    if (!told) return;
    boards = told.boards;
    settle();
  };
  /** @type {(chips: import("./messages.d.ts").GalleryChip[]) => void} */
  const mark = (chips) => {
    searched = chips;
    settle();
  };
  draw();
  const open = (id) => boards.filter((board) => board.id === id).forEach((board) => go(search(board)));
  return { load, mark, open, all: () => boards };
};
