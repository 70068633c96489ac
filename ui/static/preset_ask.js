// What the server answers about presets.

const AWAY = "The server did not answer. See that Atelier still runs, then try again.";

const answered = async (path, options) => {
  const answer = await fetch(`presets${path}`, options).catch(() => null);
  const told = answer ? await answer.json().catch(() => ({})) : {};
  if (!answer?.ok) throw new Error(told.message || AWAY);
  return told;
};

// Raises an error with the server's sentence when it refuses.
/** @type {(path?: string, order?: import("./messages.d.ts").PresetOrder) => Promise<any>} */
export const ask = (path = "", order = null) =>
  answered(path, order ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(order) } : {});

// The same with a file.
/** @type {(path: string, file: Blob | null) => Promise<any>} */
export const hand = (path, file) => answered(path, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file ?? new Blob() });

// The small picture of a preset, or the letter that its name begins with.
export const likeness = (preset, make) =>
  preset.picture
    ? make("img", { className: "preset-likeness", src: `presets/${preset.id}/picture?of=${preset.picture}`, alt: "", loading: "lazy" })
    : make("span", { className: "preset-likeness", "aria-hidden": "true", textContent: [...preset.name.replace(/^[\W_]+/, "")][0]?.toUpperCase() ?? "–" });
