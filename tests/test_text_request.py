"""A picture that has kept its settings text alone: everything that is found in it is used, everything that is lost is named."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from models.files import ModelFile
from pipelines.metadata import infotext
from pipelines.metadata.picture_settings import Reading, inspect
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.request import OWN_VAE, Controlled, Depth, ImageToImage, Inpaint, LoraUse, Outpaint, Request, TextToImage
from pipelines.resolving.rebind import Rebound, rebind
from pipelines.services.request_pictures import with_pictures
from tests.support.asked import drawing
from tests.test_intake import ME, put, uploads
from tests.test_resolve import Shelf, entry

__all__ = ["uploads"]
IMAGE, MASK = "ab" * 32, "cd" * 32
UNIT = ControlUse(name="outlines", image=IMAGE, mask=MASK, preprocessor="Canny", weight=0.7, mode="Control", threshold_a=80.0, start=0.1)
KINDS: list[Request] = [
    TextToImage(prompt="x", seed=1, guidance_rescale=0.5),
    ImageToImage(prompt="x", seed=1, image=IMAGE, denoising_strength=0.4, resize_mode="Fill"),
    Inpaint(
        prompt="x", seed=1, image=IMAGE, mask_blur=9, masked_content="Latent noise", area="Only masked",
        padding=64, inverted=True, soft=True,
    ),
    Outpaint(prompt="x", seed=1, image=IMAGE, left=64, top=8, denoising_strength=0.9),
    Depth(prompt="x", seed=1, image=IMAGE, map_inverted=True, cut_off=0.2, far=0.1, near=0.9, curve=1.5, map_blur=3),
    Controlled(prompt="x", seed=1, controls=(UNIT, replace(UNIT, name="deep: warm", preprocessor="None", pixel_perfect=False))),
]  # fmt: skip


def reading(text: str) -> Reading:
    info, stream = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_text("parameters", text)
    Image.new("RGB", (8, 8)).save(stream, "PNG", pnginfo=info)
    return inspect(stream.getvalue())


def rebound(text: str, *entries: ModelFile) -> Rebound:
    found = reading(text)
    return rebind(found.request, found.made_with, Shelf([entry("checkpoint", "Starter"), *entries]), found.ids)


@pytest.mark.parametrize("made", KINDS, ids=[request.kind for request in KINDS])
def test_every_kind_comes_back_from_its_text_with_all_its_fields(made: Request) -> None:
    found = reading(infotext.write(made, {}))
    lost: dict[str, Any] = {"image": ""} if hasattr(made, "image") else {}
    units = tuple(replace(use, image="", mask="") for use in drawing(made).controls)
    assert found.request == replace(made, vae=OWN_VAE, controls=units, **lost)
    assert set(found.pictures.values()) <= {IMAGE[:12], MASK[:12]} and bool(found.pictures) == (made is not KINDS[0])


def test_input_pictures_are_found_by_the_beginning_of_their_names(uploads: Any) -> None:
    mine = put(uploads)
    made = ImageToImage(prompt="x", seed=1, image=mine, controls=(replace(UNIT, image=mine, mask=""),))
    found = reading(infotext.write(made, {}))
    request, notes = with_pictures(uploads, found.request, found.pictures, ME)
    assert (request.image, request.controls[0].image, notes) == (mine, mine, ())
    _, notes = with_pictures(uploads, found.request, {(-1, "image"): "0" * 12}, ME)
    assert len(notes) == 1


A1111 = """a house <lora:ink:0.5>
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x512, Model hash: aaaaaaaaaa, Model: dreams, \
VAE hash: bbbbbbbbbb, VAE: warm.pt, \
Denoising strength: 0.6, Mask blur: 8, Inpaint area: Only masked, Masked area padding: 16, Masked content: latent noise, \
Lora hashes: "ink: cccccccccccc", Refiner: finish [dddddddddd], Refiner switch at: 0.7, Face restoration: CodeFormer, \
ControlNet 0: "Module: canny, Model: control_v11p_canny [d14c016b], Weight: 0.8, \
Control Mode: My prompt is more important", Version: v1.10.1"""


def test_what_another_studio_names_is_found_by_hash_under_any_name() -> None:
    found = rebound(
        A1111,
        entry("checkpoint", "Dreamier", hash="a" * 64), entry("vae", "warmth", hash="b" * 64), entry("lora", "pen", hash="c" * 64),
        entry("checkpoint", "Last", hash="d" * 64), entry("controlnet", "control_v11p_canny"),
    )  # fmt: skip
    request = drawing(found.request)
    assert (request.checkpoint, request.vae, request.refiner) == ("id-Dreamier", "id-warmth", "id-Last")
    assert request.loras == (LoraUse(id="id-pen", name="ink", unet=0.5, text_encoder=0.5),) and request.prompt == "a house"
    assert isinstance(request, Inpaint) and (request.mask_blur, request.masked_content, request.padding) == (8, "Latent noise", 16)
    [unit] = request.controls
    assert (unit.id, unit.preprocessor, unit.weight, unit.mode) == ("id-control_v11p_canny", "Canny", 0.8, "Prompt")
    assert found.notes == ()


def test_what_is_not_here_is_named() -> None:
    notes = " ".join((*reading(A1111).notes, *rebound(A1111).notes))
    for lost in ("dreams", "warm.pt", "ink", "finish", "Face restoration", "mask", "picture that it begins with", "control_v11p_canny"):
        assert lost in notes, lost
    assert drawing(rebound(A1111).request).checkpoint == "starter"


def test_a_number_beyond_its_limits_is_put_on_the_limit_and_said() -> None:
    found = reading("x\nSteps: 999, Sampler: Euler, CFG scale: -2, Seed: 5, Size: 100000x50000, Denoising strength: 7, Mask blur: 500")
    request = found.request
    assert isinstance(request, Inpaint)
    assert (request.steps, request.guidance_scale, request.denoising_strength, request.mask_blur) == (150, 0, 1, 64)
    assert request.width * request.height <= 4.2e6 and request.width == request.height
    assert len([note for note in found.notes if "instead of" in note]) == 5


def test_the_strength_of_a_second_pass_is_no_picture_to_begin_with() -> None:
    found = reading("x\nSteps: 9, Sampler: Euler, CFG scale: 5, Seed: 5, Denoising strength: 0.7, Hires upscale: 2, Hires steps: 5")
    assert isinstance(found.request, TextToImage)
    assert (found.request.hires, found.request.hires_strength, found.request.hires_steps, found.notes) == (True, 0.7, 5, ())


def test_an_embedding_in_the_list_acts_and_no_other() -> None:
    text = 'frost, snow\nSteps: 9, Sampler: Euler, CFG scale: 5, Seed: 5, Size: 64x64, TI hashes: "frost: cccccccccccc"'
    found = rebound(text, entry("embedding", "ice", hash="c" * 64), entry("embedding", "snow"))
    assert [(use.id, use.word) for use in drawing(found.request).embeddings] == [("id-ice", "frost")]
    assert drawing(found.request).as_made


def test_the_starter_never_stands_in_for_a_checkpoint_in_silence() -> None:
    assert "names no checkpoint" in rebound("x\nSteps: 9, Sampler: Euler, CFG scale: 5, Seed: 5").notes[0]
