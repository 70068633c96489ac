// Each picture that is compared is fetched once and shown from memory. So clips among them can play in step: a browser begins to play each
// when it has come, so those that move are begun anew together.

const show = (image, file) => {
  leave(image);
  image.src = URL.createObjectURL(file);
};

/**
 * @param {any} image
 * @param {string} address
 * @returns {Promise<Blob | null>} what has come and can be shown
 */
export const load = async (image, address) => {
  const answer = await fetch(address).catch(() => null);
  const file = answer?.ok ? await answer.blob().catch(() => null) : null;
  if (!file || !image.isConnected) return null;
  show(image, file);
  return image.decode().then(() => file, () => null);
};

/** @param {{ image: any, file: Blob | null }[]} pictures that have come */
export const inStep = (pictures) => {
  const moving = pictures.filter(({ file }) => file?.type === "image/webp");
  if (moving.length > 1) for (const { image, file } of moving) show(image, file);
};

/** Gives back the memory of one that is no longer looked at. */
export const leave = (image) => image.src.startsWith("blob:") && URL.revokeObjectURL(image.src);
