// Gradio gives each component of a tab that is opened for the first time its first value once more, one frame after it is there.
// What somebody put in until then stays.
const frame = () => new Promise(requestAnimationFrame);
const same = (one, other) => JSON.stringify(one ?? "") === JSON.stringify(other ?? "");

/** What a component is given, with a value of its own that outlives the first one. @typedef {import("./page_types.d.ts").Given} Given */
/** @param {Given} given @returns {Given} */
export const outlived = ({ props, watch, ...rest }) => {
  const first = props.value;
  /** @type {{ value: any } | null} */
  let own = null; // what the component has set itself
  let fresh = true;
  frame().then(frame).then(() => (fresh = false)); // the second is behind Gradio's, whichever was asked for first
  const kept = new Proxy(props, {
    set(target, name, value) {
      if (fresh && name === "value") own = { value };
      target[String(name)] = value;
      return true;
    },
  });
  const heard = () => {
    const again = fresh && own && same(props.value, first) && !same(own.value, first);
    if (again) props.value = own.value;
    return !again;
  };
  return { ...rest, props: kept, watch: (name, act) => watch(name, () => heard() && act()) };
};
