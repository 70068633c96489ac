// Clips that are compared play in step. Here they are made to stand, and stepped through together, each frame as it was decoded.
import { again } from "./compare_step.js";
import { make } from "./dom.js";
import { address } from "./stage_live.js";

/**
 * @param {any} room is filled with what hands use
 * @param {{ id: string, image: any, file: Blob | null }[]} pictures that have come
 * @param {{ frames: number, pace: number }[]} told of each of them
 * @param {() => void} changed called when other frames are seen
 */
export const transport = (room, pictures, told, changed) => {
  const most = Math.max(...told.map(({ frames }) => frames));
  const pace = Math.max(...told.map((each) => each.pace)) || 7;
  let [begun, at, turn] = [performance.now(), 0, 0];
  const slider = make("input", { type: "range", min: "0", max: String(most - 1), value: "0", "aria-label": "Frame" });
  const figure = make("output", { className: "compare-zoom" });
  const plays = make("button", { type: "button", className: "quiet", textContent: "Pause", title: "Play the clips, or have them stand" });
  const step = (by, says, title) => {
    const made = make("button", { type: "button", className: "quiet", textContent: says, title, "aria-label": title });
    made.addEventListener("click", () => stand(at + by));
    return made;
  };
  const tell = () => {
    slider.value = String(at);
    figure.textContent = `${at + 1} / ${most}`;
  };
  const frame = async ({ id, image }, { frames }, mine) => {
    const next = make("img", { src: `${address("picture", id)}/frames/${Math.min(at, frames - 1)}.png` });
    const came = await next.decode().then(() => true, () => false);
    if (came && mine === turn) image.src = next.src;
    return image.decode().catch(() => {});
  };
  const follow = () => {
    at = Math.floor(((performance.now() - begun) * pace) / 1000) % most;
    tell();
  };
  let timer = window.setInterval(follow, 1000 / pace);
  const stand = async (to) => {
    clearInterval(timer);
    timer = 0;
    plays.textContent = "Play";
    at = (to + most) % most;
    tell();
    const mine = (turn += 1);
    await Promise.all(pictures.map((each, place) => told[place].frames > 1 && frame(each, told[place], mine)));
    if (mine === turn) changed();
  };
  const play = () => {
    turn += 1;
    begun = performance.now();
    timer = window.setInterval(follow, 1000 / pace);
    plays.textContent = "Pause";
    again(pictures);
  };
  plays.addEventListener("click", () => (timer ? stand(at) : play()));
  slider.addEventListener("input", () => stand(Number(slider.value)));
  room.replaceChildren(plays, step(-1, "‹", "One frame back"), slider, step(1, "›", "One frame on"), figure);
  tell();
  return () => (clearInterval(timer), (turn += 1), room.replaceChildren());
};
