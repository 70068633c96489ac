"""IP-Adapters as control units: whole pictures against diffusers' pipeline, beside ControlNets, and only at their own steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from models.errors import UserError
from models.families import SD1
from models.loading import DiffusionModel
from models.patches.ip_adapter import IpAdapter
from models.vision import Vision
from models.vision_files import Encoders
from pipelines import Controlled, ControlUse, txt2img
from pipelines.inputs import Inputs
from tests.drawing import finished, first_noise
from tests.test_control import SAME, SIDE, THEIRS, far, folder, holding, inputs, model, net_of, off, pipeline, unit
from tests.test_ip_adapter import encoder, loaded, picture, vision, write

__all__ = ["encoder", "folder", "inputs", "model", "vision"]


class Eyes:
    """A lender that knows one adapter, and counts how often it is asked."""

    def __init__(self, adapter: IpAdapter, vision: Vision) -> None:
        self._both = adapter, vision
        self.asked = 0

    @contextmanager
    def annotator(self, key: str) -> Iterator[None]:
        assert not key
        yield None

    @contextmanager
    def eyes(self, adapter_id: str, family: str) -> Iterator[tuple[Any, Any]]:
        assert (adapter_id, family) == ("eye", SD1.key)
        self.asked += 1
        yield self._both


@pytest.fixture(scope="module")
def file(model: DiffusionModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("adapter"), model.unet, "plain")


@pytest.fixture
def eyes(file: Path, vision: Vision) -> Eyes:
    return Eyes(loaded(file), vision)


def drawn(request: Controlled, model: DiffusionModel, inputs: Inputs, eyes: Eyes) -> Image.Image:
    return finished(txt2img.batches(request, model, inputs, eyes))[0].image


def asked(inputs: Inputs, **changes: Any) -> Controlled:
    return Controlled(**SAME, controls=(ControlUse(id="eye", image=inputs.keep(picture()), **changes),))


def test_a_picture_equals_the_one_of_diffusers_pipeline(
    model: DiffusionModel, folder: Path, file: Path, encoder: Any, eyes: Eyes, inputs: Inputs
) -> None:
    from transformers import CLIPImageProcessor

    theirs = pipeline("StableDiffusionPipeline", folder)
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    theirs.register_modules(image_encoder=encoder, feature_extractor=processor)
    theirs.load_ip_adapter(str(file.parent), subfolder="", weight_name=file.name, image_encoder_folder=None)
    theirs.set_ip_adapter_scale(0.7)
    expected = theirs(ip_adapter_image=picture(), latents=first_noise(5, SIDE, SIDE), height=SIDE, width=SIDE, **THEIRS).images[0]
    assert off(drawn(asked(inputs, weight=0.7), model, inputs, eyes), expected) <= 1
    assert far(drawn(Controlled(**SAME), model, inputs, eyes), expected)
    assert eyes.asked == 1, "the picture is looked at once"


def test_it_acts_at_its_own_steps_and_leaves_nothing_behind(model: DiffusionModel, eyes: Eyes, inputs: Inputs) -> None:
    plain = drawn(Controlled(**SAME), model, inputs, eyes)
    late = drawn(asked(inputs, start=0.9), model, inputs, eyes)
    assert late.tobytes() == plain.tobytes(), "of eight steps, none lies wholly in the last tenth"
    assert drawn(asked(inputs, start=0.5), model, inputs, eyes).tobytes() != plain.tobytes()
    assert drawn(Controlled(**SAME), model, inputs, eyes).tobytes() == plain.tobytes()


def test_it_stands_beside_a_control_net(model: DiffusionModel, eyes: Eyes, inputs: Inputs) -> None:
    held = holding(model, net_of(model, 0))
    both = replace(asked(inputs), controls=(*asked(inputs).controls, unit(inputs)))
    pictures = [drawn(replace(both, controls=uses), held, inputs, eyes) for uses in (both.controls, both.controls[:1], both.controls[1:])]
    assert far(pictures[0], pictures[1]) and far(pictures[0], pictures[2])


def test_without_its_encoder_it_says_which_one_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"vectors of 1024 numbers.*ViT-H.*clip_vision"):
        Encoders([tmp_path / "models" / "weights"]).fitting(1024, False)


def test_the_encoder_that_fits_is_found(vision: Vision, encoder: Any, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    (tmp_path / "clip_vision").mkdir()
    save_file(encoder.state_dict(), tmp_path / "clip_vision" / "eye.safetensors")
    (tmp_path / "clip_vision" / "broken.safetensors").write_bytes(b"no")
    found = Encoders([tmp_path])
    assert found.path(found.fitting(20, False)).name == "eye.safetensors"
    assert found.size(found.fitting(24, True)) > 1000
    with pytest.raises(UserError):
        found.fitting(24, False)
