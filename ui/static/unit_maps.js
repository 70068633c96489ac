// The maps that the models of control units will see: asked of the server one after another, some time after the last change, and kept
// by everything that they depend on, so that nothing is made twice.

const PAUSE = 400; // milliseconds without a change before the server is asked
const KEPT = 200; // answers
const NO_ANSWER = "The studio did not answer. Try again.";

// `ask` sends a question, `told` hears that something has changed.
export const unitMaps = (ask, told) => {
  const known = new Map(); // question as text -> {state, id, width, height, message}
  let wanted = []; // questions, the most urgent first
  let timer = null;
  let asking = false;

  const keep = (key, answer) => {
    const state = answer?.id ? "done" : "failed";
    known.set(key, { state, message: NO_ANSWER, ...answer });
    if (known.size > KEPT) known.delete(known.keys().next().value);
    told();
  };
  const work = async () => {
    if (asking) return;
    asking = true;
    for (let key = next(); key; key = next()) keep(key, await ask(JSON.parse(key)).catch(() => null));
    asking = false;
  };
  const next = () => wanted.find((key) => !known.has(key));

  return {
    // What is known of the map of a question: "" asks for nothing.
    of: (key) => (key ? (known.get(key) ?? { state: "busy" }) : { state: "none" }),
    want(keys) {
      const fresh = keys.filter(Boolean);
      if (JSON.stringify(fresh) === JSON.stringify(wanted)) return;
      wanted = fresh;
      clearTimeout(timer);
      timer = setTimeout(work, PAUSE);
    },
    // What failed is asked once more.
    again() {
      for (const [key, { state }] of known) if (state === "failed") known.delete(key);
      clearTimeout(timer);
      timer = setTimeout(work, PAUSE);
      told();
    },
  };
};
