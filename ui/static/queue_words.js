// What the queue says of a job: how far it is, and when it comes.

/** @type {(job: import("./messages.d.ts").QueuedJob) => string} */
export const progress = ({ pictures, pictures_total, begun }) =>
  begun ? `${pictures} of ${pictures_total}` : pictures_total === 1 ? "1 picture" : `${pictures_total} pictures`;

const time = (seconds) => {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  return whole < 5400 ? `${Math.round(whole / 60)} min` : `${Math.round(whole / 360) / 10} h`;
};

// `at`: when this was told, in milliseconds; it counts down from there.
/** @type {(job: import("./messages.d.ts").QueuedJob, at: number, news: { paused: boolean, all_paused: boolean } | null) => string} */
export const when = ({ state, start, left }, at, news) => {
  const gone = (Date.now() - at) / 1000;
  if (state === "held") return "in the form";
  if (state === "running") return left === null ? "being drawn" : `about ${time(left - gone)} left`;
  if (news?.paused || news?.all_paused) return "paused";
  if (start === null) return "waits";
  return start - gone < 1 ? "next" : `in about ${time(start - gone)}`;
};
