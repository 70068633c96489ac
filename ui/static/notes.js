// Under the prompt. Asks the server once after a pause in typing, and never stands in the way of it.
import { notify } from "./desk.js";
import { emit, make, on, parts, typeInto } from "./dom.js";
import { wanted } from "./on_demand.js";
import * as page from "./page.js";
import { promptLayers } from "./prompt_layer.js";
import { timeLines } from "./time_line.js";

const AWAY = "This could not be fetched. See that Atelier still runs, then try again.";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, props, server }) => {
  const part = parts(element);
  const PAUSE = 400; // milliseconds without a change before the server is asked
  const RETRY = 2000; // milliseconds until the next attempt when nobody could count
  const EXAMPLES = 4; // two rows of two
  // What says which steps will run, in what other words, and what acts at some of them.
  const RUN = ["steps", "sampler", "schedule", "sigmas", "denoising_strength", "exact_steps", "hires", "hires_steps", "hires_sampler", "hires_prompt", "hires_negative_prompt", "second_prompt", "carried", "loras", "controls", "refiner", "refiner_start", "guidance_scale", "hires_guidance", "boxes"];
  const PROMPTS = ["prompt", "negative_prompt", "second_prompt", "hires_prompt", "hires_negative_prompt"];
  const layers = promptLayers(props.kind);
  const lines = timeLines(part("lines"), (name) => document.querySelector(`#${props.kind}-${name} textarea`));
  let form = { prompt: "", negative_prompt: "", checkpoint: Object.keys(props.examples)[0], seed: "-1", pictures: 0, run: "[]" };
  let timer = null;
  let tokens = null; // the view of them, once somebody has opened it
  let turn = 0; // an answer that comes after a newer question is thrown away

  const ask = (pause = PAUSE) => {
    clearTimeout(timer);
    timer = setTimeout(answer, pause);
  };

  const answer = async () => {
    const mine = ++turn;
    const { run, ...words } = form;
    const asked = { ...words, prompt: bounded(form.prompt), negative_prompt: bounded(form.negative_prompt), form: Object.fromEntries(JSON.parse(run)) };
    const notes = await server.count(asked).catch(() => ({}));
    if (mine !== turn || !element.isConnected) return;
    showSaid(notes || {});
    showChoices(notes || {});
    showUnknown(notes || {});
    showParts(notes || {});
    showCount(notes || {});
    tokens?.look();
    showSeen(notes || {}, { ...asked.form, prompt: asked.prompt, negative_prompt: asked.negative_prompt });
  };

  // One character more than can be drawn is enough to be told so.
  const bounded = (text) => (text ?? "").slice(0, props.longest + 1);

  // What in the prompts is not understood or does nothing, a sentence each.
  const showSaid = (notes) => {
    const said = (notes.said || []).map((text) => make("li", { textContent: text }));
    part("said").replaceChildren(...said);
  };

  // What will be drawn of choices, and from step to step. The switch for all of them is there where there are some, or where it is on.
  const showChoices = (notes) => {
    part("drawn").replaceChildren(...(notes.drawn || []).map((text) => make("li", { textContent: text })));
    const foot = element.closest(".form-side")?.querySelector(".form-foot");
    if (foot instanceof HTMLElement) foot.dataset.choices = notes.choices || form.pictures ? "yes" : "no";
  };

  // The colours behind the words, and the time lines. Where nobody could read, what was seen last stays.
  const showSeen = (notes, read) => {
    if (!notes.marks) return;
    const texts = Object.fromEntries(PROMPTS.map((name) => [name, read[name]]));
    layers.take(notes.marks, texts);
    lines.show(notes.lines, texts);
  };

  const list = (words) => (words.length > 4 ? `${words.slice(0, 4).join(", ")} and ${words.length - 4} more` : words.join(", "));

  const showUnknown = (notes) => {
    const words = notes.unknown || [];
    part("unknown").textContent = words.length
      ? `The ${notes.name.toLowerCase()} model does not know: ${list(words)}. Add a checkpoint to draw ${words.length > 1 ? "them" : "it"}.`
      : "";
  };

  // A prompt longer than one part of 75 tokens goes to the model in parts; this says where the later ones begin.
  const showParts = (notes) => {
    const parts = notes.parts || [];
    part("parts").textContent = parts.map((text, index) => `Part ${index + 2} begins at “${text}…”`).join(" · ");
  };

  const showCount = (notes) => {
    const counted = Number.isInteger(notes.tokens);
    part("figure").textContent = counted ? `${notes.tokens} / ${notes.limit}` : "…";
    if (!counted && !notes.said) ask(RETRY);
  };

  const showExamples = (checkpoint) => {
    const chips = (props.examples[checkpoint] || []).slice(0, EXAMPLES).map((text) => {
      const chip = make("button", { type: "button", className: "example", textContent: text, title: `Use as the prompt: ${text}` });
      chip.addEventListener("click", () => typeInto(document.querySelector(`#${props.kind}-prompt textarea`), text));
      return chip;
    });
    part("examples").replaceChildren(...chips);
  };

  // Examples are for who has not begun.
  const offer = (prompt) => (part("examples").hidden = !!prompt?.trim());

  /** @param {Record<string, any>} values */
  const hear = (values) => {
    const { prompt, negative_prompt, checkpoint, seed, all_combinations, batch_count, batch_size } = values;
    const pictures = all_combinations ? Math.max(1, Math.round(batch_count * batch_size) || 1) : 0;
    const heard = { prompt, negative_prompt, checkpoint, seed: String(seed ?? -1), pictures, run: JSON.stringify(RUN.map((name) => [name, name === "boxes" ? values[name]?.filter((box) => box.prompt) : values[name]])) };
    layers.follow(PROMPTS);
    if (Object.keys(heard).every((name) => heard[name] === form[name])) return;
    if (checkpoint !== form.checkpoint) showExamples(checkpoint);
    offer(prompt);
    form = heard;
    ask();
  };
  on("form", ({ kind, values }) => kind === props.kind && hear(values));
  part("presets").addEventListener("click", () => emit("presets", { kind: props.kind }));
  part("history").addEventListener("click", () => wanted("prompt_history").then(({ showHistory }) => showHistory(props.kind), () => notify(AWAY)));
  part("count").title = "Tokens of the prompt. The model reads 75 at a time; a longer prompt is read in parts. Press to see which word became which.";
  part("count").addEventListener("click", async () => {
    tokens ??= (await wanted("token_view").catch(() => (notify(AWAY), null)))?.tokenView(part("tokens"), part("count"), props.kind) ?? null;
    tokens?.toggle();
  });
  showExamples(form.checkpoint);
  if (page.forms[props.kind]) hear(page.forms[props.kind]); // a tab that is opened later than the page
  ask(50);
};
