// What the stage says: of a job on its way, of a picture, and where there is none yet.

const FIRST = {
  img2img: "Put a picture on the canvas, or draw one, say what it should become, and press Generate.",
  inpaint: "Put a picture on the canvas, paint over what should change, say what should be there, and press Generate.",
  outpaint: "Put a picture on the canvas, drag its frame outwards, say what it shows, and press Generate.",
  controlnet: "Put a picture into the first control unit, choose what is read from it, say what should be drawn, and press Generate.",
  hires: "Put a picture in, choose how much larger it should be and how much may be drawn anew, and press Generate.",
  details: "Put a picture on the canvas, press Find or draw boxes on it, and press Draw the details.",
  enlarge: "Put a picture in, choose how much larger it should be, and press Enlarge.",
  upscale: "Put a picture in, say what it shows, and press Enlarge. A model draws it four times larger.",
  video: "Put a picture in, choose how much it shall move, and press Make the clip.",
  turn: "Put a picture of one thing on the canvas, drag the camera to where it should be seen from, and press Turn.",
  depth: "Put a picture in and estimate its depth, or bring a depth map, say what should be drawn, and press Generate.",
};
const PICTURE = /^Put a picture in(, | and )/;
const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);
// `isIn`: the picture to begin with.
export const invitation = (kind, isIn = false) =>
  (isIn && PICTURE.test(FIRST[kind]) ? `The picture is in. ${capital(FIRST[kind].replace(PICTURE, ""))}` : FIRST[kind]) || "Write what you want to see, or take one of the examples, and press Generate. Every step is shown while the picture forms.";

export const promise = (kind) => `Your ${kind === "video" ? "clip" : "picture"} appears here`;

// How long a clip is.
export const lasts = ({ frames, pace }) => `${(frames / (pace || 1)).toFixed(1)} s`;
// A picture that no dice were thrown for has no seed.
/** @type {(picture: import("./messages.d.ts").PictureSummary) => string} */
export const facts = (picture) =>
  `${picture.width} × ${picture.height}${picture.frames > 1 ? ` · ${lasts(picture)}` : ""}${picture.seed && ` · seed ${picture.seed}`}${picture.note ? ` · ${picture.note}` : ""}`;
/** @type {(picture: { prompt: string }) => string} */
export const named = (picture) => (picture.prompt ? `Picture: ${picture.prompt}` : "Picture without a prompt");

const seconds = (time) => (time < 60 ? `${Math.max(1, Math.round(time))} s` : `${Math.floor(time / 60)} min ${Math.round(time % 60)} s`);
export const ahead = (count) => (count === 1 ? "1 job ahead of yours" : `${count} jobs ahead of yours`);

// `asked`: "stop" or "skip" after a press.
/** @type {(job: import("./messages.d.ts").JobNews, asked: string | null) => string} */
export const sentence = (job, asked) => {
  if (job.state === "waiting") return job.ahead ? ahead(job.ahead) : job.message ? "Waiting" : "Starting…";
  if (asked) return asked === "stop" ? "Stopping…" : skipping(job);
  const many = job.pictures_total > 1 ? ` · picture ${Math.min(job.picture + 1, job.pictures_total)} of ${job.pictures_total}` : "";
  const left = job.eta === null || job.eta === undefined ? "" : ` · about ${seconds(job.eta)} left`;
  if (job.before) return `${job.before}${job.step ? `, tile ${job.step} of ${job.steps}` : "…"}${many}`;
  return job.step ? `Step ${job.step} of ${job.steps}${many}${left}` : job.preparing ? `Preparing: reading ${job.preparing}…` : job.message || "Preparing…";
};

// Skipping leaves a batch, which may be all there is.
const isLast = (job) => job.picture + job.batch_size >= job.pictures_total;
const left = (job) => (job.batch_size > 1 ? `the ${job.batch_size} pictures of this batch` : "this picture");
export const skipping = (job) => (isLast(job) ? `Leaving ${left(job)}…` : `Leaving ${left(job)} for the next…`);
export const skips = (job) => `Leave ${left(job)}${isLast(job) ? "; it is the last, so the job ends" : ` and go on to the next${job.batch_size > 1 ? " batch" : ""}`}`;

export const SPOKEN = { done: "The picture is done.", stopped: "Stopped." };
export const TITLES = { stopped: "Stopped", failed: "This could not be drawn", interrupted: "Interrupted" };
