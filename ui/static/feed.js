// The queue as the server tells of it: one long poll for everything that runs, whichever tab or window started it. A page that is not
// looked at asks now and then instead, so that many of them leave connections for the one that is.
import { emit, pause } from "./dom.js";
import * as page from "./page.js";

const RETRY = [500, 1000, 2000, 4000]; // milliseconds between attempts when the server does not answer
const HIDDEN = 3000; // milliseconds between questions of a page that nobody sees
const LOGGED_OUT = 15_000;

let wake = () => {};
// Until the time is over, or somebody looks at the page again.
const rest = (time) => Promise.race([pause(time), new Promise((done) => (wake = () => done(null)))]);
document.addEventListener("visibilitychange", () => document.hidden || wake());

// What is asked for with each question, as the end of its address; what waits for an answer asks anew.
let along = "";
let asking = new AbortController();
export const askAlong = (more) => {
  along = more;
  asking.abort();
};

/** @type {(version: number) => Promise<import("./messages.d.ts").QueueNews | null>} */
const ask = async (version) => {
  const answer = await fetch(`queue?after=${version}${document.hidden ? "&wait=0" : along}`, { signal: (asking = new AbortController()).signal, headers: { Accept: "application/json" } });
  if (answer.status === 401) return null;
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
};

// `act` is told each piece of news and awaited before the next question; `lost` hears of each attempt that failed. The page hears of it
// as the event "queue", in which the list of jobs is always there.
/** @type {(act: (news: import("./messages.d.ts").QueueNews) => Promise<void>, lost: () => void) => Promise<void>} */
export const watchQueue = async (act, lost) => {
  let version = -1;
  for (let failed = 0; ; ) {
    try {
      const news = await ask(version);
      if (!news) {
        await rest(LOGGED_OUT);
        continue;
      }
      failed = 0;
      version = news.version;
      page.told.queue = { ...news, jobs: news.jobs ?? page.told.queue?.jobs ?? [], at: Date.now() };
      await act(news);
      emit("queue", page.told.queue);
      if (document.hidden) await rest(HIDDEN);
    } catch {
      if (asking.signal.aborted) continue;
      lost();
      await rest(RETRY[Math.min(failed++, RETRY.length - 1)]);
    }
  }
};

// An order to the queue: its answer, or the sentence of its refusal as an error.
/** @type {(verb: string, order: Record<string, unknown>) => Promise<import("./messages.d.ts").QueueDone>} */
export const order = async (verb, values) => {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(values) };
  const answer = await fetch(`queue/${verb}`, options).catch(() => null);
  const told = answer ? await answer.json().catch(() => ({})) : {};
  if (!answer?.ok) throw new Error(told.message || "The server did not hear this. Try again.");
  return told;
};
