// The head of a board: whether it is shared and by whom, who is here, what is being drawn for it now. What others draw arrives by itself.
import { emit, find, make, on, parts, write } from "./dom.js";
import { drawOnto, shareBoard } from "./marks.js";
import * as page from "./page.js";
import { allow, followSeat, followed, lets } from "./together.js";

/** @typedef {import("./messages.d.ts").GalleryBoard} Board */
/** @typedef {import("./messages.d.ts").TogetherNews} News */
/** @typedef {import("./messages.d.ts").DrawnNow} Tile */

const ROLES = { viewer: "looks", commenter: "comments", artist: "draws", "co-owner": "draws, lets others in", owner: "owner" };
const ALONE = "Nobody else is here.";
const nameOf = (name) => name || "The owner";

const button = (part, icon, says) =>
  make("button", { type: "button", className: "quiet", "data-part": part }, icon && make("i", { className: `icon icon-${icon}` }), make("span", { textContent: says }));

// `shown()`: the board that is shown, or null. Returns what draws it anew.
/** @type {(root: HTMLElement, shown: () => Board | null) => () => void} */
export const together = (root, shown) => {
  root.append(
    make("div", { className: "together-head" },
      make("span", { className: "together-state" }, make("i", { "data-part": "together-sign" }), make("span", { "data-part": "together-words" })),
      make("ul", { className: "together-here", "data-part": "here", "aria-label": "Who is here" }),
      make("span", { className: "together-acts" }, button("desk", "brush", "Draw here"), button("invite", "link", "Invite"), button("share", "", "Share"))),
    make("ul", { className: "together-drawing", "data-part": "drawing", "aria-label": "Being drawn now", hidden: true }));
  const part = parts(root);
  /** @type {() => News | null} */
  const told = () => (shown()?.shared && page.told.together?.board === shown().id ? page.told.together : null);
  const tiles = new Map(); // place in the row -> its elements

  const may = (what) => page.told.engine?.you?.may.includes(what) ?? false;

  // ---- who is here -----------------------------------------------------------------------------------------------------------

  /** @typedef {import("./messages.d.ts").HerePerson} Person */
  const initial = (name) => [...(name || "O")][0].toUpperCase();
  /** @type {(person: { name: string }) => HTMLElement} */
  const letter = ({ name }) => make("span", { className: "together-letter", "aria-hidden": "true", textContent: initial(name) });
  // Somebody else, whom one follows by a press. Their chip stays as long as they are here, so that no press is lost to what they do meanwhile.
  const chips = new Map(); // seat -> its elements
  /** @type {(seat: number) => { item: HTMLElement, chip: HTMLElement, first: HTMLElement, named: HTMLElement, word: HTMLElement }} */
  const chipOf = (seat) => {
    const [first, named, word] = [letter({ name: "" }), make("b"), make("span")];
    const chip = make("button", { type: "button", className: "together-person", "data-seat": String(seat) }, first, named, word);
    chip.addEventListener("click", () => followSeat(followed() === seat ? 0 : seat));
    return { item: make("li", {}, chip), chip, first, named, word };
  };
  /** @type {(person: Person) => HTMLElement} */
  const person = ({ seat, name, role, lets: may }) => {
    const made = chips.get(seat) ?? chipOf(seat);
    chips.set(seat, made);
    const follows = followed() === seat;
    made.chip.title = follows ? `You see what ${nameOf(name)} opens, until you open something yourself; press to stop` : may ? `Follow ${nameOf(name)}: what they open is opened here` : `${nameOf(name)} does not let others follow`;
    made.chip.disabled = !may;
    made.chip.setAttribute("aria-pressed", String(follows));
    write(made.first, initial(name));
    write(made.named, nameOf(name));
    write(made.word, follows ? "you follow" : role === "owner" && !name ? "" : ROLES[role]);
    return made.item;
  };
  // Oneself: who follows, and whether they may.
  /** @type {(me: Person, others: Person[]) => HTMLElement[]} */
  const oneself = (me, others) => {
    const count = others.filter(({ follows }) => follows === me.seat).length;
    const box = make("input", { type: "checkbox", checked: lets() });
    box.addEventListener("change", () => allow(box.checked));
    return [
      make("li", { className: "together-me" },
        make("span", { className: "together-person", "data-you": "true" }, letter(me), make("b", { textContent: "You" }), count ? make("span", { className: "together-follower", textContent: `${count} follow${count === 1 ? "s" : ""} you` }) : null),
        others.length ? make("label", { className: "together-lets", title: "What you open on this board is opened for who follows you" }, box, make("span", { textContent: "Let others follow me" })) : null),
    ];
  };
  // As many of the others as fit, and how many more there are, which a press shows as well.
  const [more, rows] = [make("button", { type: "button", className: "together-person together-more" }), () => new Set([...part("here").children].filter((item) => item.offsetParent).map((item) => item.offsetTop)).size];
  const rest = make("li", { hidden: true }, more);
  let [open, width] = [false, 0];
  /** @type {(others: HTMLElement[]) => number} */
  const hide = (others) => {
    const most = matchMedia("(max-width: 780px)").matches ? 2 : 1;
    const fold = (folded) => (part("here").classList.toggle("together-folded", folded), (rest.hidden = !folded));
    for (const item of others) item.hidden = false;
    fold(false);
    if (rows() <= most) return others.length;
    fold(true);
    let shown = others.length;
    for (let left = 1; shown > 1 && (left || rows() > most); left = 0) {
      others[--shown].hidden = true;
      more.textContent = `+${others.length - shown}`;
    }
    return shown;
  };
  const fit = () => {
    const others = [...part("here").querySelectorAll("li")].filter((item) => find("[data-seat]", item));
    const shown = hide(others);
    const chosen = others.findIndex((item) => find('[aria-pressed="true"]', item));
    open &&= shown < others.length;
    if (open) {
      for (const item of others) item.hidden = false;
      part("here").classList.remove("together-folded");
      more.textContent = "Fewer";
    } else if (chosen >= shown) {
      others[0].before(others[chosen]); // whom one follows is seen
      hide([others[chosen], ...others.filter((_, place) => place !== chosen)]);
    }
    more.title = open ? "" : `Show all ${others.length + 1}, and whether others may follow you`;
    more.setAttribute("aria-expanded", String(open));
    part("here").classList.toggle("together-all", open);
  };
  more.addEventListener("click", () => ((open = !open), fit()));
  new ResizeObserver(([{ contentRect }]) => contentRect.width !== width && ((width = contentRect.width), fit())).observe(part("here"));
  let [drawn, order] = ["", ""];
  const drawHere = () => {
    const { here, you } = told() ?? { here: [], you: 0 };
    const others = here.filter(({ seat }) => seat !== you);
    const me = here.filter(({ seat }) => seat === you);
    const said = JSON.stringify([others, you, followed(), lets(), me]);
    if (said === drawn) return;
    drawn = said;
    for (const seat of chips.keys()) if (!others.some((other) => other.seat === seat)) chips.delete(seat);
    const they = [...others.map(person), rest];
    const first = others.some(({ follows }) => follows === you); // who is followed sees it first
    const placed = JSON.stringify([[...others, ...me].map(({ seat }) => seat), me.length, first, followed(), lets(), others.filter(({ follows }) => follows === you).length]);
    if (placed !== order) {
      order = placed;
      const held = document.activeElement?.getAttribute("data-seat");
      const mine = me.flatMap((each) => oneself(each, others));
      const alone = here.length && !others.length ? make("li", { className: "together-alone", textContent: ALONE }) : null;
      part("here").replaceChildren(...(first ? [...mine, ...they] : [...they, ...mine]), ...[alone].filter(Boolean));
      if (held) find(`[data-seat="${held}"]`, part("here"))?.focus({ preventScroll: true });
    }
    fit();
  };

  // ---- what is drawn ---------------------------------------------------------------------------------------------------------

  const card = () => {
    const image = make("img", { alt: "", draggable: false, hidden: true });
    const [name, words, more, bar] = [make("b"), make("span", { className: "together-step" }), make("span", { className: "together-step" }), make("span", { className: "together-bar" })];
    const item = make("li", { className: "together-tile" }, make("span", { className: "together-frame" }, make("i", { className: "icon" }), image), make("span", { className: "together-said" }, name, words, more, bar));
    return { item, image, name, words, more, bar, sign: find(".icon", item) };
  };
  // How far it is: two lines.
  /** @type {(tile: Tile) => string[]} */
  const progress = ({ private: elsewhere, state, step, steps, picture, pictures_total: total }) => {
    const of = total > 1 ? `picture ${Math.min(picture + 1, total)} of ${total}` : "";
    if (elsewhere) return ["not for this board", of];
    if (state === "waiting") return ["waits", total > 1 ? `${total} pictures` : ""];
    return [steps ? `step ${step} of ${steps}` : "begins", of];
  };
  /** @type {(tile: Tile) => string} */
  const whose = (tile) => {
    if (tile.private) return page.told.queue?.running ? "Your picture" : "Somebody’s picture";
    return tile.seat && tile.seat === told()?.you ? "You" : nameOf(tile.name);
  };
  /** @type {(tile: Tile, place: number) => HTMLElement} */
  const filled = (tile, place) => {
    const made = tiles.get(place) ?? card();
    tiles.set(place, made);
    made.item.dataset.state = tile.private ? "private" : tile.state;
    made.sign.className = `icon icon-${tile.private ? "user" : tile.state === "waiting" ? "clock" : "sparkles"}`;
    made.image.hidden = !tile.preview;
    if (tile.preview && made.image.src !== tile.preview) made.image.src = tile.preview;
    made.image.alt = tile.preview ? `What ${whose(tile)} draws, as it forms` : "";
    made.name.textContent = whose(tile);
    const [words, more] = progress(tile);
    write(made.words, words);
    write(made.more, more);
    made.bar.style.setProperty("--share", String(tile.steps ? tile.step / tile.steps : 0));
    made.bar.hidden = !tile.steps;
    return made.item;
  };
  const drawTiles = () => {
    const items = (told()?.drawing ?? []).map(filled);
    part("drawing").hidden = !items.length;
    const row = part("drawing");
    if (items.length !== row.children.length || items.some((item, index) => row.children[index] !== item)) row.replaceChildren(...items);
  };

  // ---- the board itself ------------------------------------------------------------------------------------------------------

  const drawHead = () => {
    const board = shown();
    root.hidden = !board;
    if (!board) return;
    part("together-sign").className = `icon icon-${board.shared ? "users" : "lock"}`;
    part("together-words").textContent = board.shared ? (board.own ? "Shared" : `Shared by ${board.maker || "the owner"}`) : "Only you see this board";
    part("desk").hidden = !may("draw");
    part("desk").setAttribute("aria-pressed", String(board.desk));
    part("desk").title = board.desk ? "What you draw comes onto this board by itself; press to stop that" : "From now on what you draw comes onto this board by itself";
    part("desk").lastElementChild.textContent = board.desk ? "You draw here" : "Draw here";
    part("invite").hidden = !board.shared || !may("share") || !(board.own || board.id === page.told.engine?.you?.board);
    part("share").hidden = !board.shares || !may("draw");
    part("share").textContent = board.shared ? "Make private" : "Share";
    part("share").title = board.shared ? "Only its maker sees it then" : "Whoever a link lets in sees it, and what is drawn here while it forms";
  };
  const draw = () => (drawHead(), drawHere(), drawTiles());

  part("desk").addEventListener("click", async () => (await drawOnto(shown(), !shown().desk)) && emit("look"));
  part("share").addEventListener("click", () => shareBoard(shown(), !shown().shared));
  part("invite").addEventListener("click", () => emit("people", { board: shown().id }));
  on("together", () => (drawHere(), drawTiles()));
  on("followed", drawHere);
  on("engine", drawHead);
  return draw;
};
