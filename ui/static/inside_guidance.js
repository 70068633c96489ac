// Guidance: what each step predicts with the prompt and without it, and what more or less guidance would have made of it.
import { make } from "./dom.js";
import { RUN } from "./inside_attention.js";
import { facts, short, slider } from "./inside_parts.js";

/** @typedef {import("./messages.d.ts").RunFound} Run */

const figure = (source, words) => make("figure", { className: "inside-shot" }, make("img", { src: source, alt: words }), make("figcaption", { textContent: words }));

/** @type {import("./inside_page.js").Panel} */
export const guidance = {
  name: "guidance",
  title: "Guidance",
  head: "With your words and without them",
  says: "At each step the model predicts the finished picture twice, once with your prompt and once without it, and guidance walks on along the difference. Choose a step below the picture, and another guidance to see what that step would have become.",
  show({ body, foot, stage, file, look }) {
    const shots = make("div", { className: "inside-shots" });
    const scale = make("div");
    const numbers = make("div");
    body.append(shots, scale, numbers);
    look("run", ({ found }) => {
      const run = /** @type {Run} */ (found);
      if (!run.done || foot.childElementCount) return;
      const last = run.steps.length - 1;
      const shot = (number, name) => file("run", `step-${number}-${name}`);
      const guided = slider("Guidance", run.scales.length - 1, (place) => `${short(run.scales[place])}${place === run.own ? " (its own)" : ""}`, () => draw(), run.own);
      const steps = slider("Step", last, (place) => `${run.steps[place].number} of ${run.steps[last].number}`, () => draw(), last);
      const draw = () => {
        const [number, place] = [steps.at(), guided.at()];
        const { sigma, timestep, apart } = run.steps[number];
        stage.show(shot(number, `at-${place}.jpg`), `Step ${run.steps[number].number} at guidance ${run.scales[place]}`);
        stage.say(`What step ${run.steps[number].number} predicts at guidance ${short(run.scales[place])}`);
        shots.replaceChildren(
          figure(shot(number, "given.jpg"), "What it was given"),
          ...(run.guided ? [figure(shot(number, "negative.jpg"), "Without the prompt"), figure(shot(number, "positive.jpg"), "With the prompt"), figure(shot(number, "apart.png"), "The difference")] : [figure(shot(number, "positive.jpg"), "With the prompt")]),
        );
        numbers.replaceChildren(facts([["Noise level σ", short(sigma)], ["Training step", Math.round(timestep).toLocaleString("en")], ["Difference", run.guided ? short(apart) : "none"]]));
      };
      if (run.scales.length > 1) scale.append(guided.root);
      else scale.append(make("p", { className: "inside-note", textContent: "This picture was drawn at guidance 1, or by a model that was made to know its guidance: there is one prediction a step." }));
      foot.append(steps.root);
      steps.go(Math.round(last / 6));
    }, RUN);
  },
};
