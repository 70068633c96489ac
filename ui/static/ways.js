// The ways of making a picture larger: each is a tab, and one leads to the other.
import { find } from "./dom.js";

// Opens another way, which gets the picture of this one where it has none. Returns what that then begins with.
export const go = (here, there, mine, theirs) => {
  if (here !== there) find(`#tab-${there}-button`)?.click();
  return theirs || mine;
};
