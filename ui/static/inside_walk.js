// Follow one step: the way of the latents through text encoder, UNet, guidance and sampler to the VAE, with the shapes and pictures of this very job.
import { make } from "./dom.js";
import { RUN } from "./inside_attention.js";
import { short, slider } from "./inside_parts.js";

/** @typedef {import("./messages.d.ts").RunFound} Run */

const shape = (numbers) => numbers.join(" × ");
const picture = (source, words) => make("figure", {}, make("img", { src: source, alt: "" }), make("figcaption", { textContent: words }));
const stop = (title, words, size, ...pictures) =>
  make("section", { className: "inside-stop" }, make("h3", { textContent: title }), make("p", { textContent: words }), size && make("code", { textContent: size }), pictures.length ? make("div", {}, ...pictures) : null);

// The page by itself: pictures within it, no scripts, nothing from elsewhere.
const STYLE = "body{max-width:52em;margin:2em auto;padding:0 1em;font:16px/1.5 system-ui,sans-serif;color:#211e1a;background:#f5f3ee}h1{font-family:Georgia,serif}section{margin:1.6em 0;padding-left:1.2em;border-left:3px solid #b2512d}h3{margin:0}p{margin:.3em 0}code{color:#6a6359}div{display:flex;flex-wrap:wrap;gap:10px}figure{width:112px;margin:6px 0 0}figcaption{font-size:12px;color:#6a6359}img{width:112px;border-radius:6px}";
const inline = async (image) => {
  const blob = await (await fetch(image.src)).blob();
  const read = new FileReader();
  await new Promise((done) => ((read.onload = done), read.readAsDataURL(blob)));
  return String(read.result);
};
const page = async (title, says, stops) => {
  const copy = stops.cloneNode(true);
  await Promise.all([...copy.querySelectorAll("img")].map(async (image) => (image.src = await inline(image))));
  const head = make("head", {}, make("meta", { charset: "utf-8" }), make("title", { textContent: title }), make("style", { textContent: STYLE }));
  const body = make("body", {}, make("h1", { textContent: title }), make("p", { textContent: says }), ...copy.children);
  return `<!doctype html>\n<html lang="en">${head.outerHTML}${body.outerHTML}</html>\n`;
};

/** @type {import("./inside_page.js").Panel} */
export const walk = {
  name: "walk",
  title: "One step",
  head: "Follow one step",
  says: "This is the way that the numbers of your picture go in one step, from the words to the next noise level. Choose a step below the picture, and take the walk along as a page of its own.",
  show({ body, foot, stage, picture: about, file, look }) {
    const stops = make("div", { className: "inside-walk" });
    const keep = make("button", { type: "button", className: "quiet", textContent: "Save as a page", hidden: true });
    body.append(keep, stops);
    look("run", ({ found }) => {
      const run = /** @type {Run} */ (found);
      if (!run.done || foot.childElementCount) return;
      const last = run.steps.length - 1;
      const end = about.schedule?.curves.find(({ drawn }) => drawn)?.sigmas.at(-1) ?? 0; // DDIM leaves a trace of noise
      const draw = (number) => {
        const step = run.steps[number];
        const shot = (name) => file("run", `step-${number}-${name}`);
        const next = number < last ? run.steps[number + 1].sigma : end;
        const own = shot(`at-${run.own}.jpg`);
        stage.show(own, `What step ${step.number} predicts`);
        stage.say(`What step ${step.number} of ${run.steps[last].number} predicts`);
        stops.replaceChildren(
          stop("1. The text encoder", `It turned your prompt into ${step.context[1]} vectors of ${step.context[2]} numbers each, once for the whole picture.${run.guided ? " The empty or negative prompt has as many." : ""}`, shape(step.context)),
          stop("2. The noisy latents", `Four channels of numbers, one for each 8 × 8 pixels, at noise level σ ${short(step.sigma)}: ${Math.round((100 * step.sigma ** 2) / (1 + step.sigma ** 2))} % of what the UNet sees is noise.`, shape(run.latents), picture(shot("given.jpg"), "The latents that the UNet was given")),
          stop("3. The UNet", `It is told the training step (${Math.round(step.timestep)}) and reads the words on its way down to small maps and up again. The pictures show how strongly each block answers where.`, "", ...step.blocks.map(({ name, shape: size }, place) => picture(file("run", `block-${number}-${place}.png`), `${name}: ${shape(size)}`))),
          run.guided
            ? stop("4. Guidance", `Two predictions, without the prompt and with it; their difference counts ${short(run.scales[run.own])} times.`, `${short(step.apart)} apart`, picture(shot("negative.jpg"), "Without the prompt"), picture(shot("positive.jpg"), "With the prompt"), picture(shot("apart.png"), "The difference"), picture(own, "Guided"))
            : stop("4. Guidance", "None: there is one prediction, with the prompt.", "", picture(own, "The prediction")),
          stop("5. The sampler", `${about.sampler} goes from the noisy latents towards the prediction, from σ ${short(step.sigma)} to ${next > 1e-6 ? `σ ${short(next)}` : "no noise"}.`, "", ...(number < last ? [picture(file("run", `step-${number + 1}-given.jpg`), "What the next step is given")] : [])),
          stop("6. The VAE", number < last ? "It waits for the last step. Then it makes of each latent 8 × 8 pixels." : "It makes of each latent 8 × 8 pixels: the finished picture.", `${shape(run.latents)} → 1 × 3 × ${about.height} × ${about.width}`),
        );
      };
      const steps = slider("Step", last, (place) => `${run.steps[place].number} of ${run.steps[last].number}`, draw, last);
      keep.hidden = false;
      keep.onclick = async () => {
        const title = `Step ${run.steps[steps.at()].number} of ${run.steps[last].number}: ${about.prompt || "a picture"}`;
        const whole = await page(title, `${about.model}, ${about.family}, ${about.sampler}, seed ${about.seed}. Made with Atelier.`, stops);
        const link = make("a", { href: URL.createObjectURL(new Blob([whole], { type: "text/html" })), download: `one-step-${run.steps[steps.at()].number}.html` });
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      };
      foot.append(steps.root);
      steps.go(Math.round(last / 6));
    }, RUN);
  },
};
