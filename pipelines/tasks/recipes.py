"""Recipes: what makes the pictures of each kind of request. Every one takes a task and yields the events of one batch after another."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from PIL import Image
from torch import Tensor

from pipelines.control.view import Lender
from pipelines.jobs.runner import Events
from pipelines.tasks import depth2img, details, enlarge, img2img, inpaint, outpaint, second_pass, turn, txt2img, upscale, video
from pipelines.tasks.batch import DrawingTask, Task
from pipelines.tasks.drawn_small import enlarging
from pipelines.tasks.wordless import WordlessTask

# Any: each takes tasks of its own kind of request, which is the one that its name is looked up with
DRAWN: dict[str, Callable[[DrawingTask[Any]], Generator[Events]]] = {  # with a model
    "txt2img": enlarging(txt2img.batches),
    "img2img": enlarging(img2img.batches),
    "inpaint": inpaint.batches,
    "outpaint": outpaint.batches,
    "controlnet": enlarging(txt2img.batches),
    "depth": depth2img.batches,
    "hires": second_pass.batches,
    "details": details.batches,
    "upscale": upscale.batches,
}
# Any: as above
MADE: dict[str, Callable[[Task[Any]], Generator[Events]]] = {  # without one
    "enlarge": enlarge.batches,
}
# Any: as above
WORDLESS: dict[str, Callable[[WordlessTask[Any]], Generator[Events]]] = {  # with one that reads a picture and no words
    "video": video.batches,
    "turn": turn.batches,
}
# Any: as above
DECODED_AGAIN: dict[str, Callable[[Any, Tensor, Lender], Generator[None, None, tuple[Image.Image, ...]]]] = {  # frames, from kept latents
    "video": video.decoded_again,
    "turn": turn.decoded_again,
}
