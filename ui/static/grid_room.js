// The room of grids, over the whole window: what varies on the left, the sheet as it forms beside it, and what is done with a cell below.
import { find, later, make, write } from "./dom.js";
import { look, lasting, order } from "./grid_ask.js";
import { axisRows } from "./grid_axes.js";
import { chosenCells } from "./grid_chosen.js";
import { button, framed, plural } from "./grid_frame.js";
import { gridSheet } from "./grid_sheet.js";
import { gridTools } from "./grid_tools.js";
import * as page from "./page.js";

/** @typedef {import("./messages.d.ts").GridNews} News */
/** @typedef {import("./messages.d.ts").GridPlan} Plan */

const AGAIN = 2000; // milliseconds until the server is asked once more after it did not answer
const STATES = { drawing: "", stopped: "Stopped", done: "All drawn" };
const STARTS = [{ name: "guidance_scale", typed: "" }, { name: "steps", typed: "" }];

const made = () => {
  const part = framed();
  let kind = ""; // of the form that is varied
  let picture = ""; // or the picture
  let grid = ""; // the id of the one that is shown, "" while it is only planned
  /** @type {News | null} */
  let news = null;
  /** @type {Record<string, any>} */
  let cells = {};
  /** @type {Plan | null} */
  let planned = null;
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
    chosen.choose([]);
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
    chosen.choose([]);
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
    chosen.draw();
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
    chosen.choose([]);
    await tried(async () => ({ axes: offered } = await order("/axes", { grid })));
    follow();
  };

  // ---- cells --------------------------------------------------------------------------------------------------------------------

  const chosen = chosenCells(part.bar, {
    cells: () => cells,
    sheet: () => sheet,
    begun: () => !!news,
    close: () => part.dialog.close(),
    explore: (id) => open({ picture: id }),
    again: (place) => tried(() => order(`/${grid}/again`, { place })),
  });
  const sheet = gridSheet(part.sheet, {
    choose: chosen.pick,
    open: chosen.open,
    look: (at, seen) => grid && news?.state === "drawing" && order(`/${grid}/look`, { at, seen }).catch(() => {}),
  });
  gridTools(part.tools, sheet, { grid: () => grid, cells: () => cells, tried, blank });

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
    chosen.unpair();
    chosen.choose([]);
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
  part.dialog.addEventListener("keydown", (event) => event.key === "Escape" && chosen.unpair() && event.preventDefault());
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
