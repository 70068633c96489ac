// A picture is checked: what it says of how it came to be, and what of that is proven. The dialog is made when it is first asked for.
import { emit, find, make, parts, write } from "./dom.js";
import { chooses, receive } from "./files.js";
import * as page from "./page.js";

/** @typedef {import("./messages.d.ts").CheckNews} News */

const LARGEST = 64_000_000; // bytes that the server takes
const TOO_LARGE = "This file is larger than 64 MB. Save the picture smaller, then check that one.";
const AWAY = "The server did not answer. See that Atelier still runs, then try again.";
const PROOF = "What is missing proves nothing: labels, settings and signatures are lost when a chat or an editor saves a picture again. Labels and settings can be written by anybody; only a signature that holds shows that nothing was changed.";

const icon = (name) => make("i", { className: `icon icon-${name}` });
const piece = (tag, name, looks = {}, ...inside) => make(tag, { "data-part": name, ...looks }, ...inside);
const button = (name, says, sign = "") => piece("button", name, { type: "button", className: "quiet" }, sign && icon(sign), says);
/** @type {(title: string, state: string, words: string, ...more: any[]) => HTMLElement} */
const row = (title, state, words, ...more) => make("section", { className: "check-row", "data-state": state }, make("h3", { textContent: title }), make("div", {}, make("p", { textContent: words }), ...more));

const empty = () =>
  piece("div", "empty", { className: "check-empty" }, make("span", { className: "check-seal" }, icon("shield-check")), make("p", { className: "check-call", textContent: "Where does a picture come from?" }),
    make("p", { textContent: "Drop one here: PNG, JPEG, WebP or AVIF. It is looked at and not kept." }), button("choose", "Choose a picture…", "image-up"));

// What the owner alone sees.
const SIGNS = "Each gets a content credential: this studio made it, with AI, from which picture, and nothing was changed since. Nothing of you, no words, no settings.";
const UNSIGNED = "This needs one package more. “Content credentials” in the guide has the line that adds it; then start Atelier again.";
const signing = () =>
  make("label", { className: "check-signing", "data-part": "signing", hidden: true }, piece("input", "sign", { type: "checkbox" }),
    make("span", {}, make("b", { textContent: "Sign pictures that leave" }), piece("span", "sign-words")));

const made = () =>
  make("dialog", { className: "check-dialog", "aria-labelledby": "check-title" },
    piece("button", "close", { type: "button", className: "round", "aria-label": "Close", title: "Close (Esc)" }, icon("x")),
    make("h2", { id: "check-title", textContent: "Check a picture" }),
    empty(),
    piece("p", "problem", { className: "check-problem", role: "alert", hidden: true }),
    piece("div", "found", { hidden: true },
      make("div", { className: "check-about" }, piece("img", "thumb", { alt: "The picture that is checked" }), make("div", {}, piece("p", "verdict", { className: "check-verdict", role: "status" }), piece("p", "name", { className: "check-name" }))),
      piece("div", "rows")),
    piece("p", "proof", { className: "check-proof", textContent: PROOF }),
    signing(),
    piece("div", "foot", { className: "check-foot", hidden: true }, button("another", "Another picture…"), button("read", "Read its settings…", "file-search")),
    piece("input", "file", { type: "file", accept: "image/*", hidden: true }));

/** @type {(news: News) => HTMLElement[]} */
const rows = (news) => {
  const facts = make("dl", {}, ...news.facts.map(({ title, shown }) => make("div", {}, make("dt", { textContent: title }), make("dd", { textContent: shown }))));
  const settings = news.program ? [make("p", { className: "check-prompt", textContent: news.prompt || "(no prompt)" }), facts] : [];
  return [
    row("Label", news.labelled ? "said" : "none", news.label),
    row("Content credential", news.credential, news.signed),
    row("Settings", news.program ? "said" : "none", news.program ? `They were written by ${news.program}.` : news.note, ...settings),
  ];
};

const opened = () => {
  const dialog = made();
  const part = parts(dialog);
  let turn = 0; // an answer about the picture before comes too late
  let file = null;

  const fail = (words) => {
    write(part("problem"), words);
    part("empty").hidden = false;
    part("found").hidden = part("foot").hidden = true;
  };
  const show = (news) => {
    part("verdict").textContent = news.verdict;
    part("verdict").dataset.credential = news.credential;
    part("name").textContent = `${file.name ?? "A picture"} · ${news.width} × ${news.height} · ${news.format === "WEBP" ? "WebP" : news.format}`;
    part("rows").replaceChildren(...rows(news));
    part("read").hidden = !news.program || !page.told.engine?.you?.may.includes("draw");
    part("foot").hidden = false;
    part("another").focus({ preventScroll: true });
  };
  const check = async (picture) => {
    const mine = (turn += 1);
    file = picture;
    write(part("problem"));
    if (picture.size > LARGEST) return fail(TOO_LARGE);
    if (part("thumb").src) URL.revokeObjectURL(part("thumb").src);
    part("thumb").src = URL.createObjectURL(picture);
    part("verdict").textContent = "Looking…";
    part("name").textContent = "";
    part("rows").replaceChildren();
    part("empty").hidden = part("foot").hidden = true;
    part("found").hidden = false;
    const answer = await fetch("check", { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: picture }).catch(() => null);
    const news = answer ? await answer.json().catch(() => ({})) : {};
    if (mine !== turn) return;
    if (answer?.ok) show(news);
    else fail(news.message || (answer?.status === 413 ? TOO_LARGE : AWAY));
  };

  /** @type {(state: import("./messages.d.ts").SigningState) => void} */
  const signs = ({ on: wanted, available }) => {
    part("signing").hidden = false;
    part("sign").checked = wanted;
    part("sign").disabled = !available;
    part("sign-words").textContent = available ? SIGNS : UNSIGNED;
  };
  const ask = async (options = {}) => {
    const answer = await fetch("signing", options).catch(() => null);
    const told = answer ? await answer.json().catch(() => ({})) : {};
    if (answer?.ok) return signs(told);
    if (options.body) part("sign").checked = !part("sign").checked;
    write(part("problem"), told.message || AWAY);
  };
  part("sign").addEventListener("change", ({ target }) => ask({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ on: target.checked }) }));
  const begin = () => {
    turn += 1;
    fail("");
    if (page.told.engine?.you?.role === "owner") ask();
  };

  for (const name of ["choose", "another"]) part(name).addEventListener("click", () => part("file").click());
  part("close").addEventListener("click", () => dialog.close());
  part("read").addEventListener("click", () => (dialog.close(), emit("reading", file)));
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  chooses(part("file"), check);
  receive(dialog, () => dialog.open, check, fail);
  find(".gradio-container").append(dialog);
  return { dialog, check, begin };
};

let desk = null;

/** The dialog, empty or with a picture that is checked. @type {(picture?: File) => void} */
export const open = (picture) => {
  desk ??= opened();
  if (!desk.dialog.open) desk.dialog.showModal();
  if (picture) desk.check(picture);
  else desk.begin();
};
