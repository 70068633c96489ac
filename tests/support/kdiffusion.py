"""Katherine Crowson's k-diffusion as the judge of our samplers: its `sampling` and `external` modules alone.

The package as a whole imports training tools that we do not install. While the two modules load, the names they import
but do not need here are stood in for; afterwards everything is as it was.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any


@cache
def sampling() -> ModuleType:
    return _load()[0]


@cache
def external() -> ModuleType:
    return _load()[1]


@cache
def _load() -> tuple[ModuleType, ModuleType]:
    found = importlib.util.find_spec("k_diffusion")
    assert found and found.submodule_search_locations, "The tests need the package k-diffusion, without its dependencies."
    package = _module("k_diffusion", __path__=list(found.submodule_search_locations))
    utils = _module("k_diffusion.utils", append_dims=_append_dims)
    package.__dict__["utils"] = utils
    stand_ins = {"k_diffusion": package, "k_diffusion.utils": utils, "torchdiffeq": _module("torchdiffeq", odeint=None)}
    with _imported(stand_ins):
        from k_diffusion import sampling  # pyright: ignore[reportMissingImports]

        package.__dict__["sampling"] = sampling
        from k_diffusion import external  # pyright: ignore[reportMissingImports]
    return sampling, external


@contextmanager
def _imported(modules: dict[str, ModuleType]) -> Iterator[None]:
    names = [*modules, "k_diffusion.sampling", "k_diffusion.external"]
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def _module(name: str, **contents: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(contents)
    return module


def _append_dims(x: Any, target: int) -> Any:
    return x[(..., *[None] * (target - x.ndim))]
