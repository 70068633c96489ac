// The strip below the surface: first what is being drawn, then one's pictures, the newest first.
import { make, wheelSideways } from "./dom.js";
import { address } from "./stage_live.js";
import { named } from "./stage_words.js";

const KEEP = 300; // pictures in the strip

// `part` finds the elements; `choose` hears of the id of a picture that was pressed.
export const strip = (part, choose) => {
  /** @type {import("./messages.d.ts").PictureSummary[]} */
  let pictures = []; // newest first, at most KEEP
  const known = new Set(); // the ids of all pictures that were ever here
  let guest = null; // one of the library that lies on the surface, and may be older than the strip
  const gone = new Map(); // those that were thrown away: id -> {picture, index}

  const thumb = (picture) => {
    const image = make("img", { src: address("thumb", picture.id), alt: "", loading: "lazy", decoding: "async" });
    const looks = { type: "button", title: picture.prompt, "data-picture": picture.id, "aria-label": named(picture) + (picture.seed && `, seed ${picture.seed}`) };
    const button = make("button", looks, image);
    button.addEventListener("click", () => choose(picture.id));
    return make("li", {}, button);
  };

  /** @param {import("./messages.d.ts").PictureSummary[]} fresh oldest first */
  const add = (fresh) => {
    const news = fresh.filter((picture) => !known.has(picture.id)).toReversed();
    if (!news.length) return;
    for (const picture of news) known.add(picture.id);
    pictures = [...news, ...pictures].slice(0, KEEP);
    part("tile").after(...news.map(thumb));
    while (part("strip").children.length > KEEP + 1) part("strip").lastElementChild.remove();
    part("none").hidden = true;
  };

  const buttonOf = (id) => part("strip").querySelector(`button[data-picture="${CSS.escape(id)}"]`);
  // Pictures that were thrown away, and those that are brought back to where they were.
  const remove = (ids) => {
    if (ids.includes(guest?.id)) guest = null;
    for (const id of ids) {
      const index = pictures.findIndex((picture) => picture.id === id);
      if (index < 0) continue;
      gone.set(id, { picture: pictures[index], index });
      pictures = pictures.toSpliced(index, 1);
      buttonOf(id)?.parentElement.remove();
    }
    part("none").hidden = pictures.length > 0;
  };
  const bring = (ids) => {
    for (const { picture, index } of ids.map((id) => gone.get(id)).filter(Boolean).toReversed()) {
      gone.delete(picture.id);
      pictures = pictures.toSpliced(index, 0, picture);
      const row = part("strip").children; // the first one is the tile of what is drawn
      row[Math.min(index, row.length - 1)].after(thumb(picture));
    }
    part("none").hidden = pictures.length > 0;
  };
  const rated = (id, rating) => {
    const button = buttonOf(id);
    button?.querySelector(".strip-stars")?.remove();
    if (button && rating) button.append(make("span", { className: "strip-stars", textContent: "★".repeat(rating) }));
  };

  const mark = (selected) => {
    for (const button of part("strip").querySelectorAll("button[data-picture]")) {
      if (button.dataset.picture === selected) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  };

  // The tile of the job that runs; null when none does.
  /** @param {import("./messages.d.ts").JobNews | null} job */
  const forming = (job) => {
    part("tile").hidden = job?.state !== "running";
    if (job?.state !== "running") return part("tile-picture").removeAttribute("src");
    const share = job.steps ? job.step / job.steps : 0;
    part("tile-share").textContent = `${Math.round(100 * share)} %`;
    part("tile").style.setProperty("--blur", `${Math.round(6 * (1 - share))}px`);
  };
  const frame = (url) => (part("tile-picture").src = url);

  wheelSideways(part("strip"));
  return {
    add, mark, forming, frame, remove, bring, rated,
    invite: (picture) => (guest = picture),
    find: (id) => pictures.find((picture) => picture.id === id) ?? (guest?.id === id ? guest : undefined),
    knows: (id) => known.has(id),
    newest: () => pictures[0],
    beside: (id, by) => pictures[pictures.findIndex((picture) => picture.id === id) + by],
  };
};
