// The room of grids, over the whole window: what varies on the left, the sheet as it forms beside it, and what is done with a cell below.
import { notify } from "./desk.js";
import { emit, find, later, make, write } from "./dom.js";
import { surface } from "./gallery_surface.js";
import { look, lasting, order } from "./grid_ask.js";
import { axisRows } from "./grid_axes.js";
import { gridSheet } from "./grid_sheet.js";
import * as page from "./page.js";
import { keep } from "./save_as.js";

/** @typedef {import("./messages.d.ts").GridNews} News */
/** @typedef {import("./messages.d.ts").GridPlan} Plan */

const AGAIN = 2000; // milliseconds until the server is asked once more after it did not answer
const EMPTY = "Choose what varies, and the values that it takes. The sheet takes shape here before anything is drawn.";
const STATES = { drawing: "", stopped: "Stopped", done: "All drawn" };
const STARTS = [{ name: "guidance_scale", typed: "" }, { name: "steps", typed: "" }];

const sign = (icon) => make("i", { className: `icon small icon-${icon}` });
const button = (icon, says, title, act, className = "act") => {
  const made = make("button", { type: "button", className, title }, icon && sign(icon), make("span", { textContent: says }));
  made.addEventListener("click", act);
  return made;
};
const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
const lays = surface({});

const built = () => {
  const close = button("x", "", "Close (Esc)", () => dialog.close(), "round");
  close.ariaLabel = "Close";
  const dialog = make("dialog", { className: "grid-room", "aria-labelledby": "grid-title" });
  const title = make("h2", { id: "grid-title", textContent: "Grid" });
  const about = make("p", { className: "grid-about" });
  const ways = make("div", { className: "grid-ways", hidden: true });
  const rows = make("div", { className: "grid-axes" });
  const problem = make("p", { className: "grid-wrong", role: "alert", hidden: true });
  const plan = make("p", { className: "grid-plan", role: "status" });
  const acts = make("div", { className: "grid-acts" });
  const shelf = make("details", { className: "grid-shelf" }, make("summary", { textContent: "Your grids" }), make("ul", {}));
  const empty = make("p", { className: "grid-empty", textContent: EMPTY });
  const sheet = make("div", { className: "grid-stage" }, empty);
  const bar = make("div", { className: "grid-bar" });
  const tools = make("div", { className: "grid-tools" });
  const fields = make("div", { className: "grid-fields" }, about, ways, rows, shelf);
  const side = make("div", { className: "grid-side" }, fields, make("div", { className: "grid-foot" }, problem, plan, acts));
  dialog.append(make("div", { className: "grid-head" }, title, tools, close), make("div", { className: "grid-body" }, side, make("div", { className: "grid-main" }, sheet, bar)));
  (find(".gradio-container") ?? document.body).append(dialog);
  return { dialog, title, fields, about, ways, rows, problem, plan, acts, shelf, empty, sheet, bar, tools };
};

