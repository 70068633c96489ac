// Which of one's own jobs is shown, from whichever tab or window: the one that runs, else the first that waits.
import { watchQueue } from "./feed.js";
import { listen } from "./stage_live.js";

const ENDED = ["done", "stopped", "failed", "interrupted"];
const isOver = (job) => !job || ENDED.includes(job.state);

// `stage` hears of the job that is shown (`begin`, `show`, `close`), of pictures of another one (`gather`), that nothing is drawn any more
// (`rest`), and that the server does not answer (`lost`).
export const ownJobs = (stage) => {
  // Ids of those that have not ended, of all tabs and windows.
  const mine = new Set();
  // Ids of those that have.
  const over = new Set();
  // Those that wait or run, in the order of drawing.
  /** @type {import("./messages.d.ts").QueuedJob[]} */
  let waiting = [];
  // The id of the one that is shown.
  let running = null;

  // A job as it stands, also one that has ended; null when it is none of one's own any more.
  /** @type {(id: string) => Promise<import("./messages.d.ts").JobNews | null>} */
  const standing = (id) => listen(id, -1, () => true, stage.lost);

  const finish = async (id) => {
    mine.delete(id);
    over.add(id);
    const job = await standing(id);
    const seen = !running || running === id;
    if (running === id) running = null;
    if (!seen) return job && stage.gather(job);
    if (job) stage.close(job);
    else stage.rest();
  };

  const hear = async (news) => {
    if (news.jobs) {
      waiting = news.jobs.filter((job) => job.mine && job.state !== "held");
      const there = new Set(news.jobs.map((job) => job.job));
      for (const id of [...mine]) if (!there.has(id)) await finish(id);
      for (const job of news.jobs) if (job.mine) (mine.add(job.job), over.delete(job.job)); // one that was taken out may be back
    }
    const next = waiting.find((job) => job.state === "waiting");
    // News may be put together just while a job ends: it was still running, and is in the list no more.
    const runs = news.running && !over.has(news.running.job) ? news.running : null;
    const job = runs ?? (next ? await standing(next.job) : null);
    if (!job && running) ((running = null), stage.rest());
    // The next news says so.
    if (isOver(job)) return;
    if (running !== job.job) ((running = job.job), stage.begin(job));
    stage.show(job);
  };

  // This page has sent it off; it may have ended before the page hears of it.
  const enqueue = async (id) => {
    if (over.has(id) || mine.has(id)) return;
    mine.add(id);
    stage.speak("The job is in the queue.");
    if (isOver(await standing(id)) && mine.has(id)) finish(id);
  };
  return { enqueue, hear: () => watchQueue(hear, stage.lost), running: () => running, waiting: () => waiting.length };
};
