// The lineage of a picture: a tree of what it was made from and what was made from it, with what was changed on each way.
import { emit, find, findAll, make, write } from "./dom.js";
import { surface } from "./gallery_surface.js";
import * as page from "./page.js";

/** @typedef {import("./messages.d.ts").PictureLineage} Told */
/** @typedef {import("./messages.d.ts").LineagePicture} Picture */
/** @typedef {import("./messages.d.ts").LineageTie} Tie */

const AWAY = "The server did not answer. See that Atelier still runs, then try again.";
const ALONE = "Nothing was made from this picture yet, and it was made from no other. Send it to a tab, or take over its settings, and what comes of it stands here.";
const DEEPEST = 8; // levels that are moved to the right

// ---- the order of the tree -------------------------------------------------------------------------------------------------------

// Of the ties that a picture hangs by, the one that it stands under: that of its settings, else the first.
/** @type {(ties: Tie[], child: string) => Tie | undefined} */
const hangsBy = (ties, child) => {
  const own = ties.filter((tie) => tie.child === child);
  return own.find(({ settings }) => settings) ?? own[0];
};

/** Pictures from the oldest on, each below what it was made from: [{ picture, tie, level, others }]. @type {(told: Told) => { picture: Picture, tie: Tie | null, level: number, others: Tie[] }[]} */
export const ordered = ({ pictures, ties }) => {
  const ways = new Map(pictures.map(({ id }) => [id, hangsBy(ties, id)]));
  const byAge = [...pictures].sort((one, other) => one.created - other.created);
  const rows = [];
  const put = (picture, level) => {
    if (rows.some((row) => row.picture === picture)) return;
    const tie = ways.get(picture.id) ?? null;
    rows.push({ picture, tie, level, others: ties.filter((each) => each.child === picture.id && each !== tie) });
    for (const next of byAge) if (ways.get(next.id)?.parent === picture.id) put(next, level + 1);
  };
  for (const picture of byAge) if (!ways.get(picture.id)) put(picture, 0);
  for (const picture of byAge) put(picture, 0); // a ring, which damaged records may make
  return rows;
};

// ---- a row -----------------------------------------------------------------------------------------------------------------------

const lays = surface({});
/** @type {(picture: Picture) => void} */
const show = (picture) => {
  const summary = { ...picture, frames: 0, pace: 0, from: "", as_drawn: "", note: "" };
  if (page.open.tab in page.forms) emit("surface", summary);
  else lays(/** @type {any} */ (summary));
};

// How far two lists of words agree, from each place on.
const agreement = (before, after) => {
  const table = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let one = before.length - 1; one >= 0; one -= 1)
    for (let other = after.length - 1; other >= 0; other -= 1)
      table[one][other] = before[one] === after[other] ? table[one + 1][other + 1] + 1 : Math.max(table[one + 1][other], table[one][other + 1]);
  return table;
};

/** A text with the words that went and those that came. @type {(before: string, after: string) => any[]} */
export const rewritten = (before, after) => {
  const [old, now] = [before, after].map((text) => text.split(/(?<=\s)/u));
  const table = agreement(old, now);
  const pieces = [];
  let [one, other] = [0, 0];
  while (one < old.length || other < now.length) {
    if (one < old.length && old[one] === now[other]) (pieces.push(old[one]), (one += 1), (other += 1));
    else if (other === now.length || (one < old.length && table[one + 1][other] >= table[one][other + 1])) (pieces.push(make("del", { textContent: old[one] })), (one += 1));
    else (pieces.push(make("ins", { textContent: now[other] })), (other += 1));
  }
  return pieces;
};

const change = ({ title, before, after }) => {
  const words = before.trim().includes(" ") && after.trim().includes(" ");
  if (words) return make("li", { className: "lineage-words" }, make("span", { textContent: title }), ...rewritten(`${before} `, `${after} `));
  return make("li", {}, make("span", { textContent: title }), before && make("del", { textContent: before }), before && make("i", { className: "icon icon-arrow-right small", "aria-label": "became" }), make("ins", { textContent: after || "none" }));
};

/** @type {(tie: Tie | null, picture: Picture) => any} */
const words = (tie, picture) => {
  if (!tie) return make("p", { className: "lineage-prompt", textContent: picture.prompt || picture.title });
  if (!tie.how) return make("p", { className: "lineage-quiet", textContent: "How it was made is kept by its maker." });
  const changes = make("ul", { className: "lineage-changes" }, ...tie.changes.map(change), tie.more ? make("li", { textContent: `and ${tie.more} more` }) : null);
  return tie.changes.length ? changes : make("p", { className: "lineage-quiet", textContent: "Nothing was changed." });
};

const act = (icon, says, title, does) => {
  const button = make("button", { type: "button", className: "quiet", title }, make("i", { className: `icon icon-${icon}` }), make("span", { textContent: says }));
  button.addEventListener("click", (event) => (event.stopPropagation(), does()));
  return button;
};

