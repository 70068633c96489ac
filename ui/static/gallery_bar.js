// The bar of the library that appears with a selection: what can be done with the pictures that are selected.
import { notify } from "./desk.js";
import { dropdown } from "./dropdown.js";
import { emit, findAll, make } from "./dom.js";
import { all, apply, stepOf } from "./finishes.js";
import { ask, favour, makeBoard, putOn, rate, restore, takeOff, throwAway } from "./marks.js";
import { wanted } from "./on_demand.js";
import { showPage } from "./panel.js";
import { keep, ways } from "./save_as.js";
import { stars } from "./stars.js";
import { targets } from "./targets.js";

const STEPS = { enlarge: "Enlarge", hires: "Hires fix", details: "Details" };
const MOST_COMPARED = 4;
const MOST_ACROSS = 5; // buttons of a row on a phone

/** @typedef {import("./messages.d.ts").GalleryPicture} Picture */

// `pictures()`: those that are selected, in the order in which they were; `like(id)` searches, `show(picture)` lays one on the surface.
export const bar = (part, { pictures, boards, like, show, open, clear }) => {
  const ids = () => pictures().map(({ id }) => id);
  const only = () => pictures()[0];
  const sign = (name) => make("i", { className: `icon icon-${name}` });
  const act = (name, icon, says, title, does = null) => {
    const button = make("button", { type: "button", className: "act", title, "data-act": name }, sign(icon), make("span", { textContent: says }));
    if (does) button.addEventListener("click", does);
    return button;
  };
  const menu = (name, icon, says, title, fill) => {
    const button = act(name, icon, says, title);
    button.setAttribute("aria-haspopup", "true");
    const box = make("div", { className: "menu", hidden: true });
    const drop = make("div", { className: "gallery-drop" }, button, box);
    const show = dropdown(button, box, () => box.replaceChildren(...fill(() => show(false))));
    return Object.assign(drop, { button });
  };
  const item = (says, does, close, icon = "") => {
    const button = make("button", { type: "button" }, icon && sign(icon), make("span", { textContent: says }));
    button.addEventListener("click", () => (close(), does()));
    return button;
  };

  // ---- what the menus hold ---------------------------------------------------------------------------------------------------

  const boardItems = (close) => {
    const name = make("input", { type: "text", placeholder: "A new board…", "aria-label": "Name of a new board", maxLength: 100 });
    name.addEventListener("keydown", async (event) => {
      if (event.key !== "Enter" || !name.value.trim()) return;
      const [called, chosen] = [name.value.trim(), ids()];
      close();
      const id = await makeBoard(called);
      if (id) putOn({ id, name: called }, chosen);
    });
    const puts = boards().map((board) => item(board.name, () => putOn(board, ids()), close, "plus"));
    const takes = boards().map((board) => item(board.name, () => takeOff(board, ids()), close, "x"));
    const title = (words) => make("p", { className: "menu-title", textContent: words });
    return [title("Put on"), ...puts, name, ...(takes.length ? [title("Take off"), ...takes] : [])];
  };
  const sendItems = (close) => Object.entries(targets()).map(([to, says]) => item(says, () => emit("send", { id: only().id, kind: only().kind, to }), close));
  const finishItems = (close) => [
    ...(all().length ? [make("p", { className: "menu-title", textContent: "Finish them by" })] : []),
    ...all().filter(({ note }) => !note).map(({ id, name }) => item(name, () => apply(ids(), { id }, name), close, "sparkles")),
    make("p", { className: "menu-title", textContent: "As the tab is set" }),
    ...Object.entries(STEPS).map(([kind, says]) => item(says, () => once(kind, says), close, "sliders-horizontal")),
    make("p", { className: "menu-title", textContent: "Several steps" }),
    item(all().length ? "Another finish…" : "Make a finish…", () => showPage("finish"), close, "plus"),
  ];
  // One step with the settings that its tab has now.
  const once = async (kind, says) => {
    const chosen = ids();
    const step = await stepOf(kind).catch((problem) => notify(problem.message));
    if (step) apply(chosen, { steps: [step] }, says);
  };
  const fetchZip = async (format, settings) => {
    const told = await ask("/zip", { ids: ids(), format, settings });
    if (told) keep(`library/zip/${encodeURIComponent(told.id)}`, "atelier.zip");
  };

  // ---- the bar ---------------------------------------------------------------------------------------------------------------

  const count = make("strong", { className: "gallery-count", role: "status" });
  const row = make("span", { className: "stars", role: "group", "aria-label": "Rating" });
  const setStars = stars(row, (rating) => rate(ids(), rating));
  const allFavourites = () => pictures().every(({ favourite }) => favourite);
  const heart = act("favourite", "heart", "Favourite", "Favourite, or not any more (F)", () => favour(ids(), !allFavourites()));
  const compare = act("compare", "columns-2", "Compare", "Compare two to four pictures", () => emit("compare", { ids: ids() }));
  const surface = act("surface", "image", "On the surface", "Show it on the surface, in the tab that it came from", () => show(only()));
  const settings = act("settings", "sliders-horizontal", "Use settings", "Fill the form with all that made this picture", () => emit("send", { id: only().id, kind: only().kind, to: "" }));
  const send = menu("send", "send", "Send to", "Go on with this picture in another tab", sendItems);
  const finish = menu("finish", "sparkles", "Finish", "Enlarge them, draw over them, draw their details: steps that you have saved", finishItems);
  const remove = act("delete", "trash-2", "Delete", "Into the bin (Delete)", () => throwAway(ids()));
  const alike = act("like", "images", "Like this", "Pictures with this one's settings", () => like(only().id));
  const model = act("model", "image-up", "For a model", "Make it the picture of a model that drew it", () => wanted("model_cards").then(({ showModelsOf }) => showModelsOf(only().id), () => notify("This could not be fetched. Try again.")));
  model.classList.add("owners");
  const kept = [
    row, heart, menu("boards", "folder-open", "Boards", "Put on boards, or take off them", boardItems), compare, surface, settings, send,
    finish, alike, model,
    menu("zip", "download", "Download", "All of them in one ZIP", (close) => ways(close, fetchZip)),
    remove,
  ];
  const back = act("restore", "archive-restore", "Restore", "Out of the bin, to where they were", () => restore(ids()));
  const look = act("open", "maximize", "Open", "The large view (Enter)", open);
  const close = act("clear", "x", "Clear", "Select none (Esc)", clear);
  close.classList.add("gallery-none");
  part("bar").append(count, ...kept, back, look, close);

  /** @type {(bin: boolean) => void} */
  const draw = (bin) => {
    const chosen = pictures();
    part("bar").hidden = !chosen.length;
    document.body.toggleAttribute("data-bar", chosen.length > 0); // what is said at the foot of the page stands above it
    if (!chosen.length) return;
    const one = chosen.length === 1;
    count.textContent = `${chosen.length.toLocaleString("en")} selected`;
    for (const each of kept) each.hidden = bin;
    back.hidden = !bin;
    compare.hidden = bin || chosen.length < 2 || chosen.length > MOST_COMPARED;
    surface.hidden = settings.hidden = send.hidden = alike.hidden = model.hidden = bin || !one;
    // Of pictures of others one may use the settings, where they are told.
    const mine = chosen.every(({ own }) => own);
    if (!mine) for (const each of [row, heart, surface, send, finish, remove]) each.hidden = true;
    if (!chosen.some(({ told }) => told)) settings.hidden = alike.hidden = true;
    // On a phone they stand in rows of equal length.
    const acts = findAll(".act:not([hidden])", part("bar")).filter((each) => each !== close && each !== look && !each.closest("[hidden]")).length;
    part("bar").style.setProperty("--across", String(Math.ceil(acts / Math.ceil(acts / MOST_ACROSS))));
    setStars(one ? chosen[0].rating : 0);
    heart.setAttribute("aria-pressed", String(allFavourites()));
  };
  return { draw };
};
