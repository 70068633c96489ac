// The film of a picture: its steps under the surface, scrubbed by mouse, finger and keys; any of them becomes a picture, or a branch begins there.
import { snapshot } from "./desk.js";
import { emit, make, write } from "./dom.js";
import { limit } from "./numbers.js";
import * as page from "./page.js";
import { keep } from "./save_as.js";
import { address } from "./stage_live.js";

/** @typedef {import("./messages.d.ts").PictureSteps} Told */
/** @typedef {import("./messages.d.ts").StepLine} Line */
/** @typedef {import("./messages.d.ts").PictureSummary} Picture */

const MOST_CELLS = 40; // small pictures in the strip; the playhead meets every step
const PACE = 110; // milliseconds a step while it plays
const PAUSE = 900; // at the finished picture
const LARGE = 5; // steps of Page Up and Page Down
const AWAY = "The server did not answer. See that Atelier still runs, then try again.";

const seconds = (time) => (time < 1.5 ? "a second" : time < 90 ? `${Math.round(time)} s` : `${Math.round(time / 60)} min`);
const steps = (count) => `${count} step${count === 1 ? "" : "s"}`;

/** Which steps have a small picture in the strip: as many as fit, the last one among them. @type {(count: number, most?: number) => number[]} */
export const sampled = (count, most = MOST_CELLS) =>
  count <= most ? [...Array(count).keys()] : [...Array(most).keys()].map((at) => Math.round((at * (count - 1)) / (most - 1)));

/** What a branch after a step costs, in words. @type {(told: Told, line: Line) => string} */
export const cost = ({ kept, seconds: each }, { step, count }) => {
  const left = count - step;
  const takes = (number) => (each === null ? "" : `, about ${seconds(number * each)}`);
  if (kept) return left ? `${steps(left)} will be drawn${takes(left)}.` : "Nothing is left to draw after the last step; choose an earlier one.";
  return `Its steps are not kept, so the first ${step} are drawn once more: ${steps(count)}${takes(count)}.`;
};

const sign = (icon) => make("i", { className: `icon icon-${icon}` });
const button = (icon, says, title) => make("button", { type: "button", className: "quiet", title, "aria-label": says }, sign(icon), make("span", { textContent: says }));
const round = (icon, title) => make("button", { type: "button", className: "round", title, "aria-label": title }, sign(icon));

