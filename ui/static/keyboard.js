// The keyboard: whether somebody types, and which keys are pressed together.

const TYPED = "textarea, select, [contenteditable], input:not([type=range], [type=color], [type=checkbox], [type=radio])";
export const typing = (target) => !!target?.closest?.(TYPED);
export const chord = ({ key, ctrlKey, metaKey, shiftKey, altKey }) => {
  const command = ctrlKey || metaKey;
  return `${command ? "ctrl+" : ""}${altKey ? "alt+" : ""}${command && shiftKey ? "shift+" : ""}${key.toLowerCase()}`;
};
