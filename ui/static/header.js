// The state of the engine, told to the whole page as the event "atelier:engine"; light and dark.
import { emit, find, findAll, on, parts } from "./dom.js";
import { showHelp } from "./help.js";
import { toggleLook } from "./look.js";
import * as page from "./page.js";
import { togglePanel } from "./panel.js";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element }) => {
  const part = parts(element);
  const sign = part("engine");
  part("look").addEventListener("click", () => toggleLook());
  part("help").addEventListener("click", showHelp);
  part("reading").addEventListener("click", () => emit("reading"));
  part("panel").addEventListener("click", togglePanel);

  part("skip").addEventListener("click", (event) => {
    event.preventDefault();
    const stops = findAll(`#tab-${page.open.tab} :is(textarea, input, select, button, summary, [tabindex='0'])`);
    stops.find((each) => !each.disabled && each.getClientRects().length)?.focus();
  });
  for (const name of ["you", "people"]) part(name).addEventListener("click", () => emit("people"));

  // Onto which board one draws is seen from everywhere, as others see it too.
  const sayDesk = () => {
    const desk = page.told.desk;
    part("board").hidden = !desk;
    if (!desk) return;
    part("board-name").textContent = desk.name;
    part("board").title = `What you draw comes onto “${desk.name}”${desk.shared ? ", where others see it" : ""}`;
    part("board").setAttribute("aria-label", part("board").title);
  };
  part("board").addEventListener("click", () => {
    page.open.board = page.told.desk.id; // the library is made when it is first opened
    find("#tab-gallery-button")?.click();
    emit("board", { id: page.told.desk.id });
  });
  on("desk", sayDesk);
  on("together", (news) => (part("board-here").textContent = news && news.board === page.told.desk?.id && news.here.length > 1 ? String(news.here.length) : ""));

  // What one may not do is not offered; the server refuses it all the same.
  let looks = false;
  const settle = ({ name, role, may, held }) => {
    const draws = may.includes("draw") || held;
    document.documentElement.dataset.mayDraw = draws ? "yes" : "no";
    document.documentElement.dataset.guest = role === "owner" ? "no" : "yes";
    part("name").textContent = name;
    part("you").title = `${name}: who you are here`;
    part("looks").hidden = draws;
    part("you").hidden = role === "owner";
    part("people").hidden = role !== "owner";
    looks = !draws && (looks || page.open.tab === "gallery");
    if (!draws && !looks) find("#tab-gallery-button")?.click(); // again at the next look, should the page not have listened yet
  };

  const PAUSE = { starting: 1500, lost: 2000, ready: 6000, troubled: 3000, failed: 15000 }; // milliseconds until the next look
  const SIGNS = { ready: "", lost: "Connection lost, trying again…" };

  const look = async () => {
    try {
      const answer = await fetch(`current?${new URLSearchParams({ picture: page.open.picture })}`, { headers: { Accept: "application/json" } });
      if (answer.status === 401) return { state: "failed", message: "Your way into this studio was closed. Ask who let you in, or reload the page." };
      if (!answer.ok) throw new Error(String(answer.status));
      /** @type {import("./messages.d.ts").StudioState} */
      const news = await answer.json();
      return { ...news.engine, job: news.job, newest: news.newest, library: news.library, you: news.you, comments: news.comments, desk: news.desk };
    } catch {
      return { state: "lost", message: SIGNS.lost };
    }
  };

  /** @type {(engine: import("./page_types.d.ts").Engine) => void} */
  const tell = (engine) => {
    const words = engine.state === "ready" ? engine.you?.note || SIGNS.ready : engine.message;
    if (sign.textContent !== words) sign.textContent = words;
    sign.dataset.state = engine.state;
    if ("library" in engine && page.told.engine && page.told.engine.library !== engine.library) emit("library");
    if (engine.you) settle(engine.you);
    if (engine.desk !== undefined && JSON.stringify(engine.desk) !== JSON.stringify(page.told.desk)) {
      page.told.desk = engine.desk;
      emit("desk");
    }
    page.told.engine = engine;
    emit("engine", engine);
  };

  const watchEngine = async () => {
    while (element.isConnected) {
      tell(await look());
      await /** @type {Promise<void>} */ (new Promise((done) => {
        const timer = setTimeout(done, PAUSE[page.told.engine.state] ?? 5000);
        on("look", () => (clearTimeout(timer), done()), { once: true });
      }));
    }
  };
  watchEngine();
};
