// The stage: follows one job at a time over long polls, shows the newest frame, then the finished pictures.
// Everything that people wrote enters as text (textContent, alt, title), never as markup.
const part = (name) => element.querySelector(`[data-part="${name}"]`);
const ENDED = ["done", "stopped", "failed", "interrupted"];
const KEEP = 300; // pictures in the strip
const RETRY = [500, 1000, 2000, 4000]; // milliseconds between attempts when the server does not answer
const LONGEST_REEL = 16; // previews; on a page that is not looked at they are not shown, and only the last ones are kept
const address = (kind, id) => `${kind}/${encodeURIComponent(id)}`;

let queued = []; // ids of own jobs that come after the one that is followed
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

const pause = (time) => new Promise((done) => setTimeout(done, time));
const speak = (words) => (part("spoken").textContent = words);
const notice = (words) => {
  part("notice").textContent = words;
  part("notice").hidden = !words;
};

const FIRST = {
  img2img: "Put a picture on the canvas, or draw one, say what it should become, and press Generate.",
  inpaint: "Put a picture on the canvas, paint over what should change, say what should be there, and press Generate.",
  outpaint: "Put a picture on the canvas, drag its frame outwards, say what it shows, and press Generate.",
  controlnet: "Put a picture into the first control unit, choose what is read from it, say what should be drawn, and press Generate.",
  depth: "Put a picture in and estimate its depth, or bring a depth map, say what should be drawn, and press Generate.",
};
const EMPTY = [
  "Your picture appears here",
  FIRST[props.kind] ||
    "Write what you want to see, or take one of the examples, and press Generate. Every step is shown while the picture forms.",
];
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
const facts = (picture) => `${picture.width} × ${picture.height} · seed ${picture.seed}${picture.note ? ` · ${picture.note}` : ""}`;
const named = (picture) => (picture.prompt ? `Picture: ${picture.prompt}` : "Picture without a prompt");

const select = async (id) => {
  selected = id;
  const picture = record(id);
  mark();
  part("live").hidden = !following || !picture;
  part("caption").hidden = !picture;
  if (!picture) return show(following && frames ? "preview" : "empty");
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
  part("download").href = `${address("picture", picture.id)}.png?download=1`;
  part("download").setAttribute("download", "");
};

// ---- recent pictures ---------------------------------------------------------------------------------------------------

