// Comments on the picture that the inspector shows: threads, an answer, "On a spot", settled. What others write arrives by the look at the
// engine that the header has anyway. Everything that people wrote enters as text.
import { find, make, on, parts, write } from "./dom.js";
import { details } from "./folds.js";
import * as page from "./page.js";
import { showPage } from "./panel.js";
import { ago } from "./people.js";
import { spots } from "./spots.js";
import { address } from "./stage_live.js";

/** @typedef {import("./messages.d.ts").CommentThread} Thread */
/** @typedef {import("./messages.d.ts").CommentLine} Line */

const SHEET = 780; // pixels of the window up to which the panel covers the surface
const ARMED = 5000; // milliseconds in which a second press removes
const AWAY = "The server did not answer. Try again.";
const PLACE = "Press the picture where it is; arrow keys move the mark.";
const EMPTY = "Nobody has said anything of this picture yet. Say what you think of it, or of a spot of it.";
const SILENT = "Nobody has said anything of this picture yet.";

const nameOf = (name) => name || "The owner";
const plural = (count) => `${count} comment${count === 1 ? "" : "s"}`;

/** @type {(root: HTMLDetailsElement) => { show: (id: string) => void }} */
export const comments = (root) => {
  const part = parts(root);
  let id = ""; // of the picture
  let newest = 0; // of the looks: an answer to an earlier one is not shown
  let version = -1;
  let wanted = 1; // threads that are to be there at least
  /** @type {Thread[]} */
  let threads = [];
  let draft = null; // the spot that is being set
  let armed = ""; // the comment that a second press removes
  const drafts = new Map(); // id of a picture -> what was begun to be said of it
  const answers = new Map(); // id of a thread's beginning -> the form of an answer that was begun
  const lines = new Map(); // the same -> what was drawn of it, and its element

  const may = () => page.told.engine?.you?.may.includes("comment") ?? false;
  const asked = async (where, body = null) => {
    const options = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
    const answer = await fetch(where, options).catch(() => null);
    const told = answer ? await answer.json().catch(() => ({})) : {};
    if (answer?.ok) return told;
    write(part("problem"), told.message || AWAY);
    return null;
  };

  // ---- the picture with its spots -------------------------------------------------------------------------------------------

  const hears = { chosen: (place) => choose(place), placed: (spot, pressed) => ((draft = spot), pressed && part("text").focus({ preventScroll: true })) };
  const map = spots(part("map-picture"), part("map"), hears);
  /** @type {{ frame: any, image: any, draw: any } | null} */
  let stage = null;
  const surface = () => {
    const frame = stage?.frame ?? find("#stage [data-part=frame]");
    if (!frame || stage) return stage;
    const image = find("[data-part=picture]", frame);
    stage = { frame, image, draw: spots(image, frame, hears) };
    const watch = new MutationObserver(drawSpots);
    watch.observe(frame, { attributes: true, attributeFilter: ["data-showing"] });
    watch.observe(image, { attributes: true, attributeFilter: ["src"] });
    return stage;
  };
  const drawSpots = () => {
    const list = threads.filter(({ spot, settled }) => spot && !settled).map((thread) => ({ place: thread.place, spot: thread.spot, says: thread.comments[0].text }));
    const over = surface();
    const there = Boolean(id && over && over.frame.dataset.showing === "picture" && over.image.getAttribute("src") === `${address("picture", id)}.png`);
    const seen = there && innerWidth > SHEET && over.frame.getClientRects().length > 0;
    over?.draw(there, list, seen ? draft : null);
    if (over) over.frame.dataset.spots = root.open ? "yes" : "no";
    part("map").hidden = seen || !(list.length || draft);
    const source = id && !part("map").hidden ? `${address("picture", id)}.png` : "";
    if (source && part("map-picture").getAttribute("src") !== source) part("map-picture").src = source;
    map(!part("map").hidden, list, seen ? null : draft);
  };
  const place = (spot) => {
    draft = spot;
    part("spot").setAttribute("aria-pressed", String(Boolean(draft)));
    drawSpots();
    hint();
    if (draft) find("#stage .spot.draft, .comments .spot.draft")?.focus({ preventScroll: true });
  };
  const choose = (place) => {
    showPage("inspector");
    root.open = true;
    const line = find(`[data-place="${place}"]`, part("threads"));
    line?.scrollIntoView({ block: "nearest" });
    line?.focus({ preventScroll: true });
  };
  const hint = () => write(part("hint"), draft ? PLACE : threads.length ? "" : may() ? EMPTY : SILENT);

  // ---- threads --------------------------------------------------------------------------------------------------------------

  const act = async (where, body) => {
    write(part("problem"));
    const done = await asked(where, body);
    await look();
    return done;
  };
  const small = (says, title, does, key = "") => {
    const made = make("button", { type: "button", className: "inspector-way", textContent: says, title, "data-key": key });
    made.addEventListener("click", does);
    return made;
  };
  const removes = (said) =>
    small(armed === said.id ? "Yes, remove it" : "Remove", "Nobody reads it any more", () => {
      if (armed === said.id) return (armed = ""), act(`${address("comments", said.id)}/delete`, {});
      armed = said.id;
      setTimeout(() => armed === said.id && ((armed = ""), draw()), ARMED);
      draw();
    }, `remove ${said.id}`);
  /** @param {Line} said */
  const line = (said) => [
    make("p", { className: "comment-head" }, make("b", { textContent: nameOf(said.name), "data-owner": said.name ? "no" : "yes" }),
      make("time", { dateTime: new Date(said.created * 1000).toISOString(), title: new Date(said.created * 1000).toLocaleString(), "data-at": String(said.created) })),
    make("p", { className: `comment-text${said.text ? "" : " gone"}`, dir: "auto", textContent: said.text || "Taken back by who wrote it." }),
  ];
  const answer = (first) => {
    const field = make("textarea", { rows: 2, maxLength: 4000, "aria-label": "Your answer", placeholder: "Answer" });
    const form = make("form", { className: "says" }, field, make("div", { className: "says-line" }, small("Cancel", "", () => (answers.delete(first.id), draw())), make("button", { type: "submit", className: "says-send", title: "Send it (Ctrl+Enter)", textContent: "Send" })));
    form.addEventListener("submit", (event) => (event.preventDefault(), send(form, field, { parent: first.id }, () => answers.delete(first.id))));
    answers.set(first.id, form);
    draw();
    field.focus();
  };
  /** @param {Thread} thread */
  const drawn = (thread) => {
    const [first] = thread.comments;
    const settles = () => act(`${address("comments", first.id)}/settle`, { settled: !thread.settled });
    const ways = (said) => make("div", { className: "inspector-ways comment-ways" },
      said === thread.comments.at(-1) && may() ? small("Answer", "Say something to this", () => answer(first)) : null,
      said === thread.comments.at(-1) && may() ? small(thread.settled ? "Open again" : "Settle", thread.settled ? "It is not done with" : "This is done with", settles, `settle ${first.id}`) : null,
      said.removable ? removes(said) : null);
    const inside = thread.comments.flatMap((said) => [...line(said), ways(said)]);
    const mark = thread.spot && !thread.settled ? make("span", { className: "spot", textContent: String(thread.place), title: `Spot ${thread.place} of the picture` }) : null;
    const whole = thread.settled ? make("details", {}, make("summary", { textContent: `Settled by ${thread.settler || "the owner"} · ${plural(thread.comments.length)}` }), ...inside) : make("div", {}, ...inside);
    return make("li", { "data-settled": String(thread.settled), "data-place": String(thread.place), tabIndex: -1 }, mark, whole);
  };
  const kept = (thread) => {
    const key = thread.comments[0].id;
    const said = JSON.stringify([thread, may(), thread.comments.some((each) => each.id === armed)]);
    const before = lines.get(key);
    if (before?.said !== said) lines.set(key, { said, element: drawn(thread) });
    const { element } = lines.get(key);
    const form = answers.get(key);
    const there = find("form.says", element);
    if (there && there !== form) there.remove();
    if (form && there !== form) element.append(form);
    return element;
  };
  const draw = () => {
    const held = document.activeElement;
    part("say").hidden = !may();
    const rows = threads.map(kept);
    if (rows.length !== part("threads").children.length || rows.some((row, index) => part("threads").children[index] !== row)) part("threads").replaceChildren(...rows);
    if (held instanceof HTMLElement && held !== document.activeElement) {
      const again = root.contains(held) ? held : held.dataset.key && find(`[data-key="${CSS.escape(held.dataset.key)}"]`, root);
      again?.focus({ preventScroll: true });
    }
    for (const time of part("threads").querySelectorAll("time")) time.textContent = ago(Date.now() / 1000 - Number(time.dataset.at));
    hint();
    drawSpots();
  };

  // ---- what is asked and sent -----------------------------------------------------------------------------------------------

  const look = async () => {
    const mine = (newest += 1);
    const shown = id;
    /** @type {Thread[]} */
    const found = [];
    let told = null;
    do {
      told = await asked(`${address("picture", shown)}/comments?before=${found.at(-1)?.number ?? 0}`);
      if (mine !== newest || !told) return;
      found.push(...told.threads);
    } while (told.more && found.length < wanted);
    threads = found;
    version = told.version;
    part("count").textContent = told.count ? told.count.toLocaleString("en") : "";
    part("older").hidden = !told.more;
    draw();
  };
  const send = async (form, field, more, done) => {
    const button = find("[type=submit]", form);
    if (button.disabled) return;
    if (!field.value.trim()) return field.focus();
    button.disabled = true;
    const [sent, to] = [field.value, id];
    write(part("problem"));
    const made = await asked(`${address("picture", to)}/comments`, { text: sent, ...more });
    button.disabled = false;
    if (made && to !== id) return void drafts.delete(to); // another picture was chosen meanwhile
    if (!made) return;
    if (field.value === sent) field.value = "";
    done();
    await look();
  };

  part("say").addEventListener("submit", (event) => {
    event.preventDefault();
    send(part("say"), part("text"), { spot: draft }, () => place(null));
  });
  part("spot").addEventListener("click", () => place(draft ? null : [0.5, 0.5]));
  part("older").addEventListener("click", () => ((wanted = threads.length + 1), look()));
  root.addEventListener("toggle", drawSpots);
  details(root, "inspector Comments", true);
  on("tab", () => setTimeout(drawSpots));
  on("engine", ({ comments: told }) => {
    if (!id || told === undefined || version < 0) return;
    if (told !== version) look();
    else draw();
  });

  const show = (picture) => {
    if (picture === id) return;
    drafts.set(id, part("text").value);
    id = page.open.picture = picture;
    part("text").value = drafts.get(id) ?? "";
    newest += 1;
    [version, wanted, threads, armed] = [-1, 1, [], ""];
    [answers, lines].forEach((each) => each.clear());
    part("count").textContent = "";
    part("older").hidden = true;
    write(part("problem"));
    place(null);
    part("threads").replaceChildren();
    write(part("hint"));
    if (id) look();
  };
  return { show };
};
