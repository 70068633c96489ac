"""IP-Adapters as control units: whole pictures against diffusers' pipeline, beside ControlNets, and only at their own steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.families import SD1
from models.library.vision_files import Encoders
from models.networks.vision import Vision
from models.patches.ip_adapter import IpAdapter
from pipelines import Controlled, ControlUse
from pipelines.control.units import Controls
from pipelines.control.view import NoLender
from pipelines.denoising.control_residuals import ControlResiduals
from pipelines.denoising.samples import Samples
from pipelines.images.store import Inputs
from pipelines.requests.steps import Steps
from pipelines.tasks import txt2img
from tests.support.controls import SAME, SIDE, THEIRS, far, folder, holding, inputs, map_of, model, net_of, off, pipeline, unit
from tests.support.drawing import finished, first_noise, task
from tests.test_ip_adapter import encoder, loaded, picture, vision, write

__all__ = ["encoder", "folder", "inputs", "model", "vision"]


class Eyes(NoLender):
    """A lender that knows one adapter, and counts how often it is asked."""

    def __init__(self, adapter: IpAdapter, vision: Vision) -> None:
        self._both = adapter, vision
        self.asked = 0

    @contextmanager
    def annotator(self, key: str) -> Iterator[None]:
        assert not key
        yield None

    @contextmanager
    def image_prompt_networks(self, adapter_id: str, family: str) -> Iterator[tuple[Any, Any]]:
        assert (adapter_id, family) == ("eye", SD1.key)
        self.asked += 1
        yield self._both


@pytest.fixture(scope="module")
def file(model: DiffusionModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("adapter"), model.unet, "plain")


@pytest.fixture
def image_prompt_networks(file: Path, vision: Vision) -> Eyes:
    return Eyes(loaded(file), vision)


def drawn(request: Controlled, model: DiffusionModel, inputs: Inputs, image_prompt_networks: Eyes) -> Image.Image:
    return finished(txt2img.batches(task(request, model, inputs, image_prompt_networks)))[0].image


def asked(inputs: Inputs, **changes: Any) -> Controlled:
    return Controlled(**SAME, controls=(ControlUse(id="eye", image=inputs.keep(picture()), **changes),))


def test_a_picture_equals_the_one_of_diffusers_pipeline(
    model: DiffusionModel, folder: Path, file: Path, encoder: Any, image_prompt_networks: Eyes, inputs: Inputs
) -> None:
    theirs = seeing(pipeline("StableDiffusionPipeline", folder), file, encoder)
    expected = theirs(ip_adapter_image=picture(), latents=first_noise(5, SIDE, SIDE), height=SIDE, width=SIDE, **THEIRS).images[0]
    assert off(drawn(asked(inputs, weight=0.7), model, inputs, image_prompt_networks), expected) <= 1
    assert far(drawn(Controlled(**SAME), model, inputs, image_prompt_networks), expected)
    assert image_prompt_networks.asked == 1, "the picture is looked at once"


def test_beside_a_control_net_it_equals_diffusers(
    model: DiffusionModel, folder: Path, file: Path, encoder: Any, image_prompt_networks: Eyes, inputs: Inputs
) -> None:
    net = net_of(model, 0)
    theirs = seeing(pipeline("StableDiffusionControlNetPipeline", folder, controlnet=net), file, encoder)
    expected = theirs(image=map_of(0), ip_adapter_image=picture(), latents=first_noise(5, SIDE, SIDE), **THEIRS).images[0]
    alone = asked(inputs, weight=0.7)
    both = replace(alone, controls=(*alone.controls, unit(inputs)))
    held = holding(model, net)
    assert off(drawn(both, held, inputs, image_prompt_networks), expected) <= 1
    assert all(far(drawn(replace(both, controls=(use,)), held, inputs, image_prompt_networks), expected) for use in both.controls)


def seeing(theirs: Any, file: Path, encoder: Any) -> Any:
    """diffusers' pipeline with the adapter of the file at weight 0.7."""
    from transformers import CLIPImageProcessor

    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    theirs.register_modules(image_encoder=encoder, feature_extractor=processor)
    theirs.load_ip_adapter(str(file.parent), subfolder="", weight_name=file.name, image_encoder_folder=None)
    theirs.set_ip_adapter_scale(0.7)
    return theirs


def test_it_acts_at_its_own_steps_and_leaves_nothing_behind(model: DiffusionModel, image_prompt_networks: Eyes, inputs: Inputs) -> None:
    plain = drawn(Controlled(**SAME), model, inputs, image_prompt_networks)
    late = drawn(asked(inputs, start=0.9), model, inputs, image_prompt_networks)
    assert late.tobytes() == plain.tobytes(), "of eight steps, none lies wholly in the last tenth"
    assert drawn(asked(inputs, start=0.5), model, inputs, image_prompt_networks).tobytes() != plain.tobytes()
    assert drawn(Controlled(**SAME), model, inputs, image_prompt_networks).tobytes() == plain.tobytes()


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


def test_each_picture_of_a_batch_is_seen_for_itself(model: DiffusionModel, image_prompt_networks: Eyes, inputs: Inputs) -> None:
    """The UNet's answer for two pictures at once is that for each alone."""
    request = Controlled(**SAME, controls=(ControlUse(id="eye"),))
    pictures, latents = [picture(1), picture(2)], torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))

    def answer(residuals: ControlResiduals, latents: torch.Tensor, samples: Samples) -> torch.Tensor:
        residuals.begin(0, Steps(8))
        context = torch.ones(2 * len(latents), 77, model.unet.config["cross_attention_dim"])
        with torch.inference_mode(), residuals.with_image_prompts(model.unet, 2, samples):
            return model.unet(latents.repeat(2, 1, 1, 1), 500, context, return_dict=False)[0]

    both = Controls(request, model, inputs, image_prompt_networks).everywhere(pictures)
    together = answer(both, latents, Samples(0, 2, 2)).view(2, 2, 4, 8, 8)
    for place, one in enumerate(pictures):
        alone = answer(
            Controls(request, model, inputs, image_prompt_networks).everywhere([one]), latents[place : place + 1], Samples(0, 1, 1)
        )
        assert torch.allclose(together[:, place], alone, atol=1e-5)
        assert torch.equal(answer(both, latents[place : place + 1], Samples(place, place + 1, 2)), alone), "called one by one"
    assert not torch.allclose(together[:, 0], answer(both, latents[:1], Samples(1, 2, 2)), atol=1e-3), "they see something else"
