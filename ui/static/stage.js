// The stage: what of one's own is drawn, from whichever tab or window, its newest frame, then the finished pictures.
// Everything that people wrote enters as text (textContent, alt, title), never as markup.
import { snapshot } from "./desk.js";
import { emit, on, parts, pause } from "./dom.js";
import { openGrid } from "./grids.js";
import { wanted } from "./on_demand.js";
import * as page from "./page.js";
import { completes } from "./pairing.js";
import { showPage } from "./panel.js";
import { asDrawn } from "./stage_drawn.js";
import { ownJobs } from "./stage_jobs.js";
import { largeView } from "./stage_large.js";
import { marks } from "./stage_marks.js";
import { menu } from "./stage_menu.js";
import { progress, reel } from "./stage_progress.js";
import { strip } from "./stage_strip.js";
import { surface } from "./stage_surface.js";
import { tools } from "./stage_tools.js";
import { SPOKEN, TITLES, ahead } from "./stage_words.js";
import { wall } from "./wall.js";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, watch }) => {
  const part = parts(element);
  // The server has told what there is.
  let attached = false;
  // The id of the picture in the frame; null: the running job.
  let selected = null;
  // What is drawn is shown, and what is done after it.
  let follow = true;
  // In a tab with a canvas: the frame lies over it.
  let covered = false;
  // The tab in which a picture of the library lies over the canvas.
  let laid = "";
  // What was last heard of the job.
  let latest = null;
  // Previews that came of this job.
  let frames = 0;

  const { speak, notice, say, invite, show, describe, load } = surface(part, props);

  // ---- what the surface shows ----------------------------------------------------------------------------------------------

  // A canvas is the surface of its tab, until somebody asks for a picture.
  const lay = () => {
    const over = page.open.canvas && !covered;
    element.closest("#room")?.toggleAttribute("data-uncovered", over);
    part("uncover").hidden = !page.open.canvas || !covered;
    part("live").hidden = !jobs.running() || over;
    part("heats").hidden = part("live").hidden || !("prompt" in (page.forms[latest?.kind] ?? {})); // what reads no words looks at none
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
    around.follow();
    if (!picture) return show(jobs.running() && frames ? "preview" : "empty");
    describe(picture);
    await load(picture, () => selected === id);
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

  // The canvas of a tab, where what is drawn belongs onto it.
  const drawnOn = (kind) => (page.canvases[kind]?.over ? null : page.canvases[kind]);
  // Where the running job's pictures form on the canvas of the tab that is open.
  const inPlace = () => {
    const { kind = "", begins_with = "" } = latest ?? {};
    return page.open.tab === kind && !page.open.heat && page.forms[kind]?.image === begins_with ? drawnOn(kind) : null;
  };

  const pictures = strip(part, choose);
  const drawn = asDrawn(part, () => pictures.find(selected), speak);

  // ---- one job -----------------------------------------------------------------------------------------------------------

  const bar = progress(part, notice);
  // Several steps may come with one answer: each is shown for one refresh of the screen, while the next answer is on its way.
  // A clip's previews are strips of frames, which another script plays.
  let clips = null;
  const film = reel(async (frame) => {
    if (!(latest?.frames > 0)) return still(frame);
    const { job } = latest;
    const script = clips ? null : await wanted("clip_forming").catch(() => null);
    clips ??= script?.forming(part("frame"), still) ?? null; // after the wait: two previews may wait for the script
    if (element.dataset.state === "running" && latest?.job === job) clips?.show(frame, latest);
  });
  const still = (frame) => {
    part("preview").src = frame;
    pictures.frame(frame);
    if (follow) inPlace()?.forming(frame);
  };

  const showFrame = (job) => {
    if (job.state === "waiting") say("Your picture is in the queue", job.message || (job.ahead ? `${ahead(job.ahead)}.` : ""));
    else if (!frames) say("Your picture is on its way");
    pictures.forming(job);
    if (!job.previews.length || job.state !== "running") return;
    frames += job.previews.length;
    film.add(job.previews);
    if (selected === null) show("preview");
  };

  const showJob = (job) => {
    element.dataset.state = job.state;
    latest = job;
    if (job.frames > 0 && !clips) wanted("clip_forming").catch(() => null); // on its way before the first preview is
    bar.show(job, jobs.waiting() - 1);
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
    bar.forget();
    gather(job);
    part("status").textContent = job.state === "stopped" ? "Stopped. Finished pictures are kept." : "";
    part("pill").hidden = job.state !== "stopped";
    part("live").hidden = part("heats").hidden = true;
    const last = job.pictures.at(-1);
    // Why there is no picture is said where it would be.
    if (follow && !last && TITLES[job.state]) selected = null;
    if (last || selected) notice(job.message);
    else if (job.unsaved || TITLES[job.state]) say(job.unsaved ? "Drawn, and not saved yet" : TITLES[job.state], job.message);
    else invite();
    if (page.open.canvas && !covered && job.message) notice(job.message);
    speak(SPOKEN[job.state] || job.message);
    // Also of a job that was over before anything of it was seen.
    if (last && follow) select(last.id);
    else if (selected === null) select(null);
    else lay();
  };

  // Nothing is drawn any more, as far as the page can see.
  const idle = () => {
    bar.end();
    pictures.forming(null);
    if (latest?.kind) page.canvases[latest.kind]?.forming(null);
    film.clear();
    clips?.clear();
  };

  const lost = () => {
    part("pill").hidden = false;
    part("status").textContent = "Connection lost, trying again…";
    element.dataset.state = "lost";
  };

  // ---- the queue -----------------------------------------------------------------------------------------------------------

  const begin = (job) => {
    latest = job;
    frames = 0;
    film.clear();
    clips?.clear();
    notice("");
    if (follow) select(null);
    if (follow && page.open.tab === job.kind) covered = !drawnOn(job.kind);
    lay();
  };
  const rest = () => {
    invite();
    idle();
    part("pill").hidden = true;
    part("status").textContent = "";
    element.dataset.state = "idle";
    if (selected === null) select(pictures.newest()?.id ?? null);
  };

  const jobs = ownJobs({ begin, show: (job) => (showJob(job), lay()), close: closeJob, gather, rest, lost, speak });

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
  const around = tools(part, { element, id: () => selected, picture: () => pictures.find(selected), notice, speak, watch: () => (follow = true), relay: () => follow && jobs.running() && watchLive() });
  marks(part, { shown: () => selected, strip: pictures, gone });
  on("send", ({ id, kind, to, frame = null }) => (snapshot(to || kind), trigger("send", { id, to, frame, units: page.forms[to]?.controls })));

  // ---- joined ------------------------------------------------------------------------------------------------------------

  const ON = {
    enlarge,
    stop: () => bar.press(jobs.running(), "stop", latest),
    skip: () => bar.press(jobs.running(), "skip", latest),
    live: toggleFollow,
    watch: watchLive,
    status: () => showPage("queue"),
    raw: drawn.toggle,
    uncover: () => ((covered = false), lay()),
    ...send,
    finish: () => showPage("finish"),
    explore: () => openGrid({ picture: selected }),
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
      if (page.open.canvas) covered = !drawnOn(page.open.tab);
      if (jobs.running()) lay();
      return jobs.enqueue(props.value);
    }
    if (!props.value) return;
    const again = attached;
    attached = true;
    pictures.add(props.value.recent.toReversed());
    if (again) return;
    if (props.value.news) notice(props.value.news);
    wall(part("wall"), props.value.examples, (example) => (trigger("example", example), speak("The form has the settings of this example.")));
    if (!jobs.running() && !pictures.newest()) invite();
    if (!jobs.running() && selected === null && pictures.newest()) select(pictures.newest().id);
  });
  on("surface", (picture) => {
    pictures.invite(picture);
    laid = page.open.tab;
    follow = false;
    covered = true;
    select(picture.id);
  });
  on("tab", () => {
    // A tab that is filled tells of itself once more.
    if (page.open.tab !== laid) covered = false;
    if (!covered) laid = "";
    if (!jobs.running() && selected === null) invite();
    if (pictures.find(selected)) describe(pictures.find(selected));
    if (!page.open.canvas && jobs.running() && follow) select(null);
    else lay();
  });
  // What another window has drawn: the header hears of it, and the stage asks for it. Windows of one browser hear at once.
  const windows = new BroadcastChannel("atelier");
  windows.addEventListener("message", () => document.hidden || emit("look"));
  on("engine", ({ newest }) => {
    if (newest && attached && !pictures.knows(newest) && !jobs.running()) trigger("attach");
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
  jobs.hear();
};
