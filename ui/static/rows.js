// Rows of the form: each says at rest what it holds, so that it need not be opened to be known.
import { make, on } from "./dom.js";
import * as page from "./page.js";
import { options } from "./sampler_tables.js";

const per_cent = (share) => `${Math.round(100 * share)} %`;
const list = (...words) => words.filter(Boolean).join(", ");
const count = (number, word) => (number ? `${number} ${word}${number > 1 ? "s" : ""}` : "");

const enlarges = (upscaler, unnamed) => ((unnamed.hires_upscaler ?? [upscaler]).includes(upscaler) ? upscaler : "upscaler");

// The size that an upscaler brings, and its name; nothing of one that has not been told of yet.
const enlarged = ({ width, height }, by) => (by ? `${width * by.factor} × ${height * by.factor}, ${by.name}` : "upscaler");

// The options that the sampler with the schedule reads, in the first pass or in the second.
const read = (sampler, schedule) => [
  ...(options.samplers[sampler] ?? []),
  ...(options.schedules[schedule === "Automatic" ? options.automatic[sampler] : schedule] ?? []),
];
/** @type {(values: Record<string, any>) => string[]} */
const acting = ({ sampler, schedule, hires, hires_sampler, hires_schedule }) =>
  [...new Set([...read(sampler, schedule), ...(hires ? read(hires_sampler || sampler, hires_schedule || schedule) : [])])];
const said = (name, value) => (name === "sigmas" ? value.trim() && "levels" : `${name.replace(/^(ddim|s|sigma|beta)_/, "")} ${value}`);

// Name of a row -> what it says of a form's values; `unnamed`: field -> its values that name no file, `enlargers`: upscaler ->
// its name and factor, both as the server says.
/** @type {Record<string, (values: Record<string, any>, unnamed: Record<string, string[]>, enlargers: Record<string, import("./messages.d.ts").OfferedEnlarger>) => string>} */
const SAYS = {
  around: ({ views, gathered, frames_a_second }) => (views > 1 ? list(`${views} evenly around`, gathered === "Loop" ? `loop, ${frames_a_second} a second` : gathered.toLowerCase()) : "one"),
  object: ({ mask, cut, background, tolerance }) => list(mask ? "painted" : cut === "Whole picture" ? "whole picture" : `by colour, ${background || "that of the corners"}, ${per_cent(tolerance)}`),
  sampling: ({ sampler, schedule, batch_size }) =>
    list(schedule && schedule !== "Automatic" ? `${sampler} ${schedule}` : sampler, batch_size > 1 && `${batch_size} at once`),
  guidance: ({ guidance_from, guidance_until, guidance_curve, guidance_end, guidance_rescale, third_look, look_strength, projection, push_limit, momentum, contrast_as, perp_negative, free_u, zero_star, seamless }) =>
    list(
      (guidance_from > 0 || guidance_until < 1) && `${per_cent(guidance_from)} to ${per_cent(guidance_until)}`,
      guidance_curve !== "Steady" && `${guidance_curve} to ${guidance_end}`,
      guidance_rescale > 0 && "rescaled",
      third_look !== "None" && look_strength > 0 && third_look,
      (projection > 0 || push_limit > 0 || Boolean(momentum)) && "APG",
      contrast_as > 0 && `contrast ${contrast_as}`,
      zero_star && "CFG-Zero",
      perp_negative > 0 && "Perp-Neg",
      free_u > 0 && "FreeU",
      seamless && seamless !== "Off" && "seamless",
    ) || "as usual",
  options: (values) => list(...acting(values).map((name) => values[name] !== options.neutral[name] && said(name, String(values[name])))) || "as usual",
  divided: ({ regions, prompt, region_ratios }) => count(regions?.filter(({ prompt, weight }) => prompt.trim() && weight).length, "region") || (/\bADD(COL|ROW)\b/.test(prompt) || region_ratios ? "in the prompt" : "none"),
  variation: ({ variation_strength }) => (variation_strength > 0 ? per_cent(variation_strength) : "off"),
  "add-ons": ({ vae, refiner, clip_skip, hypernetworks, second_prompt }, unnamed) =>
    list(!(unnamed.vae ?? [vae]).includes(vae) && "VAE", refiner && "refiner", second_prompt && "second prompt", clip_skip > 1 && `clip skip ${clip_skip}`, count(hypernetworks?.length, "hypernetwork")) || "none",
  masking: ({ mask_blur, inverted, soft, together }) =>
    list(`blur ${mask_blur}`, inverted && "inverted", soft && "soft", together && together !== "One by one" && together.toLowerCase()),
  fitting: ({ resize_mode, exact_steps }) => list(resize_mode, exact_steps && "all steps"),
  loopback: ({ loops }) => (loops > 1 ? `${loops} times` : "off"),
  tiles: ({ tiling, tile_size, seam_pass }) =>
    tiling === "Off" ? "off" : list(`${tiling}, ${tile_size}`, tiling === "Tile by tile" && seam_pass !== "None" && "seams"),
  several: ({ images }) => (images?.length ? count(images.length, "picture") : "off"),
  enlarged: ({ hires, enlarged_by, width, height }, unnamed, enlargers) => (!enlarged_by ? "none" : hires ? "by hires fix" : enlarged({ width, height }, enlargers[enlarged_by])),
  second: ({ hires, hires_upscaler, hires_factor, hires_width, hires_height, hires_strength, hires_tiling }, unnamed) =>
    hires ? list(hires_width || hires_height ? `${hires_width || "…"} × ${hires_height || "…"}` : `${hires_factor} ×`, enlarges(hires_upscaler, unnamed), per_cent(hires_strength), hires_tiling !== "Off" && "in tiles") : "off",
  enlarging: ({ hires_upscaler }, unnamed) => enlarges(hires_upscaler, unnamed),
  upscaling: ({ upscaler, second_upscaler, blend, upscaler_tile }) =>
    upscaler ? list(second_upscaler && `blended ${per_cent(blend)}`, upscaler_tile ? `tiles of ${upscaler_tile}` : "tiles by memory") : "off",
  length: ({ frames, width, height }) => list(count(frames, "frame"), width && height && `${width} × ${height}`) || "as the model was trained",
  pulled: ({ guidance_first, guidance_last, guidance_shape }) => `${guidance_first} to ${guidance_last}${guidance_shape === "Linear" ? "" : " and back"}`,
  decoded: ({ decode_chunk }) => (decode_chunk ? `${decode_chunk} at a time` : "by memory"),
  windows: ({ begins_with, overlap }) => list(begins_with, `overlap ${overlap}`),
};

