"""The view of a control unit: which part of which picture it looks at. No torch: the page shows it before a run."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from PIL import Image

from models.errors import UserError
from pipelines.control.control_map import control_picture
from pipelines.images.masking import RESIZE, Box, Patch, Size, scaled
from pipelines.images.store import Inputs
from pipelines.requests.control_unit import ControlUse

if TYPE_CHECKING:
    from models.diffusion_model import DiffusionModel
    from models.loading.turning import PoseReader
    from models.memory.clip_forecast import ClipWork
    from models.memory.forecast import Work
    from models.networks.vision import Vision
    from models.patches.ip_adapter import IpAdapter
    from models.upscalers.upscaler import Upscaler
    from models.video_model import VideoModel
    from pipelines.preprocessors.annotators import Annotator

NO_VIDEO = "The video model is not here."
NO_TURNING = "The model that turns things is not here."


class Lender(Protocol):
    """Lends networks that are needed only while a drawing is prepared."""

    def annotator(self, key: str) -> AbstractContextManager[Annotator | None]:
        """That of a preprocessor, by its key; None for "", a preprocessor without weights."""
        ...

    def image_prompt_networks(self, adapter_id: str, family: str) -> AbstractContextManager[tuple[IpAdapter, Vision]]:
        """An IP-Adapter and the vision encoder that belongs to it."""
        ...

    def upscaler(self, upscaler_id: str) -> AbstractContextManager[Upscaler]:
        """A network that makes pictures larger."""
        ...

    def picture_encoder(self, model_id: str) -> AbstractContextManager[Vision]:
        """What a video model looks at its picture through."""
        ...

    def video(self, model_id: str, work: ClipWork, sparing: bool = False) -> AbstractContextManager[VideoModel]:
        """The rest of it, with room for this clip. `sparing`: it comes to the device a part at a time."""
        ...

    def pose_reader(self, model_id: str) -> AbstractContextManager[PoseReader]:
        """What a model that turns things reads a picture and its views by."""
        ...

    def turning(self, model_id: str, work: Work, sparing: bool = False) -> AbstractContextManager[DiffusionModel]:
        """The rest of it, with room for these views. `sparing`: as for `video`."""
        ...

    def make_room(self) -> None:
        """Lets go of all that is idle in memory, as that has run out."""
        ...


class NoLender:
    """A lender of nothing: only preprocessors without weights can run."""

    def annotator(self, key: str) -> AbstractContextManager[Annotator | None]:
        if key:
            raise UserError("This preprocessor needs weights that are not here.")
        return nullcontext()

    def image_prompt_networks(self, adapter_id: str, family: str) -> AbstractContextManager[tuple[IpAdapter, Vision]]:
        raise UserError("This IP-Adapter needs a vision encoder that is not here.")

    def upscaler(self, upscaler_id: str) -> AbstractContextManager[Upscaler]:
        raise UserError("The upscaler is not here.")

    def picture_encoder(self, model_id: str) -> AbstractContextManager[Vision]:
        raise UserError(NO_VIDEO)

    def video(self, model_id: str, work: ClipWork, sparing: bool = False) -> AbstractContextManager[VideoModel]:
        raise UserError(NO_VIDEO)

    def pose_reader(self, model_id: str) -> AbstractContextManager[PoseReader]:
        raise UserError(NO_TURNING)

    def turning(self, model_id: str, work: Work, sparing: bool = False) -> AbstractContextManager[DiffusionModel]:
        raise UserError(NO_TURNING)

    def make_room(self) -> None:
        pass


NO_LENDER = NoLender()


@dataclass(frozen=True)
class View:
    """The part of a larger picture that is drawn, and at which size."""

    whole: Size
    box: Box
    size: Size
    picture: Image.Image | None = None  # what the drawing begins with, at `size`
    mask: Image.Image | None = None  # of it, at `size`

    @classmethod
    def of_patch(cls, patch: Patch) -> View:
        return cls(patch.picture.size, patch.box, patch.size, patch.image, patch.image_mask)


def map_of(use: ControlUse, view: View, inputs: Inputs, annotator: Annotator | None = None) -> Image.Image:
    """The same as a picture for people."""
    picture, mask = source(use, view, inputs)
    return control_picture(use, picture, view.size, annotator, mask)


def source(use: ControlUse, view: View, inputs: Inputs) -> tuple[Image.Image, Image.Image | None]:
    """The unit's own picture, cut as the drawing is, or what the drawing begins with; and the mask of what is drawn anew."""
    if use.image:
        return seen(inputs.open(use.image), view, use.resize_mode), view.mask
    if view.picture is None:
        raise UserError("A control unit has no picture. Put one in, or take the unit out.")
    return view.picture, view.mask


def seen(picture: Image.Image, view: View, resize_mode: str) -> Image.Image:
    """The part that is drawn, where only a part is; the picture as it is where all of it is drawn."""
    if view.box == (0, 0, *view.whole):
        return picture
    whole = RESIZE[resize_mode](picture, view.whole)
    return scaled(whole.crop(view.box), view.size)
