// PNG files, written here: a browser that blurs what pages read off a canvas would change the mask.

const CRC = Uint32Array.from({ length: 256 }, (_, number) => {
  for (let bit = 0; bit < 8; bit += 1) number = number & 1 ? 0xedb88320 ^ (number >>> 1) : number >>> 1;
  return number >>> 0;
});
const crc = (bytes) => {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = CRC[(sum ^ byte) & 255] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
};

const piped = async (bytes, stream) => new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
export const deflate = (bytes) => piped(bytes, new CompressionStream("deflate"));
export const inflate = (bytes) => piped(bytes, new DecompressionStream("deflate"));

const chunk = (name, content) => {
  const bytes = new Uint8Array(12 + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  for (let place = 0; place < 4; place += 1) bytes[4 + place] = name.charCodeAt(place);
  bytes.set(content, 8);
  view.setUint32(8 + content.length, crc(bytes.subarray(4, 8 + content.length)));
  return bytes;
};

// 1 (grey), 3 or 4 bytes a pixel. Colours are stored as differences to the left neighbour, which packs photographs better.
export const png = async (width, height, channels, bytes) => {
  const step = channels === 1 ? 0 : channels;
  const line = width * channels;
  const rows = new Uint8Array(height * (line + 1));
  for (let y = 0; y < height; y += 1) {
    const [from, to] = [y * line, y * (line + 1) + 1];
    rows[to - 1] = step ? 1 : 0;
    rows.set(bytes.subarray(from, from + line), to);
    if (step) for (let x = line - 1; x >= step; x -= 1) rows[to + x] -= bytes[from + x - step];
  }
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, { 1: 0, 3: 2, 4: 6 }[channels], 0, 0, 0], 8);
  const signature = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]);
  const parts = [signature, chunk("IHDR", head), chunk("IDAT", await deflate(rows)), chunk("IEND", new Uint8Array())];
  return new Blob(parts, { type: "image/png" });
};

export const withoutAlpha = (bytes) => {
  for (let place = 3; place < bytes.length; place += 4) if (bytes[place] !== 255) return null;
  const plain = new Uint8Array((bytes.length / 4) * 3);
  for (let from = 0, to = 0; from < bytes.length; from += 4, to += 3) {
    plain[to] = bytes[from];
    plain[to + 1] = bytes[from + 1];
    plain[to + 2] = bytes[from + 2];
  }
  return plain;
};
