// The sphere on which a camera goes around a thing: between its angles and where they are seen. Degrees: azimuth to the right, -180 .. 180,
// elevation up, -90 .. 90, both as seen from where the picture was taken. Places: 1 is the sphere's radius, x to the right, y up.

const TILT = (24 * Math.PI) / 180; // from so far above one looks at the sphere
const [COS, SIN] = [Math.cos(TILT), Math.sin(TILT)];
const radians = (degrees) => (degrees * Math.PI) / 180;
const degrees = (angle) => (angle * 180) / Math.PI;

/** Where a camera is seen. `z` above 0: on the near side. @type {(azimuth: number, elevation: number) => { x: number, y: number, z: number }} */
export const seenAt = (azimuth, elevation) => {
  const [around, up] = [radians(azimuth), radians(elevation)];
  const [x, y, z] = [Math.sin(around) * Math.cos(up), Math.sin(up), Math.cos(around) * Math.cos(up)];
  return { x, y: y * COS - z * SIN, z: y * SIN + z * COS };
};

/** The angles of what lies at a place, on the near side or on the far one; of a place outside, those of the nearest one on the rim. @type {(x: number, y: number, far: boolean) => { azimuth: number, elevation: number }} */
export const anglesAt = (x, y, far) => {
  const out = Math.max(1, Math.hypot(x, y));
  const [across, high] = [x / out, y / out];
  const deep = Math.sqrt(Math.max(0, 1 - across * across - high * high)) * (far ? -1 : 1);
  const [up, front] = [high * COS + deep * SIN, deep * COS - high * SIN];
  return { azimuth: whole(degrees(Math.atan2(across, front))), elevation: whole(degrees(Math.asin(Math.min(1, Math.max(-1, up))))) };
};

/** An azimuth within -180 .. 180. */
export const wrapped = (azimuth) => ((((azimuth + 180) % 360) + 360) % 360) - 180;

/** The azimuths of so many views, evenly around from the first. @type {(azimuth: number, count: number) => number[]} */
export const around = (azimuth, count) => Array.from({ length: count }, (_, place) => wrapped(azimuth + (360 * place) / count));

const whole = (angle) => Math.round(angle) || 0; // no -0

/** A line on the sphere, through these angles, as paths of its near and its far parts. @type {(line: [number, number][], radius: number) => { near: string, far: string }} */
export const traced = (line, radius) => {
  const parts = { near: "", far: "" };
  let last = "";
  for (const [azimuth, elevation] of line) {
    const { x, y, z } = seenAt(azimuth, elevation);
    const side = z >= 0 ? "near" : "far";
    const place = `${(x * radius).toFixed(1)} ${(-y * radius).toFixed(1)}`;
    if (last && last !== side) parts[last] += `L${place}`; // up to where it goes over the rim
    parts[side] += `${last === side ? "L" : "M"}${place}`;
    last = side;
  }
  return parts;
};

/** In words. @type {(azimuth: number, elevation: number) => string} */
export const inWords = (azimuth, elevation) => {
  const side = Math.abs(azimuth) === 180 ? "from behind" : azimuth > 0 ? `${azimuth}° to the right` : azimuth < 0 ? `${-azimuth}° to the left` : "";
  const height = elevation > 0 ? `${elevation}° higher` : elevation < 0 ? `${-elevation}° lower` : "";
  return [side, height].filter(Boolean).join(", ") || "as in the picture";
};
