"""The import of Gradio, which rewrites the type stubs beside its components each time and takes half of its seconds for it.

The page should be there at once, so the first import runs inside `gradio_stubs_untouched()`. Gradio skips the stubs of a class
that has no source file; for the length of the `with` block no class has one. ATELIER_GRADIO_STUBS=1 leaves Gradio alone.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def gradio_stubs_untouched() -> Generator[None]:
    """Imports of Gradio, and definitions of component classes, inside this block write no `.pyi` file."""
    if os.environ.get("ATELIER_GRADIO_STUBS"):
        yield
        return
    original = inspect.getfile

    def file_of(thing: Any) -> str:  # Any: whatever `inspect.getfile` takes
        if isinstance(thing, type):
            raise OSError("no source file while Gradio is imported")
        return original(thing)

    inspect.getfile = file_of
    try:
        yield
    finally:
        inspect.getfile = original
