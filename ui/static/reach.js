// Where the studio is reached, for its owner: addresses for others, what to compare when a browser warns, and a tunnel.
import { make } from "./dom.js";

/** @typedef {import("./messages.d.ts").ReachNews} News */

const BY_NAME = /\.local(:\d+)?$/;
const PAIRS = 8; // of a fingerprint in a line

/** @type {(fingerprint: string) => string} */
export const inLines = (fingerprint) => fingerprint.split(":").map((pair, at) => pair + (at % PAIRS === PAIRS - 1 ? "\n" : " ")).join("").trim();

/** How a tunnel stands, in a sentence. @type {(news: News) => string} */
export const tunnelWords = ({ ways, tunnel: { state, way, said } }) => {
  const known = ways.find((each) => each.name === way);
  const told = said && ` ${said}`;
  if (state === "opening") return `The tunnel by ${known?.says ?? way} opens…${told}`;
  if (state === "open") return `A tunnel by ${known?.says ?? way}: ${known?.reaches ?? "others"} can open a link by it.`;
  if (state === "lost") return `The tunnel has closed by itself.${told}`;
  return ways.length ? "Others far away come in by a tunnel, if they have a link." : "With tailscale or cloudflared installed, others far away come in by a tunnel, which is opened here.";
};

/** @param {(name: string) => any} part @param {(address: string, body?: object) => Promise<any>} asked */
export const reach = (part, asked) => {
  let before = "";
  let lost = false; // a tunnel, which was told
  const act = async (address, body) => {
    await asked(address, body);
    await look();
  };
  const button = (says, title, does) => {
    const made = make("button", { type: "button", className: "quiet", textContent: says, title });
    made.addEventListener("click", async () => {
      made.disabled = true;
      await does();
      made.disabled = false;
    });
    return made;
  };
  const tunnel = (/** @type {News} */ news) => {
    const { state, address } = news.tunnel;
    const runs = state === "open" || state === "opening";
    const open = (way) => button(`Open by ${way.says}`, `${way.reaches[0].toUpperCase()}${way.reaches.slice(1)}, who has a link`, () => act("reach/tunnel", { way: way.name }));
    return [
      make("p", { className: "people-hint", textContent: tunnelWords(news) }),
      address && make("p", { className: "people-places", textContent: address }),
      make("div", { className: "people-line" }, ...(runs ? [button("Close the tunnel", "Who came by it is cut off, and keeps their place", () => act("reach/tunnel/close", {}))] : news.ways.map(open))),
    ].filter(Boolean);
  };
  const look = async () => {
    /** @type {News | null} */
    const news = await asked("reach");
    const said = JSON.stringify(news);
    part("reach").hidden = false;
    if (!news || said === before) return;
    before = said;
    lost = news.tunnel.state === "lost";
    part("places").replaceChildren(...news.addresses.map((address) => make("li", { textContent: address }, BY_NAME.test(address) ? make("small", { textContent: " on devices that look for names themselves" }) : null)));
    part("reach-none").hidden = news.addresses.length > 0;
    part("tunnel").replaceChildren(...tunnel(news));
    part("certificate").hidden = !news.certificate;
    part("authority").textContent = news.certificate;
    part("fingerprint").textContent = inLines(news.fingerprint);
  };
  const again = () => {
    before = "";
    return look();
  };
  /** The dialog closes: what went wrong has been read. */
  const seen = () => lost && asked("reach/tunnel/close", {});
  return { look, again, seen };
};
