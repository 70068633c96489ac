// The weights that a preprocessor lacks: for the owner a button that downloads them, then how far they are, and what went wrong.
import { emit, make, write } from "./dom.js";

const LOOK = 500; // milliseconds between looks at a download
const NO_ANSWER = "The studio did not answer. Try again.";

const size = (bytes) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
const files = (count) => (count === 1 ? "1 file" : `${count} files`);
/** @param {Record<string, any>} told */
const progress = ({ done, total, arrived, files: count }) => {
  const bytes = total ? `${size(done)} of ${size(total)} MB` : done ? `${size(done)} MB` : "Asking the hub…";
  return count > 1 ? `${bytes} · ${arrived} of ${files(count)}` : bytes;
};

// `server` answers fetch_weights, stop_weights, weights_state; `asked` hears the name of what this page has begun to download.
// show(maker): a preprocessor as the server describes it, with `download` where this person may fetch its weights.
export const unitWeights = (server, asked = /** @type {(name: string) => void} */ (() => {})) => {
  const begin = make("button", { type: "button", className: "quiet small", "data-part": "fetch" });
  const bar = make("progress", { max: 1, "aria-label": "Download" });
  const words = make("span", { className: "unit-info" });
  const stop = make("button", { type: "button", className: "unit-way", textContent: "Stop", "data-part": "stop-fetch" });
  const going = make("div", { className: "weights-going", hidden: true }, bar, words, stop);
  const problem = make("p", { className: "unit-problem", role: "alert", hidden: true });
  const root = make("div", { className: "unit-weights", hidden: true }, begin, going, problem);
  let maker = null;
  /** @type {Record<string, any>} */
  let told = {}; // what the server says of the download
  let turn = 0; // of what is shown: answers about another one are thrown away
  let timer = null;

  const draw = () => {
    root.hidden = !maker?.download;
    if (root.hidden) return;
    const runs = told.state === "running";
    begin.hidden = runs || told.state === "done";
    begin.textContent = `Download (${files(maker.download.files)}, from ${maker.download.repo})`;
    going.hidden = begin.hidden === false;
    stop.hidden = !runs;
    write(words, !runs ? "It is there." : told.stopping ? "Stopping…" : progress(told));
    if (told.total) bar.value = told.done / told.total;
    else bar.removeAttribute("value");
    write(problem, told.error || told.message);
  };
  const look = async () => {
    clearTimeout(timer);
    const mine = turn;
    const answer = await server.weights_state({ name: maker.name }).catch(() => null);
    if (mine !== turn) return;
    told = answer ? { ...answer, stopping: told.stopping && answer.state === "running" } : { ...told, state: "", error: NO_ANSWER };
    if (told.state === "running") timer = setTimeout(look, LOOK);
    if (told.state === "done") emit("look"); // the lists of the page are asked for anew
    draw();
  };
  const act = async (name, now) => {
    told = now;
    draw();
    const mine = turn;
    const answer = await server[name]({ name: maker.name }).catch(() => ({ error: NO_ANSWER }));
    if (mine !== turn) return;
    if (!answer.error) return look();
    told = { error: answer.error };
    draw();
  };
  begin.addEventListener("click", () => (asked(maker.name), act("fetch_weights", { state: "running", done: 0, files: maker.download.files, arrived: 0 })));
  stop.addEventListener("click", () => act("stop_weights", { ...told, stopping: true }));

  const show = (next) => {
    const another = next?.name !== maker?.name;
    maker = next ?? null;
    if (another) {
      turn += 1;
      told = {};
      clearTimeout(timer);
      if (maker?.download) look(); // it may be on its way already
    }
    draw();
  };
  return { root, show };
};
