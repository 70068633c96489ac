// The stage: what of one's own is drawn, from whichever tab or window, its newest frame, then the finished pictures.
// Everything that people wrote enters as text (textContent, alt, title), never as markup.
import { snapshot } from "./desk.js";
import { emit, find, on, parts, pause, write } from "./dom.js";
import { dropdown } from "./dropdown.js";
import { watchQueue } from "./feed.js";
import { wanted } from "./on_demand.js";
import * as page from "./page.js";
import { begins, completes } from "./pairing.js";
import { showPage } from "./panel.js";
import { keep, ways } from "./save_as.js";
import { asDrawn } from "./stage_drawn.js";
import { largeView } from "./stage_large.js";
import { address, listen } from "./stage_live.js";
import { marks } from "./stage_marks.js";
import { menu } from "./stage_menu.js";
import { strip } from "./stage_strip.js";
import { SPOKEN, TITLES, ahead, facts, invitation, named, sentence, skipping, skips } from "./stage_words.js";
import { wall } from "./wall.js";

const ENDED = ["done", "stopped", "failed", "interrupted"];
const LONGEST_REEL = 16; // previews; on a page that is not looked at they are not shown, and only the last ones are kept

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, watch }) => {
  const part = parts(element);
  const mine = new Set(); // ids of one's own jobs that have not ended, of all tabs and windows
  const over = new Set(); // ids of those that have
  /** @type {import("./messages.d.ts").QueuedJob[]} */
  let waiting = []; // one's own that wait or run, in the order of drawing
  let running = null; // the id of the job that is shown: the one that runs, else the first that waits
  let attached = false; // the server has told what there is
  let selected = null; // the id of the picture in the frame; null: the running job
  let follow = true; // what is drawn is shown, and what is done after it
  let covered = false; // in a tab with a canvas: the frame lies over it
  let laid = ""; // the tab in which a picture of the library lies over the canvas
  let latest = null; // what was last heard of the job
  let asked = null; // "stop" or "skip" after a press, until the server shows it
  let frames = 0; // previews that came of this job
  let reel = []; // those still to be shown, oldest first
  let playing = false;

  const speak = (words) => (part("spoken").textContent = words);
  const notice = (words) => write(part("notice"), words);

  const say = (title, advice = "") => {
    part("title").textContent = title;
    part("advice").textContent = advice;
    part("wall").hidden = true;
  };
  const invite = () => {
    say("Your picture appears here", invitation(page.open.tab));
    part("wall").hidden = page.open.tab !== "txt2img" || !part("wall").children.length;
  };

  // ---- what the surface shows ----------------------------------------------------------------------------------------------

  const show = (what) => {
    part("frame").dataset.showing = what;
    part("enlarge").hidden = what !== "picture";
    part("preview").hidden = what !== "preview";
    part("empty").hidden = what !== "empty";
  };

  // A canvas is the surface of its tab, until somebody asks for a picture.
  const lay = () => {
    const over = page.open.canvas && !covered;
    element.closest("#room")?.toggleAttribute("data-uncovered", over);
    part("uncover").hidden = !page.open.canvas || !covered;
    part("live").hidden = !running || over;
    part("live").setAttribute("aria-pressed", String(follow));
    part("follows").textContent = follow ? "Following" : "Follow what is drawn";
    part("live").title = follow ? "What is drawn is shown; choose a picture to stay with it" : "Show the picture that is being drawn";
    part("caption").hidden = over || !pictures.find(selected);
    pictures.mark(over ? null : selected);
  };

  const select = async (id) => {
    selected = id;
    const picture = pictures.find(id);
    lay();
    if (picture) emit("picture", { id });
    drawn.begin(picture);
    steps?.follow();
    if (!picture) return show(running && frames ? "preview" : "empty");
    describe(picture);
    const image = part("picture");
    const source = `${address("picture", id)}.png`;
    const ready = Object.assign(new Image(), { src: source });
    await ready.decode().catch(() => {}); // shown when it is complete, so that nothing blinks
    if (selected !== id) return;
    image.src = source;
    image.alt = named(picture);
    show("picture");
  };

  const describe = (picture) => {
    part("prompt").textContent = picture.prompt || "(no prompt)";
    part("prompt").title = picture.prompt;
    part("facts").textContent = facts(picture);
    part("seed").hidden = !picture.seed || !props.seeded.includes(page.open.tab);
  };

  // Somebody has chosen: the view stays with this picture, whatever is drawn.
  const choose = (id) => {
    if (completes(id)) return;
    if (selected === id && !(page.open.canvas && !covered)) return enlarge();
    follow = false;
    covered = true;
    select(id);
  };
  const watchLive = () => {
    follow = true;
    covered = !inPlace();
    select(null);
  };
  const toggleFollow = () => {
    if (!follow) return watchLive();
    follow = false;
    select(pictures.newest()?.id ?? null);
  };

  // Where the running job's pictures form on the canvas of the tab that is open.
  const inPlace = () => {
    const { kind = "", begins_with = "" } = latest ?? {};
    return page.open.tab === kind && page.forms[kind]?.image === begins_with ? page.canvases[kind] : null;
  };

  const pictures = strip(part, choose);
  /** @type {{ toggle: () => void, follow: () => void } | null} */
  let steps = null; // the film under the surface, once somebody has asked for it
  const drawn = asDrawn(part, () => pictures.find(selected), speak);

  // ---- one job -----------------------------------------------------------------------------------------------------------

  const later = () => (waiting.length > 1 ? ` · ${waiting.length - 1} more of yours in the queue` : "");

  const showProgress = (job) => {
    const share = job.steps ? Math.min(1, job.step / job.steps) : 0;
    part("pill").hidden = part("progress").hidden = false;
    part("progress").setAttribute("aria-valuenow", String(Math.round(100 * share)));
    document.title = share ? `${Math.round(100 * share)} % · Atelier` : "Atelier";
    part("bar").style.transform = `scaleX(${share})`;
    part("ring").style.setProperty("--share", String(share));
    part("status").textContent = sentence(job, asked) + later();
    part("progress").setAttribute("aria-valuetext", part("status").textContent);
    part("stop").hidden = false;
    part("skip").hidden = job.pictures_total < 2 || job.state !== "running";
    part("skip").title = skips(job);
    latest = job;
  };

  const showFrame = (job) => {
    if (job.state === "waiting") say("Your picture is in the queue", job.message || (job.ahead ? `${ahead(job.ahead)}.` : ""));
    else if (!frames) say("Your picture is on its way");
    pictures.forming(job);
    if (!job.previews.length || job.state !== "running") return;
    frames += job.previews.length;
    reel = [...reel, ...job.previews].slice(-LONGEST_REEL);
    play();
    if (selected === null) show("preview");
  };

  // Several steps may come with one answer: each is shown for one refresh of the screen, while the next answer is on its way.
  const play = async () => {
    if (playing) return;
    playing = true;
    while (reel.length) {
      const frame = reel.shift();
      part("preview").src = frame;
      pictures.frame(frame);
      if (follow) inPlace()?.forming(frame);
      await new Promise(requestAnimationFrame);
    }
    playing = false;
  };

  const showJob = (job) => {
    if (asked === "skip" && job.step <= 1) asked = null;
    element.dataset.state = job.state;
    showProgress(job);
    showFrame(job);
    pictures.add(job.pictures);
  };

  const gather = ({ pictures: fresh }) => {
    pictures.add(fresh);
    if (!fresh.length) return;
    windows.postMessage("drawn");
    emit("drawn", { kind: fresh[0].kind, pictures: fresh });
  };

  const closeJob = (job) => {
    element.dataset.state = job.state;
    idle();
    asked = null;
    gather(job);
    part("status").textContent = job.state === "stopped" ? "Stopped. Finished pictures are kept." : "";
    part("pill").hidden = job.state !== "stopped";
    part("live").hidden = true;
    const last = job.pictures.at(-1);
    if (follow && !last && TITLES[job.state]) selected = null; // why there is no picture is said where it would be
    if (last || selected) notice(job.message);
    else if (job.unsaved || TITLES[job.state]) say(job.unsaved ? "Drawn, and not saved yet" : TITLES[job.state], job.message);
    else invite();
    if (page.open.canvas && !covered && job.message) notice(job.message);
    speak(SPOKEN[job.state] || job.message);
    if (last && follow) select(last.id); // also of a job that was over before anything of it was seen
    else if (selected === null) select(null);
    else lay();
  };

  // Nothing is drawn any more, as far as the page can see.
  const idle = () => {
    document.title = "Atelier";
    part("progress").hidden = part("stop").hidden = part("skip").hidden = true;
    pictures.forming(null);
    if (latest?.kind) page.canvases[latest.kind]?.forming(null);
    reel = [];
  };

  const lost = () => {
    part("pill").hidden = false;
    part("status").textContent = "Connection lost, trying again…";
    element.dataset.state = "lost";
  };

  // ---- the queue -----------------------------------------------------------------------------------------------------------

  // A job as it stands, also one that has ended; null when it is none of one's own any more.
  /** @type {(id: string) => Promise<import("./messages.d.ts").JobNews | null>} */
  const standing = (id) => listen(id, -1, () => true, lost);
  const isOver = (job) => !job || ENDED.includes(job.state);

  const begin = (job) => {
    running = job.job;
    latest = job;
    frames = 0;
    reel = [];
    notice("");
    if (follow) select(null);
    if (follow && page.open.tab === job.kind) covered = !page.canvases[job.kind];
    lay();
  };
  const finish = async (id) => {
    mine.delete(id);
    over.add(id);
    const job = await standing(id);
    const seen = !running || running === id;
    if (running === id) running = null;
    if (!seen) return job && gather(job);
    if (job) closeJob(job);
    else rest();
  };

  const hear = async (news) => {
    if (news.jobs) {
      waiting = news.jobs.filter((job) => job.mine && job.state !== "held");
      const there = new Set(news.jobs.map((job) => job.job));
      for (const id of [...mine]) if (!there.has(id)) await finish(id);
      for (const job of news.jobs) if (job.mine) mine.add(job.job);
    }
    const next = waiting.find((job) => job.state === "waiting");
    const job = news.running ?? (next ? await standing(next.job) : null);
    if (!job && running) ((running = null), rest());
    if (isOver(job)) return; // the next news says so
    if (running !== job.job) begin(job);
    showJob(job);
    lay();
  };

  // This page has sent it off; it may have ended before the page hears of it.
  const enqueue = async (id) => {
    if (over.has(id) || mine.has(id)) return;
    mine.add(id);
    speak("The job is in the queue.");
    if (isOver(await standing(id)) && mine.has(id)) finish(id);
  };

  const rest = () => {
    invite();
    idle();
    part("pill").hidden = true;
    part("status").textContent = "";
    element.dataset.state = "idle";
    if (selected === null) select(pictures.newest()?.id ?? null);
  };

  const press = async (verb) => {
    if (!running || asked) return;
    asked = verb;
    part("status").textContent = verb === "stop" ? "Stopping…" : skipping(latest);
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
    const answer = await fetch(`${address("jobs", running)}/${verb}`, options).catch(() => null);
    if (answer?.ok) return;
    asked = null;
    const told = answer ? await answer.json().catch(() => ({})) : {};
    notice(told.message || "The server did not hear this. Try again.");
  };

  const large = largeView(part, (by) => {
    const next = pictures.beside(selected, by);
    if (next) (follow = false), select(next.id);
    return next;
  });
  const enlarge = () => pictures.find(selected) && large.show(pictures.find(selected));

  const send = menu(part, {
    picture: () => pictures.find(selected),
    tell: (to) => trigger("send", { id: selected, to, units: page.forms[to]?.controls }),
    speak,
    sent: () => ((covered = false), setTimeout(lay, 500)),
  });

  // What was thrown away leaves the surface to the picture beside it.
  const gone = (ids) => {
    const left = ids.includes(selected) ? (pictures.beside(selected, 1) ?? pictures.beside(selected, -1)) : null;
    const empties = ids.includes(selected);
    pictures.remove(ids);
    if (!empties) return;
    const next = left && pictures.find(left.id) ? left : pictures.newest();
    if (!next) (part("large").close(), invite());
    select(next?.id ?? null);
    if (next && part("large").open) large.show(next);
  };
  const save = (format, settings) =>
    keep(`${address("picture", selected)}.png?${new URLSearchParams({ download: "1", ...(format && { as: format }), ...(settings ? {} : { settings: "0" }) })}`);
  const showWays = dropdown(part("download"), part("ways"), () => part("ways").replaceChildren(...ways(() => showWays(false), save)));
  part("steps").addEventListener("click", async () => {
    const later = await wanted("film").catch(() => notice("The server did not answer. Try again."));
    steps ??= later?.film({ room: find(".under", element), frame: part("frame"), trigger: part("steps"), picture: () => pictures.find(selected), watch: () => (follow = true), speak }) ?? null;
    steps?.toggle();
  });
  begins(part("compare"), part("compares"), part("compares").textContent, () => selected, speak);
  marks(part, { shown: () => selected, strip: pictures, gone });
  on("send", ({ id, kind, to }) => (snapshot(to || kind), trigger("send", { id, to, units: page.forms[to]?.controls })));

  // ---- joined ------------------------------------------------------------------------------------------------------------

  const ON = {
    enlarge,
    stop: () => press("stop"),
    skip: () => press("skip"),
    live: toggleFollow,
    watch: watchLive,
    status: () => showPage("queue"),
    raw: drawn.toggle,
    uncover: () => ((covered = false), lay()),
    ...send,
    finish: () => showPage("finish"),
    seed: () => (trigger("use_seed", { id: selected, to: page.open.tab }), speak("The form has the seed of this picture.")),
    back: () => large.turn(-1),
    on: () => large.turn(1),
    close: () => part("large").close(),
  };
  for (const [name, act] of Object.entries(ON)) part(name).addEventListener("click", act);

  // Python sends the id of a new job, or, when the page opens, what this person has: pictures, and a job that still runs.
  watch("value", () => {
    if (typeof props.value === "string") {
      follow = true;
      if (page.open.canvas) covered = !page.canvases[page.open.tab];
      if (running) lay();
      return enqueue(props.value);
    }
    if (!props.value) return;
    const again = attached;
    attached = true;
    pictures.add(props.value.recent.toReversed());
    if (again) return;
    if (props.value.news) notice(props.value.news);
    wall(part("wall"), props.value.examples, (example) => (trigger("example", example), speak("The form has the settings of this example.")));
    if (!running && !pictures.newest()) invite();
    if (!running && selected === null && pictures.newest()) select(pictures.newest().id);
  });
  on("surface", (picture) => {
    pictures.invite(picture);
    laid = page.open.tab;
    follow = false;
    covered = true;
    select(picture.id);
  });
  on("tab", () => {
    if (page.open.tab !== laid) covered = false; // a tab that is filled tells of itself once more
    if (!covered) laid = "";
    if (!running && selected === null) invite();
    if (pictures.find(selected)) describe(pictures.find(selected));
    if (!page.open.canvas && running && follow) select(null);
    else lay();
  });
  // What another window has drawn: the header hears of it, and the stage asks for it. Windows of one browser hear at once.
  const windows = new BroadcastChannel("atelier");
  windows.addEventListener("message", () => document.hidden || emit("look"));
  on("engine", ({ newest }) => {
    if (newest && attached && !pictures.knows(newest) && !running) trigger("attach");
  });
  // What waited for room on the disk has been saved meanwhile.
  let troubled = false;
  on("engine", ({ state }) => {
    if (troubled && state === "ready") trigger("attach");
    troubled = state === "troubled" || (troubled && state === "lost");
  });
  invite();
  lay();
  pause(0).then(() => trigger("attach"));
  watchQueue(hear, lost);
};
