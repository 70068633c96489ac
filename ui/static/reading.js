// The card of readings: what a file or a text says of how it was made, as read, guessed and not understood, before it goes into a form.
// It lies over the surface and leaves the form in sight, so that one sees what becomes of it.
import { notify, snapshot } from "./desk.js";
import { emit, find, findAll, make, on, parts, write } from "./dom.js";
import { chooses } from "./files.js";
import { typing } from "./keyboard.js";
import { wanted } from "./on_demand.js";
import { catches } from "./reading_catch.js";
import { known } from "./reading_card.js";
import { hand } from "./reading_use.js";
import { targets } from "./targets.js";

/** @typedef {import("./messages.d.ts").ReadingNews} ReadingNews */

const LARGEST = 64_000_000; // bytes that the server takes
const takers = () => targets(["txt2img", "controlnet"]); // tabs that take a picture as a file that is dropped on them
const TOO_LARGE = "This file is larger than 64 MB. Save the picture smaller, or paste its settings as text.";
const AWAY = "The server did not answer. See that Atelier still runs, then try again.";
const STOPS = "button, textarea, summary, [tabindex='0']";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, server }) => {
  const part = parts(element);
  const dialog = part("dialog");
  /** @type {ReadingNews | null} */
  let shown = null;
  let file = null; // what was read, if it was a file
  let turn = 0; // an answer to what was read before comes too late
  let before = null; // what had the focus

  const speak = (words) => (part("spoken").textContent = words);

  // ---- opened and closed --------------------------------------------------------------------------------------------------

  const show = (state) => {
    for (const name of ["ask", "busy", "known"]) part(name).hidden = name !== state;
    part("foot").hidden = state === "ask" || state === "busy";
    menu(false);
    if (dialog.open) return;
    before = document.activeElement;
    dialog.show();
  };
  const close = () => {
    turn += 1;
    dialog.close();
    forget();
    if (before instanceof HTMLElement && before.isConnected) before.focus();
  };
  const forget = () => {
    shown = file = null;
    part("known").replaceChildren();
    write(part("problem"));
    part("about").hidden = true;
    if (part("thumb").src) URL.revokeObjectURL(part("thumb").src);
    part("thumb").removeAttribute("src");
    part("thumb").hidden = true;
  };
  const ask = () => {
    turn += 1;
    forget();
    part("title").textContent = "Read a picture or settings";
    show("ask");
    part("choose").focus();
  };

  // ---- read ---------------------------------------------------------------------------------------------------------------

  const sent = async (body, type) => {
    const answer = await fetch("reading", { method: "POST", headers: { "Content-Type": type }, body }).catch(() => null);
    const told = answer ? await answer.json().catch(() => ({})) : {};
    if (!answer?.ok) throw new Error(told.message || (answer?.status === 413 ? TOO_LARGE : AWAY));
    return told;
  };
  const look = (source) => {
    part("about").hidden = !source;
    part("program").textContent = "";
    part("name").textContent = source?.name ?? "";
    if (source) part("thumb").src = URL.createObjectURL(source);
  };
  const read = async (body, source, note = "") => {
    const mine = (turn += 1);
    forget();
    file = source;
    part("title").textContent = source ? "How it was made" : "What the text says";
    look(source);
    show("busy");
    part("body").focus();
    try {
      const size = source ? source.size : new Blob([body]).size;
      if (size > LARGEST) throw new Error(TOO_LARGE);
      const told = await sent(body, source ? "application/octet-stream" : "text/plain");
      if (mine === turn) tell(told, note);
    } catch (problem) {
      if (mine === turn) fail(problem.message);
    }
  };
  const tell = (told, note) => {
    shown = told;
    part("about").hidden = false;
    part("program").textContent = [told.program || (told.words_alone ? "A prompt without settings" : "Settings of an unknown program"), told.version].filter(Boolean).join(" ");
    part("known").replaceChildren(...known(told, takeOver, note), ...(told.detailers ? [detailing(told.detailers)] : []));
    part("all").hidden = !told.values.length;
    part("use").hidden = !file;
    show("known");
    part("all").focus();
    speak(`${told.values.length} values were read.`);
  };
  const fail = (words) => {
    shown = null;
    write(part("problem"), words);
    part("all").hidden = true;
    part("use").hidden = !file || part("thumb").hidden;
    show("");
    part("another").focus();
  };

  // ---- taken over ---------------------------------------------------------------------------------------------------------

  // `names`: fields; null: all.
  const takeOver = (names, words) => {
    snapshot(shown.kind);
    trigger("read", { id: shown.id, names });
    if (names === null) close();
    speak(words);
  };

  // What another studio has run as its detailers goes into the tab Details, and the picture with them.
  const detail = async () => {
    const picture = file;
    snapshot("details");
    trigger("read", { id: shown.id, names: null, details: true });
    close();
    speak("The tab Details has its detailers.");
    if (picture && !(await hand("details", picture))) notify(`${takers().details} did not open. Open its tab and drop the picture there.`);
  };
  const detailing = (count) => {
    const button = make("button", { type: "button", className: "quiet", textContent: count === 1 ? "Put its detailer into Details" : `Put its ${count} detailers into Details` });
    button.addEventListener("click", detail);
    return make("div", { className: "reading-ways" }, button);
  };

  // ---- the picture itself -------------------------------------------------------------------------------------------------

  const menu = (wanted) => {
    part("menu").hidden = !wanted;
    part("uses").setAttribute("aria-expanded", String(wanted));
    if (wanted) find("button", part("menu")).focus();
  };
  const use = async (kind) => {
    const picture = file;
    close();
    if (!(await hand(kind, picture))) notify(`${takers()[kind]} did not open. Open its tab and drop the picture there.`);
  };
  for (const [kind, title] of Object.entries(takers())) {
    const button = make("button", { type: "button", role: "menuitem", textContent: title, "data-to": kind });
    button.addEventListener("click", () => use(kind));
    part("menu").append(button);
  }
  part("use").addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (part("menu").hidden || !by) return;
    event.preventDefault();
    const items = [...part("menu").children];
    items[(items.indexOf(document.activeElement) + by + items.length) % items.length].focus();
  });

  // ---- keys ---------------------------------------------------------------------------------------------------------------

  // The focus goes round within the card; with a mouse the form beside it can be reached.
  const around = (event) => {
    const stops = findAll(STOPS, dialog).filter((each) => each.getClientRects().length && !each.disabled);
    const place = stops.indexOf(document.activeElement);
    const atEnd = event.shiftKey ? place <= 0 : place === stops.length - 1;
    if (!atEnd) return;
    event.preventDefault();
    stops.at(event.shiftKey ? -1 : 0)?.focus();
  };
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Tab") around(event);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target === part("text")) part("read").click();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !dialog.open || find("dialog:modal") || event.defaultPrevented) return;
    if (typing(event.target) && !dialog.contains(event.target)) return;
    event.preventDefault();
    if (part("menu").hidden) close();
    else (menu(false), part("uses").focus());
  });

  // ---- joined -------------------------------------------------------------------------------------------------------------

  const readFile = (source, note = "") => read(source, source, note);
  const readText = (text) => (text.trim() ? read(text, null) : part("text").focus());
  part("thumb").addEventListener("load", () => (part("thumb").hidden = false, part("use").hidden = !file));
  part("close").addEventListener("click", close);
  part("another").addEventListener("click", ask);
  part("choose").addEventListener("click", () => part("file").click());
  chooses(part("file"), readFile);
  part("read").addEventListener("click", () => readText(part("text").value));
  part("all").addEventListener("click", () => takeOver(null, "The form has these settings."));
  part("uses").addEventListener("click", () => menu(part("menu").hidden));
  part("folder").addEventListener("click", () => (close(), emit("folders")));
  document.addEventListener("pointerdown", ({ target }) => part("menu").hidden || part("use").contains(target) || menu(false));
  on("check", (picture) => wanted("check").then(({ open }) => open(picture), () => notify(AWAY)));
  part("check").addEventListener("click", () => (close(), emit("check")));
  on("reading", (picture) => (picture ? readFile(picture) : ask()));
  catches(dialog, part("over"), readFile, readText);
  server.owns().then((owner) => (part("folder").hidden = !owner), () => {});
};
