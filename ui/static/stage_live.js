// A job as the server tells of it, over long polls.
import { pause } from "./dom.js";

const RETRY = [500, 1000, 2000, 4000]; // milliseconds between attempts when the server does not answer
const isFinal = (status) => status >= 400 && status < 500 && status !== 408 && status !== 429; // asking again would not help

// The address of something by its id, below the page.
export const address = (kind, id) => `${kind}/${encodeURIComponent(id)}`;

// The server's word on the job after `version`; null when this job is not ours to see. Tries until the server answers, for as long as
// `wanted`; `lost` hears of each attempt that failed.
/** @type {(id: string, version: number, wanted: () => boolean, lost: () => void) => Promise<import("./messages.d.ts").JobNews | null>} */
export const listen = async (id, version, wanted, lost) => {
  for (let attempt = 0; wanted(); attempt += 1) {
    try {
      const answer = await fetch(`${address("live", id)}?after=${version}`, { headers: { Accept: "application/json" } });
      if (isFinal(answer.status)) return null;
      if (!answer.ok) throw new Error(String(answer.status));
      return await answer.json();
    } catch {
      lost();
      await pause(RETRY[Math.min(attempt, RETRY.length - 1)]);
    }
  }
  return null;
};
