// Guidance: what it costs, and small pictures of what its fields do. Both come once its row is open.
import { wanted } from "./on_demand.js";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, props, server }) => {
  const watch = new IntersectionObserver(async ([{ isIntersecting }]) => {
    if (!isIntersecting) return;
    watch.disconnect();
    (await wanted("guiding_seen")).seen(element, props.kind, server);
  });
  watch.observe(element);
};
