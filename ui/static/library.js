// The Models tab. Everything that a file says of itself enters as text, never as markup.
const part = (name) => element.querySelector(`[data-part="${name}"]`);
const make = (tag, looks = {}, ...inside) => {
  const made = Object.assign(document.createElement(tag), looks);
  made.append(...inside.filter((piece) => piece !== "" && piece != null));
  return made;
};
const KINDS = {
  checkpoint: "Checkpoints", vae: "VAEs", lora: "LoRAs", embedding: "Embeddings", hypernetwork: "Hypernetworks", controlnet: "ControlNets",
  adapter: "Adapters", upscaler: "Upscalers", text_encoder: "Text encoders", unet: "UNets", unknown: "Unknown",
};
const ONE = {
  checkpoint: "checkpoint", vae: "VAE", lora: "LoRA", embedding: "embedding", hypernetwork: "hypernetwork", controlnet: "ControlNet",
  upscaler: "upscaler",
};
const PAUSE = 250; // milliseconds without a key before the list is asked for
const LOOK = 1500; // milliseconds between looks at downloads and memory while the tab is open
let chosen = null;
let checkpoint = "";
let owner = false;
let timer = null;
let turn = 0;

const size = (bytes) => (bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`);
const say = (words) => {
  part("note").textContent = words;
  part("note").hidden = !words;
};
// Answers with {error: sentence} are told; a lost connection too.
const ask = async (name, asked = {}) => {
  const answer = await server[name](asked).catch(() => ({ error: "The studio did not answer. Try again." }));
  if (answer?.error) say(answer.error);
  return answer?.error ? null : answer;
};

// ---- the list ----------------------------------------------------------------------------------------------------------

const facts = (model) => [model.family, model.variant, size(model.size)].filter(Boolean).join(" · ");
const badge = (model) => make("span", { className: `library-kind kind-${model.kind}`, textContent: ONE[model.kind] ?? model.kind.replace("_", " ") });

const row = (model) => {
  const button = make("button", { type: "button" }, badge(model), make("strong", { textContent: model.name }), make("span", { className: "library-facts", textContent: facts(model) }));
  button.dataset.model = model.id;
  button.setAttribute("aria-pressed", String(model.id === chosen));
  if (model.problem) button.append(make("span", { className: "library-problem", textContent: model.problem }));
  else if (model.misfit) button.append(make("span", { className: "library-misfit", textContent: model.misfit }));
  button.addEventListener("click", () => choose(model.id));
  return make("li", {}, button);
};

const EMPTY = "No models yet. Put .safetensors files into the folders below models/weights, or start with --models-dir and the folder of another studio.";
const list = async () => {
  const mine = ++turn;
  const found = await ask("listed", { kind: part("kind").value, search: part("search").value, checkpoint });
  if (!found || mine !== turn || !element.isConnected) return;
  owner = found.owner;
  part("list").replaceChildren(...found.models.map(row));
  part("empty").hidden = found.models.length > 0;
  part("empty").textContent = part("search").value || part("kind").value ? "Nothing here has that in its name or words." : EMPTY;
  part("count").textContent = found.scanning ? "Looking through the folders…" : `${found.total} ${found.total === 1 ? "file" : "files"}`;
  say(found.notes.join(" "));
  offerKinds(found.kinds);
  part("get").hidden = !owner;
  if (owner && !part("good").children.length) part("good").replaceChildren(...found.good.map(good));
  if (found.scanning) setTimeout(list, LOOK);
};

const offerKinds = (kinds) => {
  const now = part("kind").value;
  const options = Object.keys(KINDS).filter((kind) => kinds[kind]).map((kind) => make("option", { value: kind, textContent: `${KINDS[kind]} (${kinds[kind]})` }));
  part("kind").replaceChildren(make("option", { value: "", textContent: "All kinds" }), ...options);
  part("kind").value = now;
};

// ---- one model ---------------------------------------------------------------------------------------------------------

const choose = async (id) => {
  chosen = id;
  for (const button of part("list").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.model === id));
  const model = await ask("details", { id, checkpoint });
  if (model && chosen === id) showDetails(model);
};

const line = (name, ...value) => make("div", { className: "library-line" }, make("dt", { textContent: name }), make("dd", {}, ...value));

const showDetails = (model) => {
  const box = part("details");
  box.replaceChildren(make("h3", { textContent: model.name }));
  if (model.problem) box.append(make("p", { className: "library-problem", textContent: model.problem }));
  if (model.misfit) box.append(make("p", { className: "library-misfit", textContent: model.misfit }));
  const hash = model.hash ? make("code", { textContent: model.hash.slice(0, 10), title: model.hash }) : owner ? hashButton(model) : "not computed yet";
  const prediction = { v_prediction: "v", epsilon: "epsilon" }[model.prediction] ?? "";
  box.append(make("dl", {}, line("Kind", [ONE[model.kind] ?? model.kind, model.family, model.variant].filter(Boolean).join(", ")), line("Size", size(model.size)), prediction ? line("Predicts", prediction) : "", line("SHA-256", hash)));
  if (model.words.length) box.append(make("p", { className: "library-quiet", textContent: "Words that wake it; a click puts one into the prompt:" }), make("div", { className: "rack-words" }, ...model.words.map(word)));
  else if (model.kind === "embedding") box.append(make("p", { className: "library-quiet", textContent: "Its name in a prompt wakes it:" }), make("div", { className: "rack-words" }, word(model.called)));
  if (model.pickle && owner) box.append(convertButton(model));
  if (model.kind === "checkpoint" && !model.problem && owner) box.append(decisions(model));
  const texts = Object.entries(model.metadata);
  if (texts.length) box.append(make("details", {}, make("summary", { textContent: `Metadata (${texts.length})` }), make("dl", { className: "library-metadata" }, ...texts.map(([key, value]) => line(key, value)))));
};

const word = (text) => {
  const chip = make("button", { type: "button", className: "rack-word", textContent: text });
  chip.addEventListener("click", () => {
    atelier.addWord("txt2img", text);
    say(`“${text}” is in the prompt of Text to image.`);
  });
  return chip;
};

const hashButton = (model) => {
  const button = make("button", { type: "button", className: "quiet small", textContent: "Compute" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = "Reading the file…";
    await ask("hash", { id: model.id });
  });
  return button;
};

const convertButton = (model) => {
  const button = make("button", { type: "button", className: "quiet", textContent: "Convert to safetensors" });
  button.title = "Reads the file once, in a process of its own that can do nothing else. The old file stays.";
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = "Converting…";
    const made = await ask("convert", { id: model.id, kind: model.kind === "unknown" ? "" : model.kind });
    button.disabled = false;
    button.textContent = "Convert to safetensors";
    if (made) await list().then(() => choose(made.id));
  });
  return button;
};

const decisions = (model) => {
  const own = model.decided;
  const select = (name, options, value) => {
    const made = make("select", { name }, ...options.map(([id, words]) => make("option", { value: id, textContent: words })));
    made.value = value ?? "";
    return made;
  };
  const number = (name, value, step) => make("input", { name, type: "number", step, value: value ?? "", placeholder: "as it was" });
  const form = make("form", { className: "library-form" },
    make("label", {}, "Predicts", select("prediction_type", [["", "as found"], ["epsilon", "epsilon"], ["v_prediction", "v"]], own.prediction_type)),
    make("label", {}, "Zero terminal SNR", select("zero_terminal_snr", [["", "as found"], ["true", "yes"], ["false", "no"]], own.zero_terminal_snr == null ? "" : String(own.zero_terminal_snr))),
    make("label", {}, "Its VAE", select("vae", [["", "its own"], ...model.vaes.map((vae) => [vae.id, vae.name])], own.vae)),
    make("label", {}, "Steps", number("steps", own.steps, 1)),
    make("label", {}, "Guidance", number("guidance_scale", own.guidance_scale, 0.1)),
    make("button", { type: "submit", className: "quiet", textContent: "Keep" }));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(form));
    const asked = { id: model.id, prediction_type: given.prediction_type, vae: given.vae, zero_terminal_snr: { true: true, false: false }[given.zero_terminal_snr] ?? null };
    for (const name of ["steps", "guidance_scale"]) if (given[name] !== "") asked[name] = Number(given[name]);
    if (await ask("override", asked)) say(`Kept for “${model.name}”, wherever the file lies.`);
  });
  return make("details", {}, make("summary", { textContent: "Use it differently" }), form);
};

// ---- memory, downloads -------------------------------------------------------------------------------------------------

const ago = (seconds) => (seconds < 90 ? "just now" : seconds < 5400 ? `${Math.round(seconds / 60)} minutes ago` : `${Math.round(seconds / 3600)} hours ago`);
const held = (entry) => {
  const where = entry.tier === "device" ? "on the graphics card" : "in main memory";
  const when = entry.in_use ? "in use" : ago(Date.now() / 1000 - entry.last_used);
  const item = make("li", {}, make("strong", { textContent: entry.name }), make("span", { className: "library-facts", textContent: `${size(entry.bytes)} ${where} · ${when}` }));
  if (owner && !entry.in_use) {
    const button = make("button", { type: "button", className: "quiet small", textContent: "Unload" });
    button.setAttribute("aria-label", `Unload ${entry.name}`);
    button.addEventListener("click", () => ask("unload", { id: entry.id }).then(showMemory));
    item.append(button);
  }
  return item;
};
const showMemory = async () => {
  const lines = await server.memory({}).catch(() => null);
  if (!Array.isArray(lines)) return;
  const none = make("li", { className: "library-quiet", textContent: "Nothing yet. The first picture loads its checkpoint." });
  part("memory").replaceChildren(...(lines.length ? lines.map(held) : [none]));
};

const STATES = { waiting: "waiting", running: "", done: "done", failed: "", cancelled: "stopped; start it again to go on" };
const fetching = (entry) => {
  const share = entry.total ? entry.done / entry.total : 0;
  const words = [entry.total ? `${size(entry.done)} of ${size(entry.total)}` : "", STATES[entry.state], entry.message].filter(Boolean).join(" · ");
  const item = make("li", {}, make("strong", { textContent: entry.name }), make("span", { className: entry.state === "failed" ? "library-problem" : "library-facts", textContent: words }));
  if (entry.ended) return item;
  const stop = make("button", { type: "button", className: "quiet small", textContent: "Stop" });
  stop.addEventListener("click", () => ask("cancel", { id: entry.id }).then(showDownloads));
  item.append(make("progress", { max: 1, value: share }), stop);
  return item;
};
const showDownloads = async () => {
  if (!owner) return;
  const found = await server.downloads({}).catch(() => null);
  if (Array.isArray(found)) part("downloads").replaceChildren(...found.map(fetching));
};

const good = (model) => {
  const button = make("button", { type: "button", className: "quiet small", textContent: "Download" });
  button.setAttribute("aria-label", `Download ${model.name}`);
  button.addEventListener("click", () => ask("download", model).then(showDownloads));
  const about = `${model.family} · ${size(model.size)} · ${model.licence}`;
  return make("li", {}, make("strong", { textContent: model.name }), make("span", { className: "library-facts", textContent: about }), make("p", { textContent: model.why }), button);
};

part("fetch").addEventListener("submit", async (event) => {
  event.preventDefault();
  say("");
  if (await ask("download", Object.fromEntries(new FormData(part("fetch"))))) showDownloads();
});
part("sort").append(...Object.entries(ONE).map(([kind, words]) => make("option", { value: kind, textContent: words })));

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
  await ask("rescan");
  setTimeout(list, PAUSE);
});
window.addEventListener("atelier:library", () => list().then(() => chosen && choose(chosen)));
window.addEventListener("atelier:form", (event) => {
  if (event.detail.values.checkpoint === checkpoint) return;
  checkpoint = event.detail.values.checkpoint;
  soon();
});
const watchLibrary = async () => {
  while (element.isConnected) {
    if (visible()) await Promise.all([showMemory(), showDownloads()]);
    await new Promise((done) => setTimeout(done, LOOK));
  }
};
part("details").append(make("p", { className: "library-quiet", textContent: "Choose a model to see what it is." }));
list();
watchLibrary();
