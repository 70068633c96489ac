// Noise: one's own picture in more and more of it, and the schedules that lead back out, one over another.
import { later, make } from "./dom.js";
import { plot } from "./inside_plot.js";
import { facts, short, slider } from "./inside_parts.js";

/** @typedef {import("./messages.d.ts").NoiseFound} NoiseFound */

const WAIT = 200; // milliseconds until other steps are asked for

const decibels = ({ signal, noise }) => (noise ? 20 * Math.log10(signal / noise) : Infinity);
const percent = (share) => `${Math.round(100 * share)} %`;
const told = (level) => [
  ["Noise level σ", short(level.sigma)],
  ["Training step", Math.round(level.timestep).toLocaleString("en")],
  ["Signal to noise", level.noise ? `${short(1 / level.sigma ** 2)} (${decibels(level).toFixed(1)} dB)` : "no noise"],
];

/** @type {import("./inside_page.js").Panel} */
export const noise = {
  name: "noise",
  title: "Noise",
  head: "Into the noise and back",
  says: "Move the slider and your picture sinks into the noise of its own seed; its drawing began at the far end and came back. The dots are the levels at which its steps stood, from the first to the last.",
  show({ body, foot, stage, picture, file, look, ask }) {
    const curves = plot(picture.schedule, picture.steps);
    const numbers = make("div");
    const as = slider("Steps", 149, (place) => String(place + 1), later(WAIT, async () => {
      const asked = as.at() + 1;
      const { schedule } = await ask(`?steps=${asked}`).catch(() => ({}));
      if (schedule && asked === as.at() + 1) curves.show(schedule);
    }), picture.steps - 1);
    body.append(curves.root, as.root, numbers);
    look("noise", ({ found }) => {
      if (foot.childElementCount) return;
      const { levels, exact } = /** @type {NoiseFound} */ (found);
      for (const [number] of levels.entries()) new Image().src = file("noise", `noise-${number}.jpg`);
      const show = (number) => {
        stage.show(file("noise", `noise-${number}.jpg`), `The picture with ${percent(levels[number].noise)} noise`);
        numbers.replaceChildren(facts(told(levels[number])));
        curves.mark(levels[number].sigma);
      };
      const level = slider("Noise", levels.length - 1, (place) => percent(levels[place].noise ** 2), show, 0);
      foot.append(level.root);
      stage.say(exact ? "" : "Decoded by the small map of previews, as this picture is large.");
      level.go(Math.round(levels.length / 3));
    });
  },
};
