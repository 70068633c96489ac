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

const moving = (pictures) => pictures.filter(({ file }) => file?.type === "image/webp");

/** @param {{ image: any, file: Blob | null }[]} pictures that have come: those that move begin anew */
export const again = (pictures) => moving(pictures).forEach(({ image, file }) => show(image, file));

/** @param {{ image: any, file: Blob | null }[]} pictures that have come */
export const inStep = (pictures) => moving(pictures).length > 1 && again(pictures);

/** Gives back the memory of one that is no longer looked at. */
export const leave = (image) => image.src.startsWith("blob:") && URL.revokeObjectURL(image.src);
