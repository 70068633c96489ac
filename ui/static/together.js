// A shared board as the server tells of it: who is there, what is drawn, that pictures have come. One long poll, for the board that is open
// or, where none is, for the one that is drawn onto. The page hears of it as the event "together".
import { emit, later, on, pause } from "./dom.js";
import * as folds from "./folds.js";
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
      const fresh = news.you !== page.told.together?.you;
      if (news.version !== version) tell(news);
      version = news.version;
      if (fresh) say(); // the server knows nothing of a seat that is new
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

// ---- what one looks at, and whom one follows ----------------------------------------------------------------------------------

const SOON = 120; // milliseconds
const mine = { picture: "", follows: 0, opens: "" }; // what is open here; a seat, or 0; what is opened as the other has it open

const say = later(SOON, () => {
  if (!page.told.together) return;
  const body = JSON.stringify({ picture: mine.picture, follows: mine.follows, lets: lets() });
  fetch(address("together", page.told.together.board), { method: "POST", headers: { "Content-Type": "application/json" }, body }).catch(() => {});
});
/** Whether others may follow one. */
export const lets = () => folds.was("together-lets", true);
/** @type {(now: boolean) => void} */
export const allow = (now) => (folds.keep("together-lets", now), say());
/** The seat of whom one follows, or 0. */
export const followed = () => mine.follows;
/** Follows somebody from now on, until one opens another picture oneself; 0: nobody. @type {(seat: number) => void} */
export const followSeat = (seat) => {
  mine.follows = seat;
  mine.opens = "";
  say();
  lead();
};
// What the other has open is opened here.
const lead = () => {
  const other = page.told.together?.here.find(({ seat }) => seat === mine.follows);
  if (mine.follows && !other?.lets) mine.follows = 0;
  emit("followed");
  if (!mine.follows || !other.picture || other.picture === mine.opens) return;
  mine.opens = other.picture;
  emit("lead", { id: other.picture });
};
on("together", lead);
on("picture", ({ id, chosen }) => {
  mine.picture = id;
  if (mine.follows && chosen && id !== mine.opens) followSeat(0);
  else say();
});

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
