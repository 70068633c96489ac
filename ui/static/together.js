// A shared board as the server tells of it: who is there, what is drawn, that pictures have come. One long poll, for the board that is open
// or, where none is, for the one that is drawn onto. The page hears of it as the event "together".
import { emit, on, pause } from "./dom.js";
import * as page from "./page.js";
import { address } from "./stage_live.js";

const RETRY = [500, 1000, 2000, 4000]; // milliseconds between attempts when the server does not answer
const HIDDEN = 3000; // milliseconds between questions of a page that nobody sees
const ME = crypto.randomUUID?.() ?? String(Math.random()); // what this page calls itself

/** @type {{ board: string, shown: string, stop: AbortController, wake: () => void }} */
const now = { board: "", shown: "", stop: new AbortController(), wake: () => {} };
document.addEventListener("visibilitychange", () => document.hidden || now.wake());

/** @type {(news: import("./messages.d.ts").TogetherNews | null) => void} */
const tell = (news) => ((page.told.together = news), emit("together", news));
const rest = (time) => Promise.race([pause(time), new Promise((done) => (now.wake = () => done(null)))]);
const follow = async (board, { signal }) => {
  let version = -1;
  for (let failed = 0; !signal.aborted; ) {
    try {
      const answer = await fetch(`${address("together", board)}?${new URLSearchParams({ page: ME, after: String(version), wait: document.hidden ? "0" : "1" })}`, { headers: { Accept: "application/json" }, signal });
      if ([204, 401, 403].includes(answer.status)) return signal.aborted || closed();
      if (!answer.ok) throw new Error(String(answer.status));
      /** @type {import("./messages.d.ts").TogetherNews} */
      const news = await answer.json();
      if (signal.aborted) return;
      failed = 0;
      if (news.version !== version) tell(news);
      version = news.version;
      if (document.hidden) await rest(HIDDEN);
    } catch {
      await rest(RETRY[Math.min(failed++, RETRY.length - 1)]);
    }
  }
};
// It is shared no more: the list of boards says what is left.
const closed = () => {
  now.board = now.shown = "";
  tell(null);
  emit("marked", { ids: [], boards: true });
};

const settle = () => {
  const { desk } = page.told;
  const board = (page.open.tab === "gallery" && now.shown) || (desk?.shared ? desk.id : "");
  if (board === now.board) return;
  now.stop.abort();
  now.board = board;
  now.stop = new AbortController();
  tell(null);
  if (board) follow(board, now.stop);
};
on("desk", settle);
on("tab", settle);

/** The library shows this shared board; "": none. @type {(board: string) => void} */
export const watchBoard = (board) => ((now.shown = board), settle());
