// A waiting job in the form: instead of Generate it is put back into its place, or left as it was.
import { notify, snapshot } from "./desk.js";
import { find, make } from "./dom.js";
import * as page from "./page.js";

const bar = make("div", { className: "edit-bar" });

const end = () => {
  Object.assign(page.editing, { job: "", kind: "" });
  bar.remove();
  document.getElementById("room")?.removeAttribute("data-editing");
};

const put = async (button, send) => {
  const { job, kind } = page.editing;
  button.setAttribute("aria-busy", "true");
  const why = await page.canvases[kind]?.flush().catch((error) => error?.message || "The picture could not be sent. Try again.");
  const told = why ? { message: why } : await send({ job, kind, values: page.forms[kind] }).catch(() => ({ message: "The server did not hear this. Try again." }));
  button.removeAttribute("aria-busy");
  if (told.message) return notify(told.message);
  end();
  notify("The job is back in its place, as it is in the form.");
};

// `fill` has the form filled, `put` sends it back, `back` gives it back as it was.
export const begin = (job, kind, { fill, put: send, back }) => {
  snapshot(kind);
  Object.assign(page.editing, { job, kind });
  const keep = make("button", { type: "button", className: "put-back", textContent: "Put it back", title: "The job as it is in the form now, in its place in the queue (Ctrl+Enter)" });
  const leave = make("button", { type: "button", className: "quiet", textContent: "Leave it as it was" });
  keep.addEventListener("click", () => put(keep, send));
  leave.addEventListener("click", () => back().then(end, (problem) => (end(), notify(problem.message))));
  bar.replaceChildren(make("p", { textContent: "A job that waits is in the form. It is not drawn until you put it back." }), make("div", {}, keep, leave));
  fill();
  const stand = (tries) => {
    const foot = find(`#tab-${kind} .form-foot`);
    if (!foot && tries) return setTimeout(() => stand(tries - 1), 150);
    foot?.append(bar);
    document.getElementById("room").dataset.editing = kind;
  };
  stand(40);
};
