// What the server answers about grids.

const AWAY = "The server did not answer. See that Atelier still runs, then try again.";

const answered = async (path, options) => {
  const answer = await fetch(`grids${path}`, options).catch((error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
  const told = answer ? await answer.json().catch(() => ({})) : {};
  if (!answer?.ok) throw new Error(told.message || AWAY);
  return told;
};

// Raises an error with the server's sentence when it refuses.
/** @type {(path: string, signal?: AbortSignal) => Promise<any>} */
export const look = (path, signal) => answered(path, { signal });

/** @type {(path: string, order?: import("./messages.d.ts").GridOrder) => Promise<any>} */
export const order = (path, order = {}) =>
  answered(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(order) });

// How long something takes, in words.
/** @type {(time: number | null) => string} */
export const lasting = (time) => {
  if (time === null) return "";
  if (time < 1.5) return "about a second";
  if (time < 90) return `about ${Math.round(time)} s`;
  return time < 5400 ? `about ${Math.round(time / 60)} min` : `about ${(time / 3600).toFixed(1)} h`;
};
