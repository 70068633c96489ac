// A finished clip frame by frame, in the inspector: a slider, arrow keys, and what goes on from the frame that is seen.
import { snapshot } from "./desk.js";
import { dropdown } from "./dropdown.js";
import { emit, make } from "./dom.js";
import { address } from "./stage_live.js";
import { targets } from "./targets.js";

// `room` is filled; `speak` says what was done.
export const clipFrames = (room, speak) => {
  /** @type {import("./messages.d.ts").PictureShown | null} */
  let shown = null;
  let [at, timer] = [0, 0];
  const sign = (name) => make("i", { className: `icon icon-${name}` });
  const image = make("img", { className: "clip-frame", alt: "" });
  const slider = make("input", { type: "range", min: "0", "aria-label": "Frame" });
  const figure = make("output", { className: "clip-figure" });
  const button = (says, title, icon, act) => {
    const made = make("button", { type: "button", className: "quiet", title }, icon && sign(icon), says && make("span", { textContent: says }));
    made.addEventListener("click", act);
    return made;
  };

  const last = () => shown.frames - 1;
  const source = (number) => `${address("picture", shown.id)}/frames/${number}.jpg`;
  const step = (to) => {
    at = Math.max(0, Math.min(to, last()));
    image.src = source(at);
    image.alt = `Frame ${at + 1}`;
    slider.value = String(at);
    figure.textContent = `${at + 1} / ${shown.frames}`;
  };
  const play = (going) => {
    clearInterval(timer);
    timer = going ? window.setInterval(() => step((at + 1) % shown.frames), 1000 / (shown.pace || 7)) : 0;
    plays.setAttribute("aria-pressed", String(going));
    plays.lastElementChild.textContent = going ? "Pause" : "Play";
  };
  const send = (to, frame, words) => {
    play(false);
    snapshot(to);
    emit("send", { id: shown.id, kind: shown.kind, to, frame });
    speak(words);
  };

  const plays = button("Play", "Play it, frame by frame", "film", () => play(!timer));
  const menu = make("span", { className: "menu", hidden: true });
  const opens = button("Send this frame to", "Go on with this frame in another tab", "send", () => {});
  const drop = make("span", { className: "send" }, opens, menu);
  const items = (close) =>
    Object.entries(targets(["txt2img"])).map(([to, says]) => {
      const made = make("button", { type: "button", textContent: says });
      made.addEventListener("click", () => (close(), send(to, at, `The frame is in ${says}.`)));
      return made;
    });
  const open = dropdown(opens, menu, () => menu.replaceChildren(...items(() => open(false))));
  const goesOn = button("Go on from the last frame", "The next clip begins with the last frame of this one, and is asked for alike", "skip-forward", () => send("video", -1, "The last frame is in Video."));

  slider.addEventListener("input", () => (play(false), step(Number(slider.value))));
  room.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const end = { Home: 0, End: last() }[event.key];
    if ((by === undefined && end === undefined) || !menu.hidden) return;
    event.preventDefault();
    play(false);
    step(end ?? at + by);
  });
  image.tabIndex = 0;
  room.append(image, make("div", { className: "clip-line" }, slider, figure), make("div", { className: "inspector-ways" }, plays, drop, goesOn));

  /** @param {import("./messages.d.ts").PictureShown} told */
  const show = (told) => {
    play(false);
    shown = told;
    room.hidden = !told.frames || !!told.hidden;
    if (room.hidden) return;
    slider.max = String(last());
    goesOn.hidden = told.kind !== "video";
    step(0);
  };
  return { show };
};
