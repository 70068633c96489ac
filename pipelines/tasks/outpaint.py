"""Outpainting: a picture goes on beyond its edges. The new area begins with what the edges show and is drawn window by window, each
as an inpainting that sees what is there already.
"""

from __future__ import annotations

from collections.abc import Generator

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt

from pipelines.denoising.vae_decode import Decoded, decode, way_of
from pipelines.images.masking import Box, Patch, scaled
from pipelines.images.windows import extended, windows
from pipelines.jobs.events import Event
from pipelines.jobs.runner import Events
from pipelines.requests.as_made import DecodeUse
from pipelines.requests.request import Outpaint
from pipelines.requests.steps import steps_of
from pipelines.tasks.batch import DrawingBatch, DrawingTask
from pipelines.tasks.conditioning import Denoisers, controls_of
from pipelines.tasks.inpaint import paint, prepare, show_in
from pipelines.tasks.sampling import RunPosition, latent_shape, leg_of, noise_of

SPREADS = (8, 2)  # a tone is carried on over about an eighth of a window, and where that does not reach, over half of it
FAR = 1e-3  # weight of the second
COARSE = 128  # pixels of the longer side at which that is computed
CONTENT = {"Edges": "Original", "Latent noise": "Latent noise"}


def batches(task: DrawingTask[Outpaint]) -> Generator[Events]:
    picture = task.inputs.open(task.request.image)
    denoisers = Denoisers(task.request, task.model, controls_of(task), go_on=task.go_on, inputs=task.inputs)
    for batch in task.batches():
        yield _batch(batch, picture, denoisers)


def _batch(batch: DrawingBatch[Outpaint], picture: Image.Image, denoisers: Denoisers) -> Events:
    """The pictures of one batch go one after another: their windows see different surroundings."""
    for index, single in batch.indexed():
        yield batch.drawn((yield from _extended(batch, index, single, picture, denoisers)), index)


def _extended(
    batch: DrawingBatch[Outpaint], index: int, single: Outpaint, picture: Image.Image, denoisers: Denoisers
) -> Generator[Event | None, None, Decoded]:
    """One picture, window by window, with the VAE's way in each of them."""
    ways: tuple[DecodeUse, ...] = ()
    model, content = batch.model, CONTENT[single.begins_with]
    boxes, canvas = windows(picture.size, margins(single), (single.width, single.height)), Canvas(picture, margins(single))
    for turn, box in enumerate(boxes):
        patch = canvas.patch(box, (single.width, single.height), single.overlap)
        position = _leg(batch, index, turn, len(boxes))
        prepared = yield from prepare(model, single, patch, content, denoisers)
        noise = noise_of([single], latent_shape(single, model), model, turn)
        latents = yield from paint(single, prepared, content, steps_of(single), noise, position, show_in(model, patch))
        decoded = yield from decode(model, latents, way_of(single, turn))
        ways += decoded.ways
        canvas.draw(patch.put_back(toned(decoded.image, patch)), box)
        yield None
    return Decoded(canvas.image, ways)


def _leg(batch: DrawingBatch[Outpaint], index: int, turn: int, turns: int) -> RunPosition:
    """Where window `turn` of the `turns` of one picture stands among all that the batch needs."""
    size = batch.request.pictures_a_batch
    return leg_of(batch, index % size * turns + turn, size * turns, turn, index)


def toned(drawn: Image.Image, patch: Patch) -> Image.Image:
    """The drawing in the tone of the picture: by how much both differ next to the old edge, the drawing is lighter or darker.

    The difference is taken where the drawing was free and the picture is known, and carried on from there into the new area. Without
    it a sky goes on in another blue, as a network has its own idea of contrast.
    """
    size = patch.box[2] - patch.box[0], patch.box[3] - patch.box[1]
    new = np.asarray(scaled(drawn, size), np.float32)
    share = np.asarray(patch.mask.crop(patch.box), np.float32)[..., None] / 255
    both = ((share >= 0.5) & (share < 1)).astype(np.float32)
    if not both.any():
        return drawn
    difference = (np.asarray(patch.picture.crop(patch.box), np.float32) - new) * both
    carried = _carried(np.dstack([difference, both]).astype(np.float32))
    return Image.fromarray(np.clip(np.rint(new + carried[..., :3] / np.maximum(carried[..., 3:], 1e-9)), 0, 255).astype(np.uint8))


def _carried(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values (h, w, 4), blurred far. What is this smooth can be computed small."""
    height, width = values.shape[:2]
    share = min(1.0, COARSE / max(height, width))
    small = cv2.resize(values, (max(1, round(width * share)), max(1, round(height * share))), interpolation=cv2.INTER_AREA)
    near, far = (cv2.GaussianBlur(small, (0, 0), COARSE / spread, borderType=cv2.BORDER_REPLICATE) for spread in SPREADS)
    return np.asarray(cv2.resize(near + FAR * far, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def margins(request: Outpaint) -> Box:
    return request.left, request.top, request.right, request.bottom


class Canvas:
    """A picture in the middle of what is not drawn yet."""

    def __init__(self, picture: Image.Image, around: Box) -> None:
        width, height = extended(picture.size, around)
        self._pixels = np.zeros((height, width, 3), np.uint8)
        self._known = np.zeros((height, width), bool)
        place = slice(around[1], around[1] + picture.height), slice(around[0], around[0] + picture.width)
        self._pixels[place], self._known[place] = np.asarray(picture), True

    @property
    def image(self) -> Image.Image:
        return Image.fromarray(self._pixels)

    def patch(self, box: Box, size: tuple[int, int], overlap: int) -> Patch:
        """The window, with the nearest known pixel wherever nothing is drawn yet, and the mask of what is to be drawn.

        The mask is full there and falls to nothing over `overlap` pixels of what is known.
        """
        unknown = (~self._known).astype(np.uint8)
        inside = np.zeros_like(unknown)
        inside[box[1] : box[3], box[0] : box[2]] = unknown[box[1] : box[3], box[0] : box[2]]
        distance = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        share = np.clip(1 - distance / (overlap + 1), 0, 1) * (self._known | (inside > 0))
        return Patch(self._with_edges(unknown), Image.fromarray(np.rint(share * 255).astype(np.uint8)), box, size)

    def draw(self, image: Image.Image, box: Box) -> None:
        area = slice(box[1], box[3]), slice(box[0], box[2])
        self._pixels[area] = np.asarray(image)[area]
        self._known[area] = True

    def _with_edges(self, unknown: NDArray[np.uint8]) -> Image.Image:
        nearest = np.asarray(distance_transform_edt(unknown, return_distances=False, return_indices=True))
        return Image.fromarray(self._pixels[nearest[0], nearest[1]])
