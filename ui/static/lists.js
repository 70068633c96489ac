// What the library offers a form: asked for when the page opens and whenever the library or the checkpoint has changed, then told
// to the form's racks as "atelier:lists". Dropdowns are filled by the server, which the event "refresh" asks to.
import { emit, find, make, on } from "./dom.js";
import { wanted } from "./on_demand.js";
import * as page from "./page.js";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, server }) => {
  let checkpoint = page.forms[props.kind]?.checkpoint ?? null; // a tab may be opened later than the page
  let turn = 0;

  const fetchLists = async () => {
    const mine = ++turn;
    const lists = await server.lists(checkpoint ?? "").catch(() => null);
    if (!lists || mine !== turn || !element.isConnected) return;
    page.lists[props.kind] = lists;
    emit("lists", { kind: props.kind, lists });
    offer();
  };

  // Beside the list of checkpoints, which Gradio draws.
  const browse = make("button", { type: "button", className: "round browse", title: "Choose a checkpoint by its picture", "aria-label": "Choose a checkpoint by its picture" }, make("i", { className: "icon icon-images" }));
  browse.addEventListener("click", () => wanted("model_cards").then(({ showCheckpoints }) => showCheckpoints(props.kind), () => {}));
  const offer = () => {
    if (!browse.isConnected && page.lists[props.kind]?.checkpoints?.length) find(`#${props.kind}-checkpoint`)?.append(browse);
  };

  on("form", ({ kind, values }) => {
    if (kind === props.kind) offer();
    if (kind !== props.kind || values.checkpoint === checkpoint) return;
    checkpoint = values.checkpoint;
    fetchLists();
  });
  on("library", () => {
    fetchLists();
    trigger("refresh");
  });
  page.lists[props.kind] = props.first;
  fetchLists();
  trigger("refresh"); // the page was built when the server started; files may have come since
};
