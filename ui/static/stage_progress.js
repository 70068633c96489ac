// How far the shown job is: the pill over the surface, the bar, the ring, the title of the window; and its previews, one after another.
import { address } from "./stage_live.js";
import { sentence, skipping, skips } from "./stage_words.js";

// Previews; on a page that is not looked at they are not shown, and only the last ones are kept.
const LONGEST = 16;

export const progress = (part, notice) => {
  let asked = null; // "stop" or "skip" after a press, until the server shows it

  const later = (more) => (more > 0 ? ` · ${more} more of yours in the queue` : "");

  // `more`: of one's own jobs that come after it.
  const show = (job, more) => {
    if (asked === "skip" && job.step <= 1) asked = null;
    const share = job.steps ? Math.min(1, job.step / job.steps) : 0;
    part("pill").hidden = part("progress").hidden = false;
    part("progress").setAttribute("aria-valuenow", String(Math.round(100 * share)));
    document.title = share ? `${Math.round(100 * share)} % · Atelier` : "Atelier";
    part("bar").style.transform = `scaleX(${share})`;
    part("ring").style.setProperty("--share", String(share));
    part("status").textContent = sentence(job, asked) + later(more);
    part("progress").setAttribute("aria-valuetext", part("status").textContent);
    part("stop").hidden = false;
    part("skip").hidden = job.pictures_total < 2 || job.state !== "running";
    part("skip").title = skips(job);
  };
  const end = () => {
    document.title = "Atelier";
    part("progress").hidden = part("stop").hidden = part("skip").hidden = true;
  };

  // `job`: what was last heard of the one with this id.
  const press = async (id, verb, job) => {
    if (!id || asked) return;
    asked = verb;
    part("status").textContent = verb === "stop" ? "Stopping…" : skipping(job);
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
    const answer = await fetch(`${address("jobs", id)}/${verb}`, options).catch(() => null);
    if (answer?.ok) return;
    asked = null;
    const told = answer ? await answer.json().catch(() => ({})) : {};
    notice(told.message || "The server did not hear this. Try again.");
  };
  return { show, end, press, forget: () => (asked = null) };
};

// Previews in turn, each for one refresh of the screen.
export const reel = (show) => {
  // Those still to be shown, oldest first.
  let frames = [];
  let playing = false;

  const play = async () => {
    if (playing) return;
    playing = true;
    while (frames.length) {
      show(frames.shift());
      await new Promise(requestAnimationFrame);
    }
    playing = false;
  };
  return { add: (more) => ((frames = [...frames, ...more].slice(-LONGEST)), play()), clear: () => (frames = []) };
};
