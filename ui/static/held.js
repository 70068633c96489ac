// A value of the form that another component shows: that one says "atelier:hold", and hears "atelier:held" when the page sets it.
import { emit, on } from "./dom.js";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ trigger, props, watch }) => {
  let last = props.value ?? "";
  const tell = () => emit("held", { id: props.own, value: last });

  on("hold", ({ id, value }) => {
    if (id !== props.own || value === last) return;
    last = value;
    props.value = value;
    trigger("change");
  });
  watch("value", () => {
    if ((props.value ?? "") === last) return;
    last = props.value ?? "";
    tell();
  });
  if (last) tell();
};
