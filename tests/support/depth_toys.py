"""What tests of the depth tab have instead of weights: an estimator to which the brighter is the nearer, a depth checkpoint, a depth
ControlNet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.files import Identity, ModelFile
from pipelines import Studio
from pipelines.preprocessors import depth as estimates

NET = ModelFile("net", "depth", Path("depth.safetensors"), 1, 0, Identity("controlnet", "sd1"))
OTHER = ModelFile("other", "canny", Path("canny.safetensors"), 1, 0, Identity("controlnet", "sd1"))


def bright_is_near(studio: Studio, patch: pytest.MonkeyPatch, missing: str = "") -> None:
    """Every estimator of this studio is there, or is missing with this sentence, and takes the brightness for the nearness."""
    patch.setattr(studio.control, "missing", lambda name: missing)
    patch.setattr(estimates, "estimate_depth", lambda annotator, picture: np.asarray(picture.convert("L"), np.float32) / 255)


def with_depth_models(studio: Studio, patch: pytest.MonkeyPatch) -> None:
    """Besides the starter a checkpoint that reads depth, and two ControlNets of which one does."""
    catalog = studio._catalog
    [starter] = catalog.checkpoints()
    deep = replace(starter, id="starter-depth", name="Starter depth", variant="depth")
    files = {file.id: file for file in (OTHER, NET)}
    found, known, listed = catalog.checkpoint, catalog.model, catalog.models
    patch.setattr(catalog, "checkpoints", lambda: [starter, deep])
    patch.setattr(catalog, "checkpoint", lambda wanted: deep if wanted == deep.id else found(wanted))
    patch.setattr(catalog, "model", lambda wanted: files[wanted] if wanted in files else known(wanted))
    patch.setattr(catalog, "models", lambda kind=None: [*files.values()] if kind == "controlnet" else listed(kind))
