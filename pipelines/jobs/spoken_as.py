"""Jobs, pictures, steps and memory as plain values that a far device is told or says (`spoken.py`), and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
from PIL import Image

from models.errors import UserError
from models.json_values import is_row
from models.memory.forecast import Machine
from models.memory.manager import Key, LedgerLine
from pipelines.jobs.events import Picture, Step
from pipelines.jobs.spoken import OTHER, Draw, Numbers, PictureSaid, StepSaid, Table
from pipelines.requests.remaining import Progress, read_progress
from pipelines.requests.request import Request, describe, restore
from pipelines.steps.state import StepState


def draw_of(request: Request, progress: Progress, decided: Mapping[str, object]) -> Draw:
    return Draw(describe(request), *progress.written(), progress.job, progress.shares, dict(decided))


def progress_of(draw: Draw) -> Progress:
    return replace(read_progress(draw.batch, draw.pictures, draw.stored), job=draw.job, shares=draw.shares)


def picture_said(picture: Picture, stored: str) -> PictureSaid:
    image, count = picture.image, len(picture.frames)
    asked, made_with = describe(picture.request), dict[str, object](picture.made_with)
    pixels = b"".join(each.tobytes() for each in picture.frames or (image,))
    shape, latents = ([], b"") if picture.latents is None else (list(picture.latents.shape), _plain(picture.latents))
    return PictureSaid(image.mode, *image.size, asked, made_with, picture.index, picture.count, stored, count, shape, pixels, latents)


def picture_of(said: PictureSaid) -> Picture:
    each = len(said.pixels) // max(1, said.frames)
    parts = (said.pixels[at : at + each] for at in range(0, len(said.pixels), each))
    images = tuple(Image.frombytes(said.mode, (said.width, said.height), part) for part in parts)
    made_with = {name: str(text) for name, text in said.made_with.items()}
    latents = np.frombuffer(said.latents, "<f4").reshape(tuple(said.latent_shape)) if said.latents else None
    return Picture(images[0], restore(said.request), made_with, said.index, said.count, images if said.frames else (), latents)


def step_said(step: Step, number: int, comes: bool, stored: str) -> StepSaid:
    """`comes`: see there."""
    looks, leaves = step.preview is not bytes, step.state is not None
    return StepSaid(number, step.index, step.count, step.batch, step.batches, step.before, looks, leaves, comes and leaves, stored)


def numbers_of(state: StepState, step: int) -> Numbers:
    parts = [_plain(state.x), _plain(state.x0), b"".join(_plain(each) for each in state.remembered if each is not None)]
    parts.append(b"" if state.gathered is None else _plain(state.gathered))
    missing, shape = [each is None for each in state.remembered], list(state.x.shape)
    return Numbers(step, state.leg, state.index, state.count, state.sigma, state.draws, list(state.pictures), shape, missing, *parts)


def state_of(said: Numbers) -> StepState:
    shape = tuple(said.shape)
    own = iter(np.frombuffer(said.remembered, "<f4").reshape(-1, *shape))
    remembered = tuple(None if missing else next(own) for missing in said.missing)
    x, x0 = (np.frombuffer(part, "<f4").reshape(shape) for part in (said.x, said.x0))
    gathered = np.frombuffer(said.gathered, "<f4").reshape(shape) if said.gathered else None
    return StepState(said.leg, said.index, said.count, said.sigma, said.draws, x, x0, remembered, tuple(said.pictures), gathered)


def _plain(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bytes:
    return np.ascontiguousarray(values, "<f4").tobytes()


def line_said(line: LedgerLine) -> Table:
    return {**asdict(line), "key": list(line.key)}


def line_of(said: Mapping[str, object]) -> LedgerLine:
    """Raises `UserError` for what is none."""
    key = said.get("key")
    try:
        told: dict[str, object] = {**said, "key": Key(*(str(each) for each in key))} if is_row(key) else {}
        return LedgerLine(**told)  # pyright: ignore[reportArgumentType]  # of the same version, as `Setup` says
    except TypeError as error:
        raise UserError(OTHER) from error


def machine_of(said: Mapping[str, object]) -> Machine:
    """Raises `UserError` for what is none."""
    try:
        return Machine(**said)  # pyright: ignore[reportArgumentType]  # as above
    except TypeError as error:
        raise UserError(OTHER) from error


def key_of(said: Sequence[str]) -> Key | None:
    """Raises `UserError` for what is none; nothing is none."""
    try:
        return Key(*map(str, said)) if said else None
    except TypeError as error:
        raise UserError(OTHER) from error
