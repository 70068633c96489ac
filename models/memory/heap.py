"""The heap of Python: what is there for good is left out of the search for garbage.

A full search looks at every object that holds others, with no other thread of the studio running meanwhile. The libraries alone are more
than half a million of them, which takes a third of a second and more on a busy machine; what is made later is searched in milliseconds.
"""

from __future__ import annotations

import gc


def leave_alone() -> None:
    """Nothing is searched until `set_apart`: of what the libraries make as they are imported, hardly anything is garbage, and looking for
    it is an eighth of the work of a start.
    """
    gc.disable()


def set_apart() -> None:
    """All that is there now is taken to stay, as long as something holds it. Called once the libraries are in."""
    gc.enable()
    gc.collect()
    gc.freeze()