/** @type {(given: { room: HTMLElement, frame: HTMLElement, trigger: HTMLElement, picture: () => Picture | undefined, watch: () => void, speak: (words: string) => void }) => { toggle: () => void, follow: () => void }} */
export const film = ({ room, frame, trigger, picture, watch, speak }) => {
  const image = make("img", { className: "preview film-frame", alt: "", hidden: true });
  const plays = round("play", "Play the steps in a loop");
  const track = make("div", { className: "film-track", role: "slider", tabIndex: 0, "aria-label": "Step", "aria-valuemin": 1 });
  const closes = round("x", "Close the film");
  const where = make("p", { className: "film-where" });
  const said = make("p", { className: "film-said" });
  const branches = button("git-branch", "Branch from here", "Change something, and draw only the steps that are left");
  const keeps = button("image", "Keep this step", "Decode what was predicted at this step: a picture of its own");
  const saves = button("download", "Save the film", "All steps as an animated WebP");
  const acts = make("div", { className: "film-acts" }, branches, keeps, saves);
  const plan = make("p", { className: "film-plan", role: "status" });
  const draws = make("button", { type: "button", className: "film-draw" }, "Draw the branch");
  const leaves = make("button", { type: "button", className: "quiet", title: "Draw no branch; the form stays as it is" }, "Leave it");
  const branch = make("div", { className: "film-branch", hidden: true }, plan, make("div", { className: "film-acts" }, draws, leaves));
  const problem = make("p", { className: "film-problem", role: "alert", hidden: true });
  const root = make("section", { className: "film", "aria-label": "Steps of this picture", hidden: true },
    branch, make("div", { className: "film-line" }, plays, track, closes), make("div", { className: "film-line" }, make("div", { className: "film-words" }, where, said), acts), problem);
  room.prepend(root);
  frame.append(image);

  /** @type {Told | null} */
  let told = null;
  let shown = ""; // the id of the picture whose film it is
  let at = 0; // which of its steps is seen
  let timer = 0;
  let branching = false;

  const line = () => told?.steps[at];
  const last = () => (told ? told.steps.length - 1 : 0);
  const source = ({ leg, step }) => `${address("picture", shown)}/steps/${leg}/${step}.jpg`;
  const fail = (words) => write(problem, words);

  // ---- what is seen -----------------------------------------------------------------------------------------------------------

  const acting = ({ acts: all }) => all.map(({ sort, name, strength }) => (sort === "Refiner" ? `refiner ${name}` : `${name} ${+strength.toFixed(2)}`)).join(", ");
  const words = () => {
    const { leg, step, count, sigma } = line();
    const legs = told.steps[last()].leg + 1;
    return [`Step ${step} of ${count}`, legs > 1 && `part ${leg + 1} of ${legs}`, sigma !== null && `noise ${sigma.toFixed(2)}`].filter(Boolean).join(" · ");
  };
  const draw = () => {
    const now = line();
    if (!now) return;
    where.textContent = words();
    said.textContent = [now.said || "No words", acting(now)].filter(Boolean).join(" · ");
    said.title = said.textContent;
    track.setAttribute("aria-valuenow", String(at + 1));
    track.setAttribute("aria-valuetext", where.textContent);
    track.style.setProperty("--at", String((at + 0.5) / told.steps.length));
    image.hidden = !told.kept || at === last();
    if (!image.hidden) image.src = source(now);
    keeps.disabled = at === last();
    if (branching) tell();
  };
  const go = (to) => {
    at = limit(to, 0, last());
    draw();
  };

  const cell = (index) => {
    const now = told.steps[index];
    const begins = told.branch_step && now.leg === told.branch_leg && now.step === told.branch_step;
    const made = make("span", { className: "film-cell", title: begins ? "Here it branches from another picture" : "" }, told.kept && make("img", { src: source(now), alt: "", draggable: false, decoding: "async" }));
    if (begins) made.dataset.branch = "yes";
    return made;
  };
  const fill = () => {
    track.replaceChildren(...sampled(told.steps.length).map(cell), make("span", { className: "film-head" }));
    track.setAttribute("aria-valuemax", String(told.steps.length));
    track.dataset.kept = String(told.kept);
    saves.hidden = !told.kept;
    plays.disabled = !told.kept;
    fail(told.note);
    go(last());
  };

  // ---- scrubbed and played ----------------------------------------------------------------------------------------------------

  const play = (going) => {
    clearTimeout(timer);
    timer = 0;
    const next = () => {
      go(at === last() ? 0 : at + 1);
      timer = window.setTimeout(next, at === last() ? PAUSE : PACE);
    };
    if (going) timer = window.setTimeout(next, 0);
    plays.firstElementChild.className = `icon icon-${going ? "pause" : "play"}`;
    plays.title = plays.ariaLabel = going ? "Pause" : "Play the steps in a loop";
  };
  const under = ({ clientX }) => {
    const { left, width } = track.getBoundingClientRect();
    return Math.floor(((clientX - left) / width) * told.steps.length);
  };
  track.addEventListener("pointerdown", (event) => {
    if (event.button || !told) return;
    event.preventDefault();
    track.focus({ preventScroll: true });
    track.setPointerCapture(event.pointerId);
    play(false);
    go(under(event));
  });
  track.addEventListener("pointermove", (event) => track.hasPointerCapture(event.pointerId) && go(under(event)));
  track.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: LARGE, PageDown: -LARGE, Home: -at, End: last() - at }[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    play(false);
    go(at + by);
  });
  plays.addEventListener("click", () => play(!timer));

  // ---- what comes of a step ---------------------------------------------------------------------------------------------------

  const post = async (path, order) => {
    fail("");
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...order, once: crypto.randomUUID?.() ?? String(Math.random()) }) };
    const answer = await fetch(`${address("picture", shown)}/steps/${path}`, options).catch(() => null);
    const news = answer ? await answer.json().catch(() => ({})) : {};
    if (!answer?.ok) fail(news.message || AWAY);
    return !!answer?.ok;
  };
  const place = () => ({ leg: line().leg, step: line().step });

  const tell = () => {
    const { step, count } = line();
    plan.textContent = `Goes on after step ${step} of ${count}. Change words, guidance, LoRAs, control units or sampler options in the form; what is left alone stays as it was. ${cost(told, line())}`;
    draws.disabled = told.kept && step === count;
  };
  const begin = (going) => {
    branching = going;
    branch.hidden = !going;
    branches.hidden = going;
    if (going) tell();
  };
  branches.addEventListener("click", () => {
    const { id, kind } = picture() ?? {};
    if (!id) return;
    play(false);
    if (at === last()) go(Math.floor(last() * 0.4));
    snapshot(kind);
    emit("send", { id, kind, to: "" });
    begin(true);
    speak("The form has the settings of this picture. Change something, then draw the branch.");
  });
  leaves.addEventListener("click", () => begin(false));
  draws.addEventListener("click", async () => {
    const { kind } = picture() ?? {};
    draws.disabled = true;
    const done = await post("branch", { ...place(), kind, values: page.forms[kind] });
    draws.disabled = false;
    if (!done) return;
    begin(false);
    watch();
    speak("The branch is in the queue.");
  });
  keeps.addEventListener("click", async () => (await post("keep", place())) && speak("The step is made into a picture."));
  saves.addEventListener("click", () => keep(`${address("picture", shown)}/steps.webp?download=1`));

  // ---- opened, and led on -----------------------------------------------------------------------------------------------------

  const show = async (id) => {
    shown = id;
    told = null;
    play(false);
    begin(false);
    image.hidden = true;
    track.replaceChildren();
    fail("");
    where.textContent = said.textContent = "";
    const answer = await fetch(`${address("picture", id)}/steps`).catch(() => null);
    const news = answer ? await answer.json().catch(() => ({})) : {};
    if (shown !== id) return;
    acts.hidden = !answer?.ok;
    if (!answer?.ok) return fail(news.message || AWAY);
    told = news;
    fill();
  };
  const open = (wanted) => {
    root.hidden = !wanted;
    trigger.setAttribute("aria-pressed", String(wanted));
    if (wanted) return follow();
    play(false);
    begin(false);
    shown = "";
    image.hidden = true;
  };
  const follow = () => {
    const id = picture()?.id;
    if (root.hidden || id === shown) return;
    if (!id) ((shown = ""), (image.hidden = true));
    else show(id);
  };
  closes.addEventListener("click", () => (open(false), trigger.focus()));
  return { toggle: () => open(root.hidden), follow };
};
