// What the surface says and shows: a picture with its caption, a preview, or a sentence where there is neither.
import { find, on, write } from "./dom.js";
import * as page from "./page.js";
import { address } from "./stage_live.js";
import { facts, invitation, named, promise } from "./stage_words.js";

// `props.seeded`: the tabs whose form can take a seed.
export const surface = (part, props) => {
  const speak = (words) => (part("spoken").textContent = words);
  const notice = (words) => write(part("notice"), words);

  const say = (title, advice = "") => {
    part("title").textContent = title;
    part("advice").textContent = advice;
    part("wall").hidden = part("opens").hidden = true;
  };
  // Where the form takes a picture and has no canvas, which on a phone is out of sight.
  const room = () => find(`#tab-${page.open.tab} .source-room [data-part="drop"]`);
  const invite = () => {
    const isIn = !!page.painted[page.open.tab]?.width;
    say(promise(page.open.tab), invitation(page.open.tab, isIn));
    part("opens").hidden = isIn || !room();
    part("wall").hidden = page.open.tab !== "txt2img" || !part("wall").children.length;
  };

  const show = (what) => {
    part("frame").dataset.showing = what;
    part("enlarge").hidden = what !== "picture";
    part("preview").hidden = what !== "preview";
    part("empty").hidden = what !== "empty";
  };
  const describe = (picture) => {
    part("prompt").textContent = picture.prompt || "(no prompt)";
    part("prompt").title = picture.prompt;
    part("facts").textContent = facts(picture);
    part("seed").hidden = !picture.seed || !props.seeded.includes(page.open.tab);
  };
  // Shown when it is complete, so that nothing blinks, and only if it is `wanted` then.
  const load = async (picture, wanted) => {
    const source = `${address("picture", picture.id)}.png`;
    await Object.assign(new Image(), { src: source }).decode().catch(() => {});
    if (!wanted()) return;
    Object.assign(part("picture"), { src: source, alt: named(picture) });
    show("picture");
  };
  part("opens").addEventListener("click", () => room()?.click());
  on("painted", ({ kind }) => kind === page.open.tab && part("title").textContent === promise(kind) && invite());
  return { speak, notice, say, invite, show, describe, load };
};