const thumb = (picture) => {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const image = document.createElement("img");
  Object.assign(image, { src: address("thumb", picture.id), alt: "", loading: "lazy", decoding: "async" });
  Object.assign(button, { type: "button", title: picture.prompt });
  button.dataset.picture = picture.id;
  button.setAttribute("aria-label", `${named(picture)}, seed ${picture.seed}`);
  button.addEventListener("click", () => (selected === picture.id ? enlarge() : select(picture.id)));
  button.append(image);
  item.append(button);
  return item;
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

const seconds = (time) => (time < 60 ? `${Math.max(1, Math.round(time))} s` : `${Math.floor(time / 60)} min ${Math.round(time % 60)} s`);
const ahead = (count) => (count === 1 ? "1 job ahead of yours" : `${count} jobs ahead of yours`);

const sentence = (job) => {
  if (job.state === "waiting") return job.ahead ? ahead(job.ahead) : job.message ? "Waiting" : "Starting…";
  if (asked) return asked === "stop" ? "Stopping…" : skipping(job);
  const many = job.pictures_total > 1 ? ` · picture ${Math.min(job.picture + 1, job.pictures_total)} of ${job.pictures_total}` : "";
  const left = job.eta === null || job.eta === undefined ? "" : ` · about ${seconds(job.eta)} left`;
  return job.step ? `Step ${job.step} of ${job.steps}${many}${left}` : job.preparing ? `Preparing: reading ${job.preparing}…` : "Preparing…";
};

// Skipping leaves a batch, which may be all there is.
const isLast = (job) => job.picture + job.batch_size >= job.pictures_total;
const left = (job) => (job.batch_size > 1 ? `the ${job.batch_size} pictures of this batch` : "this picture");
const skipping = (job) => (isLast(job) ? `Leaving ${left(job)}…` : `Leaving ${left(job)} for the next…`);
const skips = (job) => `Leave ${left(job)}${isLast(job) ? "; it is the last, so the job ends" : ` and go on to the next${job.batch_size > 1 ? " batch" : ""}`}`;

const later = () => (queued.length ? ` · ${queued.length} more of yours in the queue` : "");

const showProgress = (job) => {
  const share = job.steps ? Math.min(1, job.step / job.steps) : 0;
  part("progress").hidden = false;
  part("progress").setAttribute("aria-valuenow", String(Math.round(100 * share)));
  document.title = share ? `${Math.round(100 * share)} % · Atelier` : "Atelier";
  part("bar").style.transform = `scaleX(${share})`;
  part("status").textContent = sentence(job) + later();
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

const SPOKEN = { done: "The picture is done.", stopped: "Stopped." };
const TITLES = { stopped: "Stopped", failed: "This could not be drawn", interrupted: "Interrupted" };

const closeJob = (job) => {
  element.dataset.state = job.state;
  document.title = "Atelier";
  part("progress").hidden = true;
  part("stop").hidden = part("skip").hidden = part("live").hidden = true;
  asked = null;
  add(job.pictures);
  if (job.pictures.length) windows.postMessage("drawn");
  if (job.pictures.length) window.dispatchEvent(new CustomEvent("atelier:drawn", { detail: { kind: job.pictures[0].kind, pictures: job.pictures } }));
  part("status").textContent = job.state === "stopped" ? "Stopped. Finished pictures are kept." : "";
  const last = job.pictures.at(-1);
  if (last || selected) notice(job.message);
  else say(job.unsaved ? "Drawn, and not saved yet" : TITLES[job.state] || EMPTY[0], job.message || EMPTY[1]);
  speak(SPOKEN[job.state] || job.message);
  if (selected === null) select(last ? last.id : null);
};

// The server's word on the job after `version`; null when this job is not ours to see. Tries until the server answers.
const listen = async (id, version) => {
  for (let attempt = 0; following === id; attempt += 1) {
    try {
      const answer = await fetch(`${address("live", id)}?after=${version}`, { headers: { Accept: "application/json" } });
      if (answer.status >= 400 && answer.status < 500 && answer.status !== 408 && answer.status !== 429) return null;
      if (!answer.ok) throw new Error(String(answer.status));
      return await answer.json();
    } catch {
      part("status").textContent = "Connection lost, trying again…";
      element.dataset.state = "lost";
      await pause(RETRY[Math.min(attempt, RETRY.length - 1)]);
    }
  }
  return null;
};

const follow = async (id) => {
  following = id;
  frames = 0;
  reel = [];
  notice("");
  select(null);
  speak("The job is in the queue.");
  let job = await listen(id, -1);
  while (job && !ENDED.includes(job.state)) {
    showJob(job);
    job = await listen(id, job.version);
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
  if (answer && answer.ok) return;
  asked = null;
  const told = answer ? await answer.json().catch(() => ({})) : {};
  notice(told.message || "The server did not hear this. Try again.");
};

// ---- large view --------------------------------------------------------------------------------------------------------

const enlarge = () => {
  const picture = record(selected);
  if (!picture) return;
  part("large-picture").src = `${address("picture", picture.id)}.png`;
  part("large-picture").alt = named(picture);
  part("large-prompt").textContent = picture.prompt;
  part("large-facts").textContent = facts(picture);
  if (!part("large").open) part("large").showModal();
};

const turn = (by) => {
  const place = pictures.findIndex((picture) => picture.id === selected) + by;
  if (!pictures[place]) return;
  select(pictures[place].id);
  enlarge();
};

part("large").addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by) turn(by);
});
part("large").addEventListener("click", (event) => {
  if (event.target === part("large") || event.target === part("large-picture")) part("large").close();
});

// Fills the form of a tab from the selected picture; what it held can be brought back.
const send = (to, words) => {
  atelier.snapshot(to || record(selected)?.kind || "txt2img");
  trigger("send", { id: selected, to, units: atelier.forms[to]?.controls });
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
  "to-depth": () => send("depth", "The picture is in depth."),
  seed: () => (trigger("use_seed", { id: selected }), speak("The form has the seed of this picture.")),
  back: () => turn(-1),
  on: () => turn(1),
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
  if (again) return window.dispatchEvent(new CustomEvent("atelier:recent", { detail: { pictures: recent } })); // to the other stages
  if (props.value.news) notice(props.value.news);
  if (props.value.job) enqueue(props.value.job);
  else if (!following && pictures.length && selected === null) select(pictures[0].id);
});
// What another tab has drawn is a recent picture here too.
window.addEventListener("atelier:drawn", (event) => add(event.detail.pictures));
window.addEventListener("atelier:recent", (event) => add(event.detail.pictures));
// And what another window has drawn: the header hears of it, and the stage that is seen asks for it. Windows of one browser hear at once.
const windows = new BroadcastChannel("atelier");
windows.addEventListener("message", () => element.getClientRects().length && window.dispatchEvent(new Event("atelier:look")));
window.addEventListener("atelier:engine", ({ detail: { newest } }) => {
  if (newest && attached && !known.has(newest) && !following && element.getClientRects().length) trigger("attach");
});
// A wheel that turns up and down moves the row sideways, until its end.
part("strip").addEventListener("wheel", (event) => {
  const row = part("strip");
  if (event.ctrlKey || Math.abs(event.deltaX) >= Math.abs(event.deltaY)) return;
  const before = row.scrollLeft;
  row.scrollLeft += event.deltaY * (event.deltaMode === 1 ? 24 : 1);
  if (row.scrollLeft !== before) event.preventDefault();
}, { passive: false });
// What waited for room on the disk has been saved meanwhile.
let troubled = false;
window.addEventListener("atelier:engine", (event) => {
  if (troubled && event.detail.state === "ready") trigger("attach");
  troubled = event.detail.state === "troubled" || (troubled && event.detail.state === "lost");
});
say(...EMPTY);
trigger("attach");
