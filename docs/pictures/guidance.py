"""Small pictures of what the fields of guidance do, for the form: the same words and seed, drawn by the starter with one thing changed.

.venv/bin/python -m docs.pictures.guidance        all of them, about a minute; `python run.py test` has set up what it needs
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from PIL import Image

from models.library.catalog import STARTER, Catalog
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture
from pipelines.requests.request import TextToImage
from pipelines.resolving.resolve import resolve
from pipelines.runtime.runner import open_runner

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "ui" / "static" / "guidance"
SIDE = 192  # pixels
QUALITY = 78  # of WebP, 0 to 100
USUAL = TextToImage(
    prompt="a big red house on the left in the snow at night, with mountains", seed=2, width=128, height=128, guidance_scale=15
)
CHANGES: Mapping[str, Mapping[str, object]] = {
    "usual": {}, "interval": {"guidance_from": 0.2, "guidance_until": 0.8}, "curve": {"guidance_curve": "Linear"},
    "rescale": {"guidance_rescale": 1.0}, "pag": {"third_look": "PAG", "look_strength": 8.0},
    "seg": {"third_look": "SEG", "look_strength": 8.0}, "sag": {"third_look": "SAG", "look_strength": 3.0}, "apg": {"projection": 1.0},
    "contrast": {"contrast_as": 3.0}, "zero": {"zero_star": True}, "free": {"free_u": 1.0}, "seamless": {"seamless": "X"},
}  # fmt: skip


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    catalog = Catalog(HERE.parents[1] / "models" / "starter")
    own = {name: value for name, value in catalog.checkpoint(STARTER).defaults.items() if name == "enlarged_by"}
    with tempfile.TemporaryDirectory() as folder:
        runner = open_runner(catalog, "cpu", Inputs(Path(folder)))
        for name, changes in CHANGES.items():
            request = resolve(replace(USUAL, **own, **changes), catalog)  # pyright: ignore[reportArgumentType]
            pictures = [event.image for batch in runner.batches(request) for event in batch if isinstance(event, Picture)]
            shot = twice(pictures[0]) if name == "seamless" else pictures[0]
            shot.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(FOLDER / f"{name}.webp", quality=QUALITY, method=6)


def twice(image: Image.Image) -> Image.Image:
    """Side by side, its middle where the edges meet."""
    both = Image.new("RGB", (image.width * 2, image.height))
    both.paste(image, (0, 0))
    both.paste(image, (image.width, 0))
    return both.crop((image.width // 2, 0, image.width * 3 // 2, image.height))


if __name__ == "__main__":
    main()
