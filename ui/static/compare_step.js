// Clips that are compared play in step: a browser begins to play each when it has come, so those that move are begun anew together.

/** @param {any[]} images that have come */
export const inStep = async (images) => {
  if (images.length < 2) return;
  const files = await Promise.all(images.map(({ src }) => fetch(src).then((answer) => (answer.ok ? answer.blob() : null), () => null)));
  if (!files.some((file) => file?.type === "image/webp")) return;
  for (const [place, file] of files.entries()) {
    if (!file) continue;
    const address = URL.createObjectURL(file);
    images[place].addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
    images[place].src = address;
  }
};
