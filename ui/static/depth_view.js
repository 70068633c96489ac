// The edited map, as the server makes it for the model: one question under way, and after it only the newest one.
import { pause } from "./dom.js";

const PAUSE = 120; // milliseconds between two questions while something is being moved

const ask = async (question) => {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: question };
  const answer = await fetch("depth/view", options).catch(() => null);
  if (!answer) throw new Error("The studio did not answer. Try again.");
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).message || "The depth map could not be shown.");
  const image = Object.assign(new Image(), { src: URL.createObjectURL(await answer.blob()) });
  await image.decode();
  return image;
};

// `show` hears of a decoded image, which must be let go with `drop`; `fail` of a sentence.
export const depthView = (show, fail) => {
  let wanted = "";
  let answered = "";
  let last = 0;
  let busy = false;

  const work = async () => {
    busy = true;
    while (wanted !== answered) {
      await pause(last + PAUSE - performance.now());
      const question = wanted;
      last = performance.now();
      let why = "";
      const image = question && (await ask(question).catch((problem) => void (why = problem.message)));
      answered = question;
      if (why) fail(why);
      else if (image) show(image, question);
    }
    busy = false;
  };
  return {
    // A question as text; "" asks for nothing.
    want(question) {
      wanted = question;
      if (!busy) work();
    },
    again() {
      answered = "";
      if (!busy) work();
    },
    isAbout: (question) => question === answered,
    drop: (image) => URL.revokeObjectURL(image.src),
  };
};
