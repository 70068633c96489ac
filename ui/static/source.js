// A picture to begin with: sent as soon as it is dropped, pasted or chosen, and known by its id from then on. What is transparent stays so.
import { send } from "./canvas_store.js";
import { parts, write } from "./dom.js";
import { chooses, receive } from "./files.js";
import { tellPainted } from "./page.js";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, watch }) => {
  const part = parts(element);
  const { kind } = props;
  const INVITE = "Drop a picture here, paste one (Ctrl+V), or click to choose";
  const GONE = "This picture is not stored here any more. Put it in again.";
  let turn = 0; // a picture that arrives after a newer one was put in is thrown away

  const note = (words = "") => write(part("note"), words);
  // The lines that say what a run will do are told the size.
  const tell = (width, height) => tellPainted({ kind, width, height, bounds: null });
  const measure = () => {
    const { naturalWidth: width, naturalHeight: height } = part("image");
    part("facts").textContent = width ? `${width} × ${height}` : "";
    tell(width, height);
  };

  const show = () => {
    const id = props.value || "";
    const image = part("image");
    image.hidden = part("another").hidden = part("out").hidden = !id;
    part("words").textContent = id ? "" : INVITE;
    part("drop").setAttribute("aria-label", id ? "Change the picture" : "Choose a picture");
    const address = id && `input/${encodeURIComponent(id)}.png`;
    if (id && image.getAttribute("src") !== address) image.src = address;
    if (id) return;
    image.removeAttribute("src");
    part("facts").textContent = "";
    tell(0, 0);
  };
  const set = (id) => {
    if ((props.value || "") === id) return;
    props.value = id;
    trigger("change");
    show();
  };

  const put = async (file) => {
    const mine = ++turn;
    note("Uploading the picture…");
    try {
      const answer = await send("input?as=picture&transparent=1", file);
      if (mine !== turn) return;
      set(answer.id);
      note((answer.notes ?? []).join(" "));
    } catch (problem) {
      if (mine === turn) note(problem.message);
    }
  };
  const choose = () => part("file").click();

  part("drop").addEventListener("click", choose);
  part("another").addEventListener("click", choose);
  part("out").addEventListener("click", () => ((turn += 1), note(), set("")));
  part("image").addEventListener("load", measure);
  part("image").addEventListener("error", () => {
    if (!part("image").getAttribute("src")) return;
    part("image").hidden = true;
    part("words").textContent = GONE;
    tell(0, 0);
  });
  chooses(part("file"), put);
  receive(part("room"), () => element.isConnected && element.getClientRects().length > 0, put, note);
  watch("value", show);
  show();
};
