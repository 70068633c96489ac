// What people do with pictures: rate them, make them favourites, put them on boards, throw them away and bring them back. All windows hear.
import { notify } from "./desk.js";
import { emit } from "./dom.js";

/** @typedef {import("./page_types.d.ts").Marked} Marked */

const windows = new BroadcastChannel("atelier-marks");
windows.addEventListener("message", ({ data }) => emit("marked", data));
/** @type {(news: Marked) => void} */
const tell = (news) => (emit("marked", news), windows.postMessage(news));

// Asks the server for what lies below /library. An answer of null: it said no, and the person was told why.
export const ask = async (path, asked = null) => {
  const options = asked && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(asked) };
  const answer = await fetch(`library${path}`, options ?? {}).catch(() => null);
  const told = answer ? await answer.json().catch(() => ({})) : {};
  if (answer?.ok) return told;
  notify(told.message || "The server did not answer. Try again.");
  return null;
};
const mark = async (action, ids, more, news) => {
  const told = ids.length ? await ask(`/pictures/${action}`, { ids, ...more }) : null;
  if (told) tell({ ids, ...news });
  if (told?.said) notify(told.said);
  return told;
};
export const many = (count, one = "picture") => (count === 1 ? `1 ${one}` : `${count.toLocaleString("en")} ${one}s`);

export const rate = (ids, rating) => mark("rate", ids, { rating }, { rating });
export const favour = (ids, favourite) => mark("favourite", ids, { favourite }, { favourite });
export const hide = (ids, hidden) => mark("hide", ids, { hidden }, {});
export const restore = (ids) => mark("restore", ids, {}, { deleted: false });
export const throwAway = async (ids) => {
  const told = await mark("delete", ids, {}, { deleted: true });
  if (!told) return;
  const words = told.changed === 1 ? "The picture is in the bin." : `${many(told.changed)} are in the bin.`;
  notify(words, { says: "Undo", does: () => restore(ids) });
};
export const emptyBin = async () => {
  const told = await ask("/bin/empty", {});
  if (told) tell({ ids: [], emptied: true });
  return told;
};

// ---- boards --------------------------------------------------------------------------------------------------------------

const board = async (id, action, asked) => {
  const told = await ask(`/boards/${encodeURIComponent(id)}/${action}`, asked);
  if (told) tell({ ids: asked.ids ?? [], boards: true });
  return told;
};
export const makeBoard = async (name) => {
  const told = await ask("/boards", { name });
  if (told) tell({ ids: [], boards: true });
  return told?.id ?? "";
};
export const renameBoard = (id, name) => board(id, "rename", { name });
export const deleteBoard = async ({ id, name }) => {
  const told = await board(id, "delete", {});
  if (told) notify(`The board “${name}” is gone; its pictures stay.`, { says: "Undo", does: () => board(id, "restore", {}) });
  return told;
};
/** Shared with everybody whom a link lets in, or private again. @type {(board: import("./messages.d.ts").GalleryBoard, shared: boolean) => Promise<any>} */
export const shareBoard = async ({ id, name }, shared) => {
  const told = await board(id, "share", { on: shared });
  const words = shared ? `“${name}” is shared: whoever a link lets in sees it.` : `“${name}” is private again.`;
  if (told) notify(words, { says: "Undo", does: () => board(id, "share", { on: !shared }) });
  return told;
};
export const drawOnto = ({ id }, draws) => board(id, "desk", { on: draws });
export const putOn = async ({ id, name }, ids) => {
  if (await board(id, "add", { ids })) notify(`${many(ids.length)} on “${name}”.`, { says: "Undo", does: () => board(id, "remove", { ids }) });
};
export const takeOff = async ({ id, name }, ids) => {
  if (await board(id, "remove", { ids })) notify(`${many(ids.length)} taken off “${name}”.`, { says: "Undo", does: () => board(id, "add", { ids }) });
};