// ---- the dialog ------------------------------------------------------------------------------------------------------------------

/** @type {any} */
let dialog = null;
let shown = ""; // the picture that it was opened for

/** @type {(row: { picture: Picture, tie: Tie | null, level: number, others: Tie[] }) => any} */
const item = ({ picture, tie, level, others }) => {
  const here = picture.id === shown;
  const leave = (does) => () => (dialog.close(), does());
  const title = here ? "This picture" : tie?.how || picture.title || "A picture";
  const also = others.map(({ how, parent }) => {
    const other = make("button", { type: "button", className: "lineage-also", title: "Go to that picture" }, make("img", { src: `thumb/${parent}`, alt: "", loading: "lazy" }), make("span", { textContent: how }));
    other.addEventListener("click", (event) => (event.stopPropagation(), go(find(`[data-picture="${parent}"]`, dialog))));
    return other;
  });
  const image = make("img", { src: `thumb/${picture.id}`, alt: "", loading: "lazy" });
  image.addEventListener("error", () => image.classList.add("missing"));
  const row = make("li", { role: "treeitem", className: "lineage-row", tabIndex: here ? 0 : -1, "data-picture": picture.id, "aria-level": String(level + 1), "aria-current": here ? "true" : "false", "aria-label": `${title}. ${picture.prompt}` },
    make("span", { className: "lineage-image" }, image),
    make("div", { className: "lineage-said" },
      make("p", { className: "lineage-how" }, make("b", { textContent: title }), here && tie?.how ? make("span", { textContent: tie.how }) : null, picture.deleted ? make("span", { textContent: "in the bin" }) : null),
      words(tie, picture), ...also),
    make("span", { className: "lineage-acts" },
      act("eye", "Show", "Lay this picture on the surface", leave(() => show(picture))),
      here ? null : act("columns-2", "Compare", "Compare it with the picture that this tree was opened for", leave(() => emit("compare", { ids: [shown, picture.id] }))),
      picture.kind ? act("sliders-horizontal", "Use settings", "Go on from here: fill the form with all that made it", leave(() => emit("send", { id: picture.id, kind: picture.kind, to: "" }))) : null));
  row.style.setProperty("--level", String(Math.min(level, DEEPEST)));
  row.addEventListener("click", () => go(row));
  row.addEventListener("dblclick", leave(() => show(picture)));
  return row;
};

const go = (row) => {
  if (!row) return;
  for (const each of findAll(".lineage-row", dialog)) each.tabIndex = each === row ? 0 : -1;
  row.focus();
  row.scrollIntoView({ block: "nearest" });
};

const walk = (event) => {
  const rows = findAll(".lineage-row", dialog);
  const at = rows.indexOf(document.activeElement);
  if (at < 0) return;
  const above = () => rows.slice(0, at).findLast((row) => Number(row.ariaLevel) < Number(rows[at].ariaLevel));
  const below = Number(rows[at + 1]?.ariaLevel) > Number(rows[at].ariaLevel) ? rows[at + 1] : null;
  const next = { ArrowDown: rows[at + 1], ArrowUp: rows[at - 1], ArrowLeft: above(), ArrowRight: below, Home: rows[0], End: rows[rows.length - 1] };
  if (event.key === "Enter") find(".lineage-acts button", rows[at]).click();
  else if (!(event.key in next)) return;
  event.preventDefault();
  go(next[event.key]);
};

const built = () => {
  const note = make("p", { className: "lineage-note", role: "status" });
  const tree = make("ul", { className: "lineage-tree", role: "tree", "aria-label": "Lineage" });
  const close = make("button", { type: "button", className: "round", "aria-label": "Close", title: "Close (Esc)" }, make("i", { className: "icon icon-x" }));
  const made = make("dialog", { className: "lineage-dialog", "aria-labelledby": "lineage-title" }, make("div", { className: "lineage-head" }, make("h2", { id: "lineage-title", textContent: "Lineage" }), close), note, tree);
  close.addEventListener("click", () => made.close());
  made.addEventListener("click", ({ target }) => target === made && made.close());
  tree.addEventListener("keydown", walk);
  (find(".gradio-container") ?? document.body).append(made);
  return Object.assign(made, { note, tree });
};

/** @type {(id: string) => Promise<void>} */
export const showLineage = async (id) => {
  dialog ??= built();
  shown = id;
  dialog.tree.replaceChildren();
  write(dialog.note, "Looking it up…");
  dialog.showModal();
  const answer = await fetch(`picture/${id}/lineage`).catch(() => null);
  const told = answer ? await answer.json().catch(() => ({})) : {};
  if (shown !== id) return;
  if (!answer?.ok) return write(dialog.note, told.message || AWAY);
  const rows = ordered(told);
  dialog.tree.replaceChildren(...rows.map(item));
  write(dialog.note, rows.length < 2 ? ALONE : told.more ? "The family is larger; these are the nearest." : "");
  go(find('[aria-current="true"]', dialog.tree));
};
