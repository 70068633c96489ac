// What draws here, in the Models tab: each device with its memory, what lies in it, how quick it is and what it draws at this moment.
import { make } from "./dom.js";
import { button, redraw, size } from "./library_card.js";

const ago = (seconds) => (seconds < 90 ? "just now" : seconds < 5400 ? `${Math.round(seconds / 60)} minutes ago` : `${Math.round(seconds / 3600)} hours ago`);
const facts = (...words) => make("span", { className: "library-facts", textContent: words.filter(Boolean).join(" · ") });
const percent = (share) => `${Math.round(share * 100)} %`;
const pace = (seconds) => (seconds === null ? "" : `${seconds < 0.01 ? seconds.toFixed(4) : seconds < 10 ? seconds.toFixed(2) : Math.round(seconds)} s a step of 512 × 512`);

const doing = ({ state, message, paused, draws, words, share, coming }) => {
  if (draws && coming) return `Gets models${words ? ` for “${words}”` : ""} · ${coming}`;
  if (draws) return `${paused ? "Pauses after this batch:" : "Draws"}${words ? ` “${words}”` : ""} · ${percent(share)}`;
  if (state !== "ready") return message;
  return paused ? "Paused: it takes no jobs." : "Free";
};

const memory = ({ used, memory }) => {
  if (!memory) return [];
  const meter = make("progress", { max: memory, value: Math.min(used, memory), ariaLabel: "Memory in use" });
  return [meter, facts(`${size(used)} of ${size(memory)} hold models`)];
};

// `act`: does what the owner asks of the server, and has all of this shown anew.
/** @type {(box: HTMLElement, act: (name: string, asked: object) => void) => (told: import("./messages.d.ts").DeviceRow[], owner: boolean) => void} */
export const devices = (box, act) => (told, owner) => {
  const held = (entry) => {
    const where = entry.tier === "device" ? "on the graphics card" : "in main memory";
    const when = entry.in_use ? "in use" : ago(Date.now() / 1000 - entry.last_used);
    const item = make("li", {}, make("span", { className: "device-held" }, make("strong", { textContent: entry.name }), facts(`${size(entry.bytes)} ${where}`, when)));
    const unload = () => act("unload", { id: entry.id });
    if (owner && !entry.in_use) item.append(button(entry.id, "Unload", unload, { className: "quiet small", ariaLabel: `Unload ${entry.name}` }));
    return item;
  };
  const one = (device) => {
    const title = device.title || "Device";
    const named = told.length > 1 ? `${device.number + 1}. ${title}` : title;
    const head = make("div", { className: "device-head" }, make("strong", { textContent: named }));
    const pause = () => act("pause", { number: device.number, pauses: !device.paused });
    const looks = { className: "quiet small", ariaLabel: `${device.paused ? "Let go on" : "Pause"}: ${named}` };
    if (owner) head.append(button(`pause ${device.number}`, device.paused ? "Go on" : "Pause", pause, looks));
    const wrong = device.state === "failed" || device.state === "troubled";
    const line = make("span", { className: wrong && !device.draws ? "library-problem" : "library-facts", textContent: doing(device) });
    const empty = make("li", { className: "library-quiet", textContent: "No model yet. The first picture loads its checkpoint." });
    const list = make("ul", {}, ...(device.held.length ? device.held.map(held) : device.memory ? [empty] : []));
    return make("li", { className: device.paused ? "device paused" : "device" }, head, line, ...memory(device), facts(pace(device.seconds)), list);
  };
  redraw(box, told.map(one));
};