const made = () => {
  const part = built();
  let kind = ""; // of the form that is varied
  let picture = ""; // or the picture
  let grid = ""; // the id of the one that is shown, "" while it is only planned
  /** @type {News | null} */
  let news = null;
  /** @type {Record<string, any>} */
  let cells = {};
  /** @type {Plan | null} */
  let planned = null;
  /** @type {string[]} */
  let picked = [];
  let pairs = false; // the next cell is compared with the one that is chosen
  let turn = 0; // an answer to what was asked before comes too late
  let reading = new AbortController();
  let edited = false; // values of the grid that is shown
  let asks = false; // whether its axes may be others now
  /** @type {import("./messages.d.ts").AxisOffer[]} */
  let offered = [];

  const about = () => (grid ? { grid } : picture ? { picture } : { kind, values: page.forms[kind] ?? {} });
  // What the server refuses is said at the foot.
  const tried = async (act) => {
    write(part.problem);
    try {
      return await act();
    } catch (error) {
      write(part.problem, error.message);
    }
  };

  // ---- what varies -----------------------------------------------------------------------------------------------------------

  const displayed = () => rows.axes().map(({ name }) => news?.axes.findIndex((axis) => axis.name === name) ?? -1).filter((place) => place >= 0);
  // In the order of the grid's own axes.
  const ordered = () => {
    const axes = rows.axes();
    const same = news && axes.length === news.axes.length && news.axes.every(({ name }) => axes.some((axis) => axis.name === name));
    return same ? news.axes.map(({ name }) => axes.find((axis) => axis.name === name)) : axes;
  };
  const ask = async () => {
    const mine = (turn += 1);
    const axes = ordered();
    asks = false;
    edited = !!news && JSON.stringify(ordered()) !== JSON.stringify(news.axes.map(({ name, typed }) => ({ name, typed })));
    const told = axes.length ? await tried(() => order("/plan", { ...about(), axes })) : null;
    if (mine !== turn) return;
    planned = told ?? null;
    if (told) rows.tell(placed(told, axes));
    if (told?.problem) write(part.problem, told.problem);
    if (!grid) showPlan();
    draw();
  };
  // What is said of axes in the order of the grid, in the order of the rows.
  const placed = ({ problems, counts }, axes) => {
    const places = rows.axes().map(({ name }) => axes.findIndex((axis) => axis.name === name));
    return { problems: places.map((place) => problems[place]), counts: places.map((place) => counts[place]) };
  };
  const rows = axisRows(part.rows, { changed: () => void ask(), refilled: () => (news ? showNews() : void ask()) });

  const showPlan = () => {
    const axes = planned?.axes ?? [];
    if (!axes.length && planned && find(".grid-cell", part.sheet)) return; // something is wrong: what was there stays until it is right
    part.empty.hidden = axes.length > 0;
    part.sheet.dataset.plan = "yes";
    const form = page.forms[kind] ?? {};
    sheet.show({ axes, width: Number(form.width) || 1, height: Number(form.height) || 1, cells: {} });
  };

  const begin = () => tried(async () => {
    const { id } = await order("", { ...about(), axes: rows.axes(), once: crypto.randomUUID?.() ?? String(Math.random()) });
    show(id);
  });
  // Other axes make another sheet of it, so that is asked before.
  const change = () => tried(async () => {
    if (planned?.relaid && !asks) return (asks = true), draw();
    const axes = ordered();
    await order(`/${grid}/change`, { axes });
    edited = asks = false;
    if (!planned?.relaid) return;
    choose([]);
    rows.put(axes, true);
    follow();
  });
  const leave = () => {
    rows.put(news.axes, true);
    ask();
  };
  const act = (name) => () => tried(() => order(`/${grid}/${name}`));

  const blank = () => {
    reading.abort();
    grid = "";
    news = null;
    cells = {};
    choose([]);
    edited = false;
    rows.put(rows.axes());
    ask();
  };

  // ---- the foot: what it would be, or how far it is -----------------------------------------------------------------------------

  const words = () => {
    if (news && !edited) {
      const share = `${news.drawn.toLocaleString("en")} of ${plural(news.count, "picture")}`;
      const rest = news.state === "drawing" && news.seconds !== null ? `${lasting(news.seconds)} left` : STATES[news.state];
      return [share, rest, news.failed && `${news.failed} could not be drawn`, news.message].filter(Boolean).join(" · ");
    }
    if (!planned?.count) return "";
    if (asks) return `The sheet gets other axes. ${plural(planned.kept, "picture")} of ${planned.kept + planned.lost} stay${planned.kept === 1 ? "s" : ""} on it${planned.lost ? `, ${plural(planned.lost, "picture")} stay${planned.lost === 1 ? "s" : ""} in the library alone` : ""}; ${plural(Math.max(0, planned.count - planned.kept), "picture")} will be drawn.`;
    return [plural(planned.count, "picture"), lasting(planned.seconds), planned.advice].filter(Boolean).join(" · ");
  };
  let shownActs = ""; // of what the buttons below were made
  const draw = () => {
    write(part.plan, words());
    part.dialog.dataset.state = news?.state ?? "plan";
    part.dialog.style.setProperty("--share", String(news ? news.drawn / Math.max(1, news.count) : 0));
    const sound = !!planned?.count && !planned.problem;
    const starts = news
      ? edited && (asks ? button("", "Change the axes", "What fits stays on the sheet", change, "grid-draw") : button("plus", "Draw what is new", "The grid gets these values; what is drawn stays", change, "grid-draw"))
      : button("", "Draw the grid", "", begin, "grid-draw");
    if (starts) starts.disabled = !sound;
    const runs = news?.state === "drawing" && button("square", "Stop", "No cell more is begun; what is drawn stays", act("stop"));
    const goes = news && (news.state === "stopped" || (news.state === "done" && news.failed > 0));
    const now = JSON.stringify([news?.id, news?.state, !!starts && starts.disabled, !!starts, edited, asks, !!goes]);
    if (now !== shownActs) part.acts.replaceChildren(...[ // else they stay, or a press that comes with news would be lost
      starts,
      asks && button("", "Leave it", "The axes as they were", leave),
      runs,
      goes && button("play", "Go on", "Draw what is still missing", act("go-on"), edited ? "act" : "grid-draw"),
      news && button("sliders-horizontal", "What varies", "Show or hide the axes", () => part.fields.classList.toggle("open"), "act grid-more"),
      news && button("plus", "Another grid", "Keep this one, and make another of the form", blank),
    ].filter(Boolean));
    shownActs = now;
    part.tools.hidden = !part.sheet.querySelector(".grid-cell");
  };

  // ---- the grid as it comes on --------------------------------------------------------------------------------------------------

  const showNews = () => {
    if (!news) return;
    part.empty.hidden = true;
    delete part.sheet.dataset.plan;
    sheet.show({ axes: news.axes, width: news.width, height: news.height, cells, order: displayed() });
    if (news.cell && news.running?.previews.length) sheet.frame(news.cell, news.running.previews.at(-1));
    draw();
    drawBar();
  };
  /** @param {News} told */
  const hear = (told) => {
    const first = !news;
    news = told;
    if (first) lack(told.axes);
    if (told.cells) cells = told.cells;
    if (first) {
      rows.put(told.axes, true);
      part.title.textContent = `Grid · ${told.title}`;
      write(part.about, told.words);
    }
    showNews();
  };
  // The titles of axes that the form does not offer as it is now.
  const lack = (axes) => rows.offer([...offered, ...axes.filter(({ name }) => !offered.some((each) => each.name === name)).map(({ name, title }) => ({ name, title, group: "", sort: "", hint: "", fill: "" }))]);
  const follow = async () => {
    reading.abort();
    const mine = (reading = new AbortController());
    let version = -1;
    while (!mine.signal.aborted && part.dialog.open) {
      try {
        const told = await look(`/${grid}?after=${version}${version < 0 ? "&wait=0" : ""}`, mine.signal);
        if (mine.signal.aborted) return;
        version = told.version;
        hear(told);
      } catch (error) {
        if (mine.signal.aborted) return;
        write(part.problem, error.message);
        await new Promise((done) => setTimeout(done, AGAIN));
      }
    }
  };
  const show = async (id) => {
    grid = id;
    news = null;
    edited = asks = false;
    choose([]);
    await tried(async () => ({ axes: offered } = await order("/axes", { grid })));
    follow();
  };

  // ---- cells --------------------------------------------------------------------------------------------------------------------

  const pictureOf = (place) => cells[place]?.picture ?? null;
  const choose = (places) => {
    picked = places;
    sheet.pick(picked);
    drawBar();
  };
  const lay = (shown, steps = false) => {
    part.dialog.close();
    if (page.open.tab in page.forms) emit("surface", shown);
    else lays(shown);
    const film = find('[data-part="steps"][aria-pressed="false"]');
    if (steps && film) film.click();
  };
  const pick = (place, more) => {
    if (pairs && picked.length && place !== picked[0]) {
      const ids = [picked[0], place].map((each) => pictureOf(each)?.id).filter(Boolean);
      pairs = false;
      if (ids.length === 2) emit("compare", { ids });
      return choose([place]);
    }
    if (!more) return choose([place]);
    choose(picked.includes(place) ? picked.filter((each) => each !== place) : [...picked, place].slice(-4));
  };
  const sheet = gridSheet(part.sheet, {
    choose: pick,
    open: (place) => pictureOf(place) && lay(pictureOf(place)),
    look: (at, seen) => grid && news?.state === "drawing" && order(`/${grid}/look`, { at, seen }).catch(() => {}),
  });
  const compare = () => {
    const ids = picked.map((place) => pictureOf(place)?.id).filter(Boolean);
    if (ids.length > 1) return emit("compare", { ids });
    pairs = !pairs;
    drawBar();
  };
  const drawBar = () => {
    const [place] = picked;
    const shown = place ? pictureOf(place) : null;
    const cell = place ? cells[place] : null;
    part.bar.hidden = !place || !news;
    if (part.bar.hidden) return;
    const many = picked.length > 1;
    const says = pairs ? "Choose the cell to compare it with" : many ? plural(picked.length, "cell") : sheet.legend(place);
    const lacks = !shown && cell && !["waiting", "running"].includes(cell.state);
    part.bar.replaceChildren(...[
      make("p", { className: "grid-said", title: says }, make("b", { textContent: says }), cell?.message && !shown ? make("span", { textContent: cell.message }) : ""),
      shown && !many && button("eye", "Open", "Lay it on the surface, with all about it in the inspector", () => lay(shown)),
      shown && button("columns-2", "Compare", "Compare it with another cell; with Ctrl or Shift several are chosen", compare),
      shown && !many && button("sliders-horizontal", "Use settings", "The form gets all that made it", () => (part.dialog.close(), emit("send", { id: shown.id, kind: shown.kind, to: "" }))),
      shown && !many && button("git-branch", "Branch", "Go back through its steps, and branch off from one", () => lay(shown, true)),
      shown && !many && button("grid-3x3", "Explore", "Make a grid around this cell, and go on from there", () => open({ picture: shown.id })),
      lacks && button("rotate-ccw", "Draw it again", "This cell alone", () => tried(() => order(`/${grid}/again`, { place }))),
    ].filter(Boolean));
    const compares = [...part.bar.querySelectorAll("button")].find(({ textContent }) => textContent === "Compare");
    compares?.setAttribute("aria-pressed", String(pairs));
  };

  // ---- tools: how large it is seen, and how it leaves ------------------------------------------------------------------------------

  const slider = make("input", { type: "range", min: sheet.bounds[0], max: sheet.bounds[1], step: 1, "aria-label": "Size of the cells", className: "grid-zoom" });
  slider.addEventListener("input", () => sheet.zoomTo(Number(slider.value)));
  sheet.onZoom(() => (slider.value = String(sheet.size())));
  const zip = () => tried(async () => {
    const ids = Object.values(cells).map(({ picture: own }) => own?.id).filter(Boolean);
    const answer = await fetch("library/zip", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ids, settings: true }) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.message);
    keep(`library/zip/${told.id}`);
  });
  const ways = make("div", { className: "grid-menu", popover: "auto", id: "grid-export" },
    button("image", "One picture", "With legends, as PNG", () => keep(`grids/${grid}/sheet.png`)),
    button("images", "All pictures", "As a ZIP, with their settings in them", zip),
    button("file-plus", "A page", "HTML with all pictures in it, to be sent or shown anywhere", () => keep(`grids/${grid}/page.html`)),
    button("trash-2", "Take this grid away", "Its pictures stay in the library", () => tried(async () => {
      await order(`/${grid}/remove`);
      notify("The grid is gone; its pictures are in the library.");
      blank();
    })));
  ways.addEventListener("click", () => ways.hidePopover());
  const out = button("download", "Export", "As a picture, a ZIP or a page", () => grid && ways.togglePopover());
  part.tools.append(slider, button("maximize", "Fit", "As large as all of it fits", sheet.fit), out, ways);

  // ---- opened ---------------------------------------------------------------------------------------------------------------------

  const shelve = (grids) => {
    part.shelf.hidden = !grids.length;
    part.shelf.lastChild.replaceChildren(...grids.map((each) => {
      const row = make("button", { type: "button", "aria-label": `${each.axes.join(" × ")}. ${each.words}` },
        make("span", { className: "grid-few" }, ...each.pictures.map((id) => make("img", { src: `thumb/${id}`, alt: "", loading: "lazy" }))),
        make("span", { className: "grid-line" }, make("b", { textContent: each.axes.join(" × ") }), make("span", { textContent: [`${each.drawn} of ${each.count}`, each.words].filter(Boolean).join(" · ") })));
      row.addEventListener("click", () => ((kind = each.kind), (picture = ""), (part.ways.hidden = true), show(each.id)));
      return make("li", {}, row);
    }));
  };
  const explore = async () => {
    const told = await order("/ways", { picture });
    kind = told.kind;
    write(part.about, told.words);
    part.ways.replaceChildren(make("img", { src: `thumb/${picture}`, alt: "The picture that is explored" }), ...told.ways.map((way) => {
      const chip = button("", way.title, way.about, () => (rows.put(way.axes), ask()), "grid-way");
      return chip;
    }));
    return told.ways[1]?.axes ?? told.ways[0].axes;
  };
  const open = async (asked) => {
    ({ kind = "", picture = "" } = asked);
    reading.abort();
    grid = "";
    news = null;
    cells = {};
    planned = null;
    pairs = false;
    choose([]);
    part.title.textContent = picture ? "Explore" : "Grid";
    part.ways.hidden = !picture;
    write(part.about, picture ? "" : page.forms[kind]?.prompt);
    rows.clear();
    sheet.show({ axes: [], width: 1, height: 1, cells: {} });
    if (!part.dialog.open) part.dialog.showModal();
    draw();
    await tried(async () => {
      const [{ grids }, { axes }] = await Promise.all([look(""), order("/axes", about())]);
      offered = axes;
      shelve(grids);
      const own = grids.find((each) => each.kind === kind);
      if (!picture && own && own.state !== "done") return show(own.id);
      const starts = STARTS.map(({ name }) => ({ name, typed: offered.find((each) => each.name === name)?.fill ?? "" }));
      rows.put(picture ? await explore() : starts);
      rows.offer(offered);
      await ask();
    });
  };
  part.dialog.addEventListener("close", () => reading.abort());
  part.dialog.addEventListener("keydown", (event) => event.key === "Escape" && pairs && (event.preventDefault(), (pairs = false), drawBar()));
  window.addEventListener("atelier:marked", later(300, () => part.dialog.open && grid && follow()));
  return open;
};

/** @type {((asked: { kind?: string, picture?: string }) => Promise<void>) | null} */
let opens = null;

/** @type {(asked: { kind?: string, picture?: string }) => Promise<void>} */
export const gridRoom = (asked) => {
  opens ??= made();
  return opens(asked);
};
