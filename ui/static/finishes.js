// Finishes: the list that is saved, and pictures that are put into the queue with one, a part of a long order at a time.
import { notify } from "./desk.js";
import { emit } from "./dom.js";
import { many } from "./marks.js";
import { forms } from "./page.js";
import { showPage } from "./panel.js";

/** @typedef {import("./messages.d.ts").FinishLine} Finish */
/** @typedef {import("./messages.d.ts").FinishStepLine} Step */

const PART = 10; // pictures that are sent together
const LONG = 600_000; // milliseconds that the line stays which says how far a long order is
const AWAY = "The server did not answer. See that Atelier still runs, then try again.";

/** @type {Finish[]} */
let known = [];

// The server's answer. Raises an error with its sentence when it refuses.
/** @type {(path?: string, order?: import("./messages.d.ts").FinishOrder) => Promise<any>} */
export const ask = async (path = "", order = null) => {
  const options = order && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(order) };
  const answer = await fetch(`finishes${path}`, options ?? {}).catch(() => null);
  const told = answer ? await answer.json().catch(() => ({})) : {};
  if (!answer?.ok) throw new Error(told.message || AWAY);
  return told;
};

export const all = () => known;
// Looks the list up anew; whoever shows it hears of it.
export const load = async () => {
  known = (await ask()).finishes;
  emit("finishes", { finishes: known });
  return known;
};

// What the form of a kind holds, as a step. What is painted on a canvas is no part of one, so the canvas need not hand anything over.
/** @type {(kind: string) => Promise<Step>} */
export const stepOf = (kind) => ask("/step", { kind, values: forms[kind] ?? {} });

/** What a step is to the server. @type {(step: Step) => { request: Record<string, any>, own: boolean, keep: boolean }} */
export const plain = ({ request, own, keep }) => ({ request, own, keep });

const done = (count, name) => `“${name}”: ${many(count)} ${count === 1 ? "is" : "are"} in the queue.`;

// `what`: the id of a saved finish, or steps. A long order can be stopped; what is in the queue by then stays there.
/** @type {(ids: string[], what: { id?: string, steps?: Step[] }, name: string) => Promise<boolean>} */
export const apply = async (ids, { id = "", steps = [] }, name) => {
  let count = 0;
  let stopped = false;
  try {
    while (count < ids.length && !stopped) {
      if (ids.length > PART) notify(`“${name}”: ${count} of ${many(ids.length)} are in the queue…`, { says: "Stop", does: () => (stopped = true) }, LONG);
      const part = ids.slice(count, count + PART);
      await ask("/apply", { ids: part, of: ids.length - count, ...(id ? { id } : { steps: steps.map(plain) }) });
      count += part.length;
    }
  } catch (problem) {
    notify(`${count ? `${done(count, name)} The others are not. ` : ""}${problem.message}`);
    return false;
  }
  notify(done(count, name), { says: "Show the queue", does: () => showPage("queue") });
  return true;
};
