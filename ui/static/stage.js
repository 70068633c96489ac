// The stage: follows one job at a time over long polls, shows the newest frame, then the finished pictures.
// Everything that people wrote enters as text (textContent, alt, title), never as markup.
import { snapshot } from "./desk.js";
import { emit, make, on, parts, wheelSideways, write } from "./dom.js";
import * as page from "./page.js";
import { largeView } from "./stage_large.js";
import { address, listen } from "./stage_live.js";
import { SPOKEN, TITLES, ahead, facts, invitation, named, sentence, skipping, skips } from "./stage_words.js";

const ENDED = ["done", "stopped", "failed", "interrupted"];
const KEEP = 300; // pictures in the strip
const LONGEST_REEL = 16; // previews; on a page that is not looked at they are not shown, and only the last ones are kept

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, watch }) => {
  const part = parts(element);
  const queued = []; // ids of own jobs that come after the one that is followed
  let following = null; // the id that is followed
  let pictures = []; // own pictures, newest first, at most KEEP
  let attached = false; // the server has told what there is
  const known = new Set(); // the ids of all pictures that were ever in the strip
  let selected = null; // the id of the picture in the frame; null: the running job
  let latest = null; // what was last heard of it
  let asked = null; // "stop" or "skip" after a press, until the server shows it
  let frames = 0; // previews that came of this job
  let reel = []; // those still to be shown, oldest first
  let playing = false;

  const speak = (words) => (part("spoken").textContent = words);
  const notice = (words) => write(part("notice"), words);

  const EMPTY = ["Your picture appears here", invitation(props.kind)];
  const say = (title, advice = "") => {
    part("title").textContent = title;
    part("advice").textContent = advice;
  };

  // ---- the frame ---------------------------------------------------------------------------------------------------------

  const show = (what) => {
    part("frame").dataset.showing = what;
    part("enlarge").hidden = what !== "picture";
    part("preview").hidden = what !== "preview";
    part("empty").hidden = what !== "empty";
  };

  const record = (id) => pictures.find((picture) => picture.id === id);

  const select = async (id) => {
    selected = id;
    const picture = record(id);
    mark();
    part("live").hidden = !following || !picture;
    part("caption").hidden = !picture;
    if (!picture) return show(following && frames ? "preview" : "empty");
    describe(picture);
    if (element.getClientRects().length) emit("picture", { id });
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
    part("seed").hidden = !picture.seed || !props.seeded;
    part("download").href = `${address("picture", picture.id)}.png?download=1`;
    part("download").setAttribute("download", "");
  };

  // ---- recent pictures ---------------------------------------------------------------------------------------------------

  const thumb = (picture) => {
    const image = make("img", { src: address("thumb", picture.id), alt: "", loading: "lazy", decoding: "async" });
    const looks = { type: "button", title: picture.prompt, "data-picture": picture.id, "aria-label": named(picture) + (picture.seed && `, seed ${picture.seed}`) };
    const button = make("button", looks, image);
    button.addEventListener("click", () => (selected === picture.id ? enlarge() : select(picture.id)));
    return make("li", {}, button);
  };

  const add = (fresh) => {
    const news = fresh.filter((picture) => !known.has(picture.id)).toReversed();
    if (!news.length) return;
    for (const picture of news) known.add(picture.id);
    pictures = [...news, ...pictures].slice(0, KEEP);
    part("strip").prepend(...news.map(thumb));
    while (part("strip").children.length > KEEP) part("strip").lastElementChild.remove();
    part("recent").hidden = false;
  };

  const mark = () => {
    for (const button of part("strip").querySelectorAll("button")) {
      if (button.dataset.picture === selected) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  };

  // ---- one job -----------------------------------------------------------------------------------------------------------

  const later = () => (queued.length ? ` · ${queued.length} more of yours in the queue` : "");

  const showProgress = (job) => {
    const share = job.steps ? Math.min(1, job.step / job.steps) : 0;
    part("progress").hidden = false;
    part("progress").setAttribute("aria-valuenow", String(Math.round(100 * share)));
    document.title = share ? `${Math.round(100 * share)} % · Atelier` : "Atelier";
    part("bar").style.transform = `scaleX(${share})`;
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
      part("preview").src = reel.shift();
      await new Promise(requestAnimationFrame);
    }
    playing = false;
  };

  const showJob = (job) => {
    if (asked === "skip" && job.step <= 1) asked = null;
    element.dataset.state = job.state;
    showProgress(job);
    showFrame(job);
    add(job.pictures);
  };

  const closeJob = (job) => {
    element.dataset.state = job.state;
    document.title = "Atelier";
    part("progress").hidden = true;
    part("stop").hidden = part("skip").hidden = part("live").hidden = true;
    asked = null;
    add(job.pictures);
    if (job.pictures.length) windows.postMessage("drawn");
    if (job.pictures.length) emit("drawn", { kind: job.pictures[0].kind, pictures: job.pictures });
    part("status").textContent = job.state === "stopped" ? "Stopped. Finished pictures are kept." : "";
    const last = job.pictures.at(-1);
    if (last || selected) notice(job.message);
    else say(job.unsaved ? "Drawn, and not saved yet" : TITLES[job.state] || EMPTY[0], job.message || EMPTY[1]);
    speak(SPOKEN[job.state] || job.message);
    if (selected === null) select(last ? last.id : null);
  };

  const lost = () => {
    part("status").textContent = "Connection lost, trying again…";
    element.dataset.state = "lost";
  };
  const heard = (id, version) => listen(id, version, () => following === id, lost);
  const follow = async (id) => {
    following = id;
    frames = 0;
    reel = [];
    notice("");
    select(null);
    speak("The job is in the queue.");
    let job = await heard(id, -1);
    while (job && !ENDED.includes(job.state)) {
      showJob(job);
      job = await heard(id, job.version);
    }
    following = null;
    if (job) closeJob(job);
    else rest();
    next();
  };

  const rest = () => {
    say(...EMPTY);
    document.title = "Atelier";
    part("progress").hidden = part("stop").hidden = part("skip").hidden = part("live").hidden = true;
    part("status").textContent = "";
    element.dataset.state = "idle";
    if (selected === null) select(pictures.length ? pictures[0].id : null);
  };

  const next = () => {
    if (!following && queued.length) follow(queued.shift());
  };

  const enqueue = (id) => {
    if (id === following || queued.includes(id)) return;
    queued.push(id);
    if (following) part("status").textContent = `${part("status").textContent.split(" · ")[0]}${later()}`;
    next();
  };

  const press = async (verb) => {
    if (!following || asked) return;
    asked = verb;
    part("status").textContent = verb === "stop" ? "Stopping…" : skipping(latest);
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
    const answer = await fetch(`${address("jobs", following)}/${verb}`, options).catch(() => null);
    if (answer?.ok) return;
    asked = null;
    const told = answer ? await answer.json().catch(() => ({})) : {};
    notice(told.message || "The server did not hear this. Try again.");
  };

  const large = largeView(part, (by) => {
    const next = pictures[pictures.findIndex((picture) => picture.id === selected) + by];
    if (next) select(next.id);
    return next;
  });
  const enlarge = () => record(selected) && large.show(record(selected));

  // Fills the form of a tab from the selected picture; what it held can be brought back.
  const send = (to, words) => {
    snapshot(to || record(selected)?.kind || "txt2img");
    trigger("send", { id: selected, to, units: page.forms[to]?.controls });
    speak(words);
  };

  // ---- joined ------------------------------------------------------------------------------------------------------------

  const ON = {
    enlarge,
    stop: () => press("stop"),
    skip: () => press("skip"),
    live: () => select(null),
    settings: () => send("", "The form has the settings of this picture."),
    "to-txt2img": () => send("txt2img", "Its words and settings are in text to image."),
    "to-img2img": () => send("img2img", "The picture is in image to image."),
    "to-inpaint": () => send("inpaint", "The picture is in inpaint."),
    "to-outpaint": () => send("outpaint", "The picture is in outpaint."),
    "to-controlnet": () => send("controlnet", "The picture is in the first unit of ControlNet."),
    "to-enlarge": () => send("enlarge", "The picture is in enlarge."),
    "to-depth": () => send("depth", "The picture is in depth."),
    seed: () => (trigger("use_seed", { id: selected }), speak("The form has the seed of this picture.")),
    back: () => large.turn(-1),
    on: () => large.turn(1),
    close: () => part("large").close(),
  };
  for (const [name, act] of Object.entries(ON)) part(name).addEventListener("click", act);

  // On a narrow screen the stage lies below the form.
  const look = () => {
    const { top, bottom } = part("frame").getBoundingClientRect();
    if (top > innerHeight / 2 || bottom < 0) (element.closest(".stage-side:not(.with-canvas)") ?? element).scrollIntoView({ behavior: "smooth", block: "start" });
  };

  // Python sends the id of a new job, or, when the page opens, what this person has: pictures, and a job that still runs.
  watch("value", () => {
    if (typeof props.value === "string") {
      enqueue(props.value);
      return look();
    }
    if (!props.value) return;
    const again = attached;
    attached = true;
    const recent = props.value.recent.toReversed();
    add(recent);
    if (again) return emit("recent", { pictures: recent }); // to the other stages
    if (props.value.news) notice(props.value.news);
    if (props.value.job) enqueue(props.value.job);
    else if (!following && pictures.length && selected === null) select(pictures[0].id);
  });
  // What another tab has drawn is a recent picture here too.
  on("drawn", ({ pictures: fresh }) => add(fresh));
  on("recent", ({ pictures: fresh }) => add(fresh));
  // And what another window has drawn: the header hears of it, and the stage that is seen asks for it. Windows of one browser hear at once.
  const windows = new BroadcastChannel("atelier");
  windows.addEventListener("message", () => element.getClientRects().length && emit("look"));
  on("engine", ({ newest }) => {
    if (newest && attached && !known.has(newest) && !following && element.getClientRects().length) trigger("attach");
  });
  wheelSideways(part("strip"));
  // What waited for room on the disk has been saved meanwhile.
  let troubled = false;
  on("engine", ({ state }) => {
    if (troubled && state === "ready") trigger("attach");
    troubled = state === "troubled" || (troubled && state === "lost");
  });
  say(...EMPTY);
  trigger("attach");
};
