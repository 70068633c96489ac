// The tokens of a prompt, under it: which word became which, and where the parts begin that the model reads at once.
import { make, write } from "./dom.js";
import * as page from "./page.js";

/** @typedef {import("./messages.d.ts").TokenView} TokenView */
/** @typedef {import("./messages.d.ts").TokenPiece} TokenPiece */

/** @type {Record<string, string>} */
const FIELDS = { prompt: "Prompt", negative_prompt: "Negative prompt", second_prompt: "Second prompt" };
const AWAY = "The server did not answer. See that Atelier still runs, then try again.";

/** Pieces word by word. @type {(pieces: TokenPiece[]) => TokenPiece[][]} */
export const wordsOf = (pieces) => {
  const words = [];
  let open = null;
  for (const piece of pieces) {
    if (!open) words.push((open = []));
    open.push(piece);
    if (piece.ends) open = null;
  }
  return words;
};

const told = ({ id, weight, vectors }) => [vectors ? `an embedding of ${vectors} ${vectors === 1 ? "vector" : "vectors"}` : `token ${id.toLocaleString("en")}`, weight !== 1 && `weight ${weight}`].filter(Boolean).join(", ");
const pieceOf = (piece) => {
  const made = make("span", { className: "token", textContent: piece.text === "�" ? "◌" : piece.text, title: `“${piece.text}”: ${told(piece)}` });
  if (piece.vectors) made.append(make("small", { textContent: `× ${piece.vectors}` }));
  if (piece.vectors) made.dataset.kind = "embedding";
  if (piece.weight !== 1) made.dataset.weight = piece.weight > 1 ? "strong" : "weak";
  return made;
};
const wordOf = (pieces) => make("span", { className: "token-word" }, ...pieces.map(pieceOf));

/** Each part that the model reads at once. @type {(view: TokenView) => HTMLElement[]} */
export const tokenSections = ({ chunks, more }) => {
  const section = ({ used, places, pieces }, at) =>
    make("section", {}, make("h4", {}, chunks.length > 1 ? `Part ${at + 1}` : "Tokens", make("span", { textContent: `${used} / ${places}` })), make("p", {}, ...(pieces.length ? wordsOf(pieces).map(wordOf) : ["Nothing"])));
  return [...chunks.map(section), ...(more ? [make("p", { className: "token-said", textContent: "There are more than are shown." })] : [])];
};

// `count`: the button that opens it.
export const tokenView = (room, count, kind) => {
  let field = "prompt";
  let turn = 0; // an answer to an earlier question is not shown
  const tabs = make("div", { className: "token-tabs" });
  const said = make("p", { className: "token-said", hidden: true });
  const body = make("div", { className: "token-chunks" });
  room.append(tabs, said, body);

  const drawTabs = () => {
    const values = page.forms[kind] ?? {};
    const there = Object.keys(FIELDS).filter((name) => name === "prompt" || values[name]?.trim());
    if (!there.includes(field)) field = "prompt";
    tabs.hidden = there.length < 2;
    tabs.replaceChildren(...there.map((name) => {
      const made = make("button", { type: "button", textContent: FIELDS[name], ariaPressed: String(name === field) });
      made.addEventListener("click", () => ((field = name), look()));
      return made;
    }));
  };
  /** @param {TokenView} view */
  const show = (view) => {
    const counted = view.said;
    write(said, counted && `Counted is what is said: ${counted.length > 200 ? `${counted.slice(0, 200)}…` : counted}`);
    body.replaceChildren(...tokenSections(view));
  };
  const look = async () => {
    if (room.hidden) return;
    drawTabs();
    const mine = (turn += 1);
    const order = { kind, values: page.forms[kind] ?? {}, field };
    const answer = await fetch("tokens", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(order) }).catch(() => null);
    const view = answer ? await answer.json().catch(() => ({})) : {};
    if (mine !== turn) return;
    if (answer?.ok) show(view);
    else body.replaceChildren(make("p", { className: "token-said", textContent: view.message || AWAY }));
  };
  return {
    look,
    toggle() {
      room.hidden = !room.hidden;
      count.setAttribute("aria-expanded", String(!room.hidden));
      look();
    },
  };
};
