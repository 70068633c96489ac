// The Models tab. Everything that a file says of itself enters as text, never as markup.
import { make, on, parts, pause, write } from "./dom.js";
import * as folds from "./folds.js";
import { addWord } from "./keys.js";
import { wanted } from "./on_demand.js";
import { button, kind as one, libraryCard, redraw, setPicture, size } from "./library_card.js";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, server }) => {
  const part = parts(element);
  const KINDS = {
    checkpoint: "Checkpoints", vae: "VAEs", lora: "LoRAs", embedding: "Embeddings", hypernetwork: "Hypernetworks", controlnet: "ControlNets",
    adapter: "Adapters", upscaler: "Upscalers", text_encoder: "Text encoders", unet: "UNets", unknown: "Unknown",
  };
  const PAUSE = 250; // milliseconds without a key before the list is asked for
  const LOOK = 1500; // milliseconds between looks at downloads and devices while the tab is open
  let chosen = null;
  let detailed = null; // the chosen model as the server told it last
  let checkpoint = "";
  let owner = false;
  let timer = null;
  let turn = 0;
  const told = new Map(); // id of a model -> {words, wrong, busy}: what came of the last act on it, until the next one

  // Each place has its own line, so that nothing that is said in one wipes away what was said in another.
  const say = (place, words) => write(part(place), words);
  // A lost connection is an answer of nothing.
  const ask = async (name, asked = {}) => (await server[name](asked).catch(() => null)) ?? { error: "The studio did not answer. Try again." };
  // An act of a place: its line is emptied, then says what went wrong.
  const attempt = async (place, name, asked) => {
    say(place, "");
    const answer = await ask(name, asked);
    if (answer?.error) say(place, answer.error);
    return answer?.error ? null : answer;
  };

  // ---- the list ----------------------------------------------------------------------------------------------------------

  const facts = (model) => [model.family, model.variant, size(model.size)].filter(Boolean).join(" · ");
  const badge = (model) => make("span", { className: `library-kind kind-${model.kind}`, textContent: one(model.kind) });
  const state = (model) => {
    const trouble = told.get(model.id)?.wrong ? told.get(model.id).words : model.problem;
    if (trouble) return make("span", { className: "library-problem", textContent: trouble });
    const quiet = model.converted ? `Converted: “${model.converted.name}” came of it.` : model.misfit;
    return quiet && make("span", { className: "library-misfit", textContent: quiet });
  };

  // Where the card stands below the list, a choice would be answered out of sight.
  const bring = () => {
    const section = part("details").parentElement;
    if (section.getBoundingClientRect().top > innerHeight * 0.7) section.scrollIntoView({ block: "center" });
  };
  const row = (model) => {
    const picture = model.picture && make("img", { className: "library-picture", src: `cards/${model.id}/picture?of=${model.picture}`, alt: "", loading: "lazy" });
    const inside = [badge(model), make("strong", {}, picture, model.name), make("span", { className: "library-facts", textContent: facts(model) }), state(model)];
    const line = button(model.id, "", () => choose(model.id).then(bring), { className: "", ariaPressed: String(model.id === chosen) });
    line.append(...inside.filter(Boolean));
    return make("li", {}, line);
  };
  let models = [];
  const drawList = () => redraw(part("list"), models.map(row));

  const EMPTY = "No models yet. Put .safetensors files into the folders below models/weights, or start with --models-dir and the folder of another studio.";
  const list = async () => {
    const mine = ++turn;
    const found = await ask("listed", { kind: part("kind").value, search: part("search").value, checkpoint });
    if (mine !== turn || !element.isConnected) return;
    if (found.error) return say("note", found.error);
    owner = found.owner;
    models = found.models;
    drawList();
    part("empty").hidden = models.length > 0;
    part("empty").textContent = part("search").value || part("kind").value ? "Nothing here has that in its name or words." : EMPTY;
    part("count").textContent = found.scanning ? "Looking through the folders…" : `${found.total} ${found.total === 1 ? "file" : "files"}`;
    say("note", found.notes.join(" "));
    offerKinds(found.kinds);
    part("get").hidden = !owner;
    if (owner && !part("good").children.length) part("good").replaceChildren(...found.good.map(good));
    if (!part("sort").children.length) part("sort").append(...found.sorts.map((sort) => make("option", { value: sort, textContent: one(sort) })));
    if (found.scanning) setTimeout(list, LOOK);
  };

  const offerKinds = (kinds) => {
    const now = part("kind").value;
    const options = Object.keys(KINDS).filter((kind) => kinds[kind]).map((kind) => make("option", { value: kind, textContent: `${KINDS[kind]} (${kinds[kind]})` }));
    part("kind").replaceChildren(make("option", { value: "", textContent: "All kinds" }), ...options);
    part("kind").value = now;
  };

  // ---- one model ---------------------------------------------------------------------------------------------------------

  const drawCard = () => {
    if (detailed?.id === chosen) card.show(detailed, told.get(chosen), owner);
  };
  const choose = async (id) => {
    chosen = id;
    for (const line of part("list").querySelectorAll("button")) line.ariaPressed = String(line.dataset.act === id);
    const model = await ask("details", { id, checkpoint });
    if (chosen !== id) return;
    say("gone", model.error ?? "");
    if (!model.error) detailed = model;
    drawCard();
  };

  // Something is done to a file. What comes of it stands on its card until the next act on it. Returns the answer, null for a refusal.
  const act = async (model, name, asked, words = "") => {
    told.set(model.id, { busy: name });
    drawCard();
    const answer = await ask(name, { ...asked, id: model.id });
    told.set(model.id, answer.error ? { words: answer.error, wrong: true } : { words });
    if (name === "convert" && !answer.error) told.set(answer.id, { words: `It was made of “${model.name}”. The old file stays where it is.` });
    await list();
    const next = name === "convert" && !answer.error && chosen === model.id ? answer.id : chosen;
    if (next) await choose(next);
    return answer.error ? null : answer;
  };
  const card = libraryCard(part("details"), {
    act,
    choose: (id) => choose(id),
    picture: async (model, data) => {
      const answer = await setPicture(model.id, data);
      const told_so = answer ? await answer.json().catch(() => ({})) : {};
      told.set(model.id, answer?.ok ? { words: data ? "It has this picture now." : "It has the picture that lies beside its file, if there is one." } : { words: told_so.message || "The studio did not answer. Try again.", wrong: true });
      await list();
      await choose(model.id);
    },
    addWord: ({ said, written }) => {
      addWord("txt2img", written);
      told.set(chosen, { words: `“${said}” is in the prompt of Text to image.` });
      drawCard();
    },
  });

  // ---- devices, downloads ------------------------------------------------------------------------------------------------

  let devices = null;
  const showDevices = async () => {
    const told = await server.devices({}).catch(() => null);
    if (!Array.isArray(told)) return;
    devices ??= (await wanted("library_devices")).devices(part("devices"), (name, asked) => attempt("devices-note", name, asked).then(showDevices));
    devices(told, owner);
  };

  const STATES = { waiting: "waiting", running: "", done: "done", failed: "", cancelled: "stopped; start it again to go on" };
  const fetching = (entry) => {
    const share = entry.total ? entry.done / entry.total : 0;
    const words = [entry.total ? `${size(entry.done)} of ${size(entry.total)}` : "", STATES[entry.state], entry.message].filter(Boolean).join(" · ");
    const item = make("li", {}, make("strong", { textContent: entry.name }), make("span", { className: entry.state === "failed" ? "library-problem" : "library-facts", textContent: words }));
    if (entry.ended) return item;
    const stop = () => attempt("get-note", "cancel", { id: entry.id }).then(showDownloads);
    item.append(make("progress", { max: 1, value: share }), button(entry.id, "Stop", stop, { className: "quiet small", ariaLabel: `Stop ${entry.name}` }));
    return item;
  };
  const showDownloads = async () => {
    if (!owner) return;
    const found = await server.downloads({}).catch(() => null);
    if (Array.isArray(found)) redraw(part("downloads"), found.map(fetching));
  };

  const good = (model) => {
    const fetch = () => attempt("get-note", "download", model).then(showDownloads);
    const press = button(model.filename, "Download", fetch, { className: "quiet small", ariaLabel: `Download ${model.name}` });
    const about = `${model.family} · ${size(model.size)} · ${model.licence}`;
    return make("li", {}, make("strong", { textContent: model.name }), make("span", { className: "library-facts", textContent: about }), make("p", { textContent: model.why }), press);
  };

  part("fetch").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await attempt("get-note", "download", Object.fromEntries(new FormData(part("fetch"))))) showDownloads();
  });

  // ---- what sets it going ------------------------------------------------------------------------------------------------

  const visible = () => element.isConnected && element.getClientRects().length > 0 && !document.hidden;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(list, PAUSE);
  };
  part("search").addEventListener("input", soon);
  part("kind").addEventListener("change", list);
  part("rescan").addEventListener("click", async () => {
    part("count").textContent = "Looking through the folders…";
    const answer = await ask("rescan");
    if (answer.error) say("note", answer.error);
    else setTimeout(list, PAUSE);
  });
  on("library", () => list().then(() => chosen && choose(chosen)));
  on("form", ({ values }) => {
    if (values.checkpoint === checkpoint) return;
    checkpoint = values.checkpoint;
    soon();
    if (chosen) choose(chosen);
  });
  const watchLibrary = async () => {
    while (element.isConnected) {
      if (visible()) await Promise.all([showDevices().catch(() => null), showDownloads()]);
      await pause(LOOK);
    }
  };
  part("details").append(make("p", { className: "library-quiet", textContent: "Choose a model to see what it is." }));
  folds.details(part("start"), "models-start");
  list();
  watchLibrary();
};
