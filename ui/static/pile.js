// A list of input pictures: uploads, or, for whoever sits at the machine, a folder. Its value is the list that the request takes.
import { make, parts } from "./dom.js";

/** @param {import("./page_types.d.ts").Given} given */
export const build = ({ element, trigger, props, server, watch }) => {
  const part = parts(element);
  const SHOWN = 60; // thumbnails
  const images = () => (Array.isArray(props.value) ? props.value : []);
  const say = (words) => (part("status").textContent = words);

  const change = (next) => {
    props.value = next.slice(0, props.most);
    trigger("change");
    draw();
  };

  const row = (image, place) => {
    const picture = make("img", { src: `input/${image.id}.png`, alt: image.name || "Picture", loading: "lazy", title: image.name });
    const called = `Remove ${image.name || "this picture"}`;
    const remove = make("button", { type: "button", textContent: "×", title: `Remove ${image.name}`, "aria-label": called });
    remove.addEventListener("click", () => change(images().filter((_, index) => index !== place)));
    return make("li", {}, picture, remove);
  };

  const draw = () => {
    const now = images();
    part("list").replaceChildren(...now.slice(0, SHOWN).map(row));
    part("clear").hidden = !now.length;
    const more = now.length > SHOWN ? `, ${SHOWN} of them shown` : "";
    if (now.length) say(`${now.length} picture${now.length > 1 ? "s" : ""}${more}.`);
  };

  const put = async (file) => {
    const options = { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file };
    const answer = await fetch(`input?as=picture${props.transparent ? "&transparent=1" : ""}`, options).catch(() => null);
    const told = answer ? await answer.json().catch(() => ({})) : {};
    if (!answer?.ok) throw new Error(told.message || "The server did not answer. Try again.");
    return { id: told.id, name: file.name.slice(0, 300) };
  };

  const putAll = async (files) => {
    const wrong = [];
    const fresh = [];
    for (const [index, file] of [...files].entries()) {
      say(`Reading ${index + 1} of ${files.length}…`);
      try {
        fresh.push(await put(file));
      } catch (error) {
        wrong.push(`${file.name}: ${error.message}`);
      }
    }
    change([...images(), ...fresh]);
    if (wrong.length) say(wrong.slice(0, 5).join(" "));
  };

  part("add").addEventListener("click", () => part("files").click());
  part("files").addEventListener("change", () => {
    putAll([...part("files").files]);
    part("files").value = "";
  });
  part("clear").addEventListener("click", () => (change([]), say("")));
  part("take").addEventListener("click", async () => {
    say("Reading the folder…");
    const found = (await server.folder(part("path").value).catch(() => null)) ?? { images: [], notes: ["The folder could not be read."] };
    if (found.images.length) change([...images(), ...found.images]);
    if (found.notes.length) say(found.notes.join(" "));
  });
  element.addEventListener("dragover", (event) => event.preventDefault());
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) putAll([...event.dataTransfer.files]);
  });
  part("words").textContent = props.words;
  watch("value", draw);
  server.owns().then((owner) => (part("folder").hidden = !owner), () => {});
  draw();
};