// Name of a row -> the choice in it that says which of its fields act. The others are out of sight: see form.css.
/** @type {Record<string, (values: Record<string, any>) => string>} */
const CHOICES = {
  tiles: ({ tiling }) => tiling,
  second: ({ hires_tiling }) => hires_tiling,
  options: (values) => acting(values).join(" ") || "none",
  guidance: ({ guidance_curve, third_look, contrast_as, free_u }) =>
    list(
      guidance_curve === "Steady" && "steady",
      third_look === "None" && "no look",
      third_look !== "SEG" && "no blur",
      !(contrast_as > 0) && "no contrast",
      !(free_u > 0) && "no free",
    ) || "all",
};

const write = (fold, kind) => {
  const says = SAYS[fold.id.slice(kind.length + 1)];
  const button = fold.querySelector(":scope > .label-wrap");
  if (!says || !button || !page.forms[kind]) return;
  const words = says(page.forms[kind], page.lists[kind]?.unnamed ?? {}, page.lists[kind]?.enlargers ?? {});
  const choice = CHOICES[fold.id.slice(kind.length + 1)];
  if (choice) fold.dataset.choice = choice(page.forms[kind]);
  const line = button.querySelector(".row-value") ?? button.appendChild(make("span", { className: "row-value" }));
  if (line.textContent !== words) Object.assign(line, { textContent: words, title: words });
};
const all = (only) => {
  for (const fold of document.querySelectorAll(".row-fold")) {
    const kind = fold.id.split("-")[0];
    if (!only || kind === only) write(fold, kind);
  }
};
on("form", ({ kind }) => queueMicrotask(() => all(kind)));
on("lists", ({ kind }) => all(kind));
on("tab", () => requestAnimationFrame(() => all("")));
