// How a look into a picture is begun and asked after: by the tab, and by the inspector, where a picture is made again.

export const ASKED = 350; // milliseconds between two questions how far a look has come
export const GOES_ON = ["waiting", "running"];
export const POST = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
const AWAY = "The server did not answer. See that Atelier still runs, then try again.";

// Throws with a sentence.
/** @type {(place: string, options?: RequestInit) => Promise<any>} */
export const asked = async (place, options = {}) => {
  const answer = await fetch(place, options).catch(() => null);
  const told = answer ? await answer.json().catch(() => ({})) : {};
  if (!answer?.ok) throw new Error(told.message || AWAY);
  return told;
};

export const stopLooks = () => fetch("inside/stop", POST).catch(() => null);
