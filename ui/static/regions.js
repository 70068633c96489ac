// Regions of a form: what is seen of them comes when somebody looks, or when there are some.
import { parts } from "./dom.js";
import { wanted } from "./on_demand.js";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, watch }) => {
  /** @type {Promise<{ show(): void }> | null} */
  let list = null;
  const change = (next) => {
    props.value = next;
    trigger("change");
  };
  const look = () => {
    list ??= wanted("region_list").then(({ regionList }) => regionList(parts(element)("room"), props, change));
    list.then(({ show }) => show(), () => (list = null));
  };
  new ResizeObserver(() => !list && element.getClientRects().length && look()).observe(element); // its row was opened
  watch("value", () => list && look());
};
