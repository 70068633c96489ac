// The Inside tab, once it is open: one picture with its panels beside it. A panel says in two sentences what one sees, and what it needs of
// the model is looked for when it is first opened; that can be stopped.
import { make, parts, pause, write } from "./dom.js";
import { ASKED, GOES_ON, POST, asked, stopLooks } from "./inside_asked.js";
import { attention } from "./inside_attention.js";
import { guidance } from "./inside_guidance.js";
import { latents } from "./inside_latents.js";
import { likeness } from "./inside_likeness.js";
import { noise } from "./inside_noise.js";
import { walk } from "./inside_walk.js";
import { words } from "./inside_words.js";
import { address } from "./stage_live.js";

/** @typedef {import("./messages.d.ts").InsidePicture} Picture */
/** @typedef {import("./messages.d.ts").InsideLook} Look */
/** @typedef {{ body: HTMLElement, foot: HTMLElement, stage: ReturnType<typeof surface>, picture: Picture, file: (part: string, name: string) => string, look: (part: string, act: (look: Look) => void, offer?: string) => void, ask: (more: string) => Promise<any> }} Desk */
/** @typedef {{ name: string, title: string, head: string, says: string, show: (desk: Desk) => void }} Panel */

/** @type {Panel[]} */
const PANELS = [noise, latents, words, attention, guidance, likeness, walk];

// The picture, what is laid over it, and what is written under it.
const surface = (part) => ({
  show(source, words) {
    if (part("picture").getAttribute("src") !== source) part("picture").src = source;
    part("picture").alt = words;
  },
  say: (words) => write(part("caption"), words),
  over: part("over"),
});

const skeleton = () => [
  make("p", { className: "inside-empty", "data-part": "empty", hidden: true }),
  make("div", { className: "inside-stage", "data-part": "stage" },
    make("div", { className: "inside-frame", "data-part": "frame" }, make("img", { "data-part": "picture", alt: "" }), make("canvas", { "data-part": "over", hidden: true })),
    make("p", { className: "inside-caption", "data-part": "caption", role: "status", hidden: true }),
    make("div", { className: "inside-foot", "data-part": "foot" })),
  make("section", { className: "inside-panels", "data-part": "side", "aria-label": "What is seen inside" },
    make("div", { className: "inside-tabs", role: "tablist", "aria-label": "Panels", "data-part": "tabs" }),
    make("h2", { className: "inside-title", "data-part": "title" }),
    make("p", { className: "inside-says", "data-part": "says" }),
    make("div", { className: "inside-body", "data-part": "body" })),
];

/** @type {(root: HTMLElement) => { show: (id: string) => void }} */
export const inside = (root) => {
  root.replaceChildren(...skeleton());
  const part = parts(root);
  const stage = surface(part);
  let panel = PANELS[0];
  /** @type {Picture | null} */
  let picture = null;
  let turn = 0; // what belongs to an earlier picture or panel is not shown any more
  let shown = "";

  const tabs = PANELS.map((each) => {
    const button = make("button", { type: "button", role: "tab", id: `inside-tab-${each.name}`, textContent: each.title });
    button.addEventListener("click", () => open(each));
    return button;
  });
  part("tabs").append(...tabs);
  part("tabs").addEventListener("keydown", ({ key }) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!by) return;
    const next = (PANELS.indexOf(panel) + by + PANELS.length) % PANELS.length;
    open(PANELS[next]);
    tabs[next].focus();
  });

  const empty = (words) => {
    write(part("empty"), words);
    part("stage").hidden = part("side").hidden = !!words;
  };

  // ---- looks ---------------------------------------------------------------------------------------------------------------

  // Asks for a look and shows how far it has come; `act` hears of each news that has found something. With `offer` a press begins it.
  const look = async (name, act, offer = "") => {
    const mine = turn;
    const line = make("div", { className: "inside-look" });
    part("body").prepend(line);
    const place = `${address("inside", picture.id)}/${name}`;
    const way = (words, does, className = "quiet") => {
      const button = make("button", { type: "button", className, textContent: words });
      button.addEventListener("click", does);
      return button;
    };
    const follow = async (first) => {
      for (let told = first; mine === turn; told = await asked(place)) {
        draw(told);
        if (!GOES_ON.includes(told.state)) return;
        await pause(ASKED);
      }
    };
    const begin = () => asked(place, POST).then(follow).catch(fail);
    const fail = (error) => mine === turn && line.replaceChildren(make("p", { className: "inside-problem", role: "alert", textContent: error.message }), way("Try again", begin));
    /** @param {Look} told */
    const draw = (told) => {
      if (mine !== turn) return;
      line.hidden = told.state === "done";
      if (told.state === "failed") fail(new Error(told.message));
      if (told.state === "stopped") line.replaceChildren(make("p", { textContent: "Stopped." }), way("Look again", begin));
      if (GOES_ON.includes(told.state)) line.replaceChildren(...progress(told));
      if (told.found) act(told);
    };
    const progress = ({ state, step, steps }) => {
      const words = state === "waiting" ? "Waits for the picture that is being drawn" : step ? `${step} of ${steps}` : "Making ready";
      const bar = make("progress", { max: steps || 1, "aria-label": words });
      if (step) bar.value = step;
      return [bar, make("span", { textContent: words }), way("Stop", stopLooks)];
    };
    const known = await asked(place).catch(() => null);
    if (mine !== turn) return;
    if (known && known.state !== "none") return follow(known).catch(fail);
    if (offer) line.replaceChildren(way(offer, begin, "inside-begin"));
    else begin();
  };

  // ---- which picture, which panel ---------------------------------------------------------------------------------------------

  const open = (next) => {
    panel = next;
    turn += 1;
    PANELS.forEach((each, index) => {
      tabs[index].setAttribute("aria-selected", String(each === panel));
      tabs[index].tabIndex = each === panel ? 0 : -1;
    });
    part("title").textContent = panel.head;
    part("says").textContent = panel.says;
    part("body").replaceChildren();
    part("foot").replaceChildren();
    part("over").hidden = true;
    stage.say("");
    if (!picture) return;
    stage.show(`${address("picture", picture.id)}.png`, "The picture that is looked into");
    if (picture.blocked) return part("body").append(make("p", { className: "inside-problem", textContent: picture.blocked }));
    panel.show({
      body: part("body"),
      foot: part("foot"),
      stage,
      picture,
      file: (name, file) => `${address("inside", picture.id)}/${name}/${file}`,
      look,
      ask: (more) => asked(`${address("inside", picture.id)}${more}`),
    });
  };
  return {
    async show(id) {
      if (!id) return empty("No picture is chosen yet. Draw one, or choose one of the strip, and see here how its model made it.");
      if (id === shown) return;
      shown = id;
      try {
        const told = await asked(address("inside", id));
        if (shown !== id) return;
        picture = told;
        empty("");
        open(panel);
      } catch (error) {
        if (shown === id) ((shown = ""), empty(error.message));
      }
    },
  };
};
