"""What Gradio does besides, and is kept from doing: each is a part of a second in which nobody sees the page.

Its import rewrites the type stubs beside its components each time and takes half of its seconds for it.

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
def no_application() -> Generator[None]:
    """Pages that are made inside this block have no application of their own (`blocks.app`) yet: to be mounted they are given another.

    Gradio makes one, with all its routes and the whole configuration, when a page is begun and when it is done.
    """
    with gradio_stubs_untouched():
        from gradio.routes import App
    original = App.create_app
    setattr(App, "create_app", staticmethod(lambda *_, **__: None))  # noqa: B010 - one that gives none is of another type
    try:
        yield
    finally:
        setattr(App, "create_app", staticmethod(original))  # noqa: B010


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
