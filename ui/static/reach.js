// Where the studio is reached, for its owner: addresses for others, and what to compare when a browser warns.
import { make } from "./dom.js";

const PAIRS = 8; // of a fingerprint in a line

/** @type {(fingerprint: string) => string} */
export const inLines = (fingerprint) => fingerprint.split(":").map((pair, at) => pair + (at % PAIRS === PAIRS - 1 ? "\n" : " ")).join("").trim();

/** @param {(name: string) => any} part @param {(address: string) => Promise<import("./messages.d.ts").ReachNews | null>} asked */
export const reach = (part, asked) => ({
  look: async () => {
    const news = await asked("reach");
    if (!news) return;
    part("places").replaceChildren(...news.addresses.map((address) => make("li", { textContent: address })));
    part("reach-none").hidden = news.addresses.length > 0;
    part("certificate").hidden = !news.certificate;
    part("authority").textContent = news.certificate;
    part("fingerprint").textContent = inLines(news.fingerprint);
    part("reach").hidden = false;
  },
});
