"""The forecast against bytes counted on networks of the published shapes, and the ways in which memory runs out."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from torch.overrides import TorchFunctionMode

from bench import memory
from models.errors import UserError
from models.memory.alive import Alive
from models.memory.device import mend_torchvision
from models.memory.forecast import (  # fmt: skip
    DECODED,
    GAPS,
    NEEDS,
    SLACK,
    STEERING,
    Forecast,
    Machine,
    Work,
    drop_frames,
    exhausted,
    forecast,
    is_out_of_memory,
    slimness_of,
    weights_of,
)

GB = 10**9
CARD = Machine(host=32 * GB, device=8 * GB, element_size=2, one_by_one=False)
LAPTOP = Machine(host=16 * GB)


# ------------------------------------------------------------------------------------------------ counted on meta tensors


class Frugal(TorchFunctionMode):
    """Attention as the fast kernels do it: no matrix of all queries and keys is ever held."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is functional.scaled_dot_product_attention:
            return torch.empty_like(args[0])
        return function(*args, **(kwargs or {}))


def counted(network: torch.nn.Module, call: Callable[[], Any]) -> int:
    with torch.no_grad(), Frugal(), Alive(network) as alive:
        call()
    return alive.peak


UNETS: dict[str, dict[str, Any]] = {
    "sd1": {"block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768, "attention_head_dim": 8},
    "sdxl": {
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "cross_attention_dim": 2048,
        "attention_head_dim": (5, 10, 20),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
}
X4 = json.loads((Path(__file__).parent.parent / "models" / "kits" / "x4-upscaler" / "unet.json").read_text("utf-8"))


@pytest.mark.parametrize(("family", "side", "ways"), [("sd1", 512, [memory.WHOLE, memory.LAYERS]), ("sdxl", 1024, [memory.PARTS])])
def test_what_lies_on_a_card_is_forecast_whole_and_in_turn(family: str, side: int, ways: Sequence[str]) -> None:
    """`python run.py bench memory` has all sizes."""
    networks = memory.networks_of(family)
    assert sum(weight.numel() for weight in networks.unet.parameters()) == NEEDS[family].unet
    with memory.faked(networks):
        found = {way: memory.counted(networks, side, way) for way in ways}
    assert all(memory.LEAST <= counted.ratio <= memory.MOST for counted in found.values()), found
    assert [found[way].peak for way in ways] == sorted((counted.peak for counted in found.values()), reverse=True)


def test_the_x4_upscaler_takes_what_is_forecast() -> None:
    """Its latents are twice as dense: a picture of 512 pixels has 128 across."""
    mend_torchvision()
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    with torch.device("meta"):
        unet = UNet2DConditionModel(**X4).half()
        given = torch.empty(2, 7, 128, 128).half(), torch.empty(2), torch.empty(2, 77, 1024).half()
        peak = counted(unet, lambda: unet(*given, class_labels=torch.zeros(2, dtype=torch.long), return_dict=False))
    assert peak == pytest.approx(forecast(Work("x4-upscaler", 0, 512, 512), CARD, 100 * GB).activations / GAPS, rel=0.05)


@pytest.mark.parametrize("family", UNETS)
def test_what_control_networks_add_is_forecast(family: str) -> None:
    mend_torchvision()
    from diffusers import ControlNetModel

    own = {name: value for name, value in UNETS[family].items() if name != "up_block_types"}
    with torch.device("meta"):
        sizes = {"text_embeds": torch.empty(1, 1280), "time_ids": torch.empty(1, 6)}
        given = torch.empty(1, 4, 64, 64), torch.empty(1), torch.empty(1, 77, own["cross_attention_dim"]), torch.empty(1, 3, 512, 512)
        down, middle = ControlNetModel(**own)(*given, added_cond_kwargs=sizes, return_dict=False)
    assert sum(part.numel() for part in (*down, middle)) / 64**2 == STEERING
    plain, steered = (forecast(Work(family, 0, 512, 512, steered=steered), CARD, 0).activations for steered in (False, True))
    assert steered - plain == pytest.approx(2 * 64**2 * STEERING * 2 * GAPS, abs=2)


def test_the_decoder_takes_what_is_forecast() -> None:
    mend_torchvision()
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    blocks: Any = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    blocks["block_out_channels"] = (128, 256, 512, 512)
    with torch.device("meta"):
        vae = AutoencoderKL(**blocks, layers_per_block=2).half()
        peak = counted(vae, lambda: vae.decode(torch.empty(1, 4, 64, 64).half(), return_dict=False))  # pyright: ignore[reportArgumentType]
    assert peak == pytest.approx(DECODED * 512 * 512 * 2, rel=0.05)
    assert peak == pytest.approx(forecast(Work("sd1", 0, 512, 512), CARD, 100 * GB).decode / GAPS, rel=0.05)
    assert sum(weight.numel() for weight in vae.parameters()) == NEEDS["sd1"].vae


def test_the_starter_is_not_taken_for_a_full_size_model() -> None:
    """Its layers are other ones than the family's, so only the order of magnitude can be right."""
    mend_torchvision()
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    starter = Path(__file__).parent.parent / "models" / "starter"
    config = json.loads((starter / "unet" / "config.json").read_text(encoding="utf-8"))
    size = sum(file.stat().st_size for name in ("unet", "vae", "text_encoder") for file in (starter / name).glob("*.safetensors"))
    with torch.device("meta"):
        unet = UNet2DConditionModel(**{name: value for name, value in config.items() if not name.startswith("_")}).half()
        words = torch.empty(2, 77, config["cross_attention_dim"]).half()
        peak = counted(unet, lambda: unet(torch.empty(2, 4, 16, 16).half(), torch.empty(2), words, return_dict=False))
    predicted = forecast(Work("sd1", 0, 128, 128, slimness=slimness_of("sd1", size)), CARD, 100 * GB).activations / SLACK
    assert predicted / 3 < peak < predicted * 3


# ------------------------------------------------------------------------------------------------ what is said


def sdxl(machine: Machine, **changes: Any) -> Work:
    return replace(Work("sdxl", weights_of("sdxl", 6_940_000_000, machine), 1024, 1024), **changes)


def test_a_picture_that_fits_gets_no_advice() -> None:
    predicted = forecast(sdxl(CARD), CARD, 24 * GB)
    assert predicted.fits and not predicted.advice
    assert predicted.weights == pytest.approx(6.94 * GB, rel=0.01)


def test_what_does_not_fit_is_said_with_what_would() -> None:
    predicted = forecast(sdxl(CARD, batch_size=8), CARD, 9 * GB)
    assert not predicted.fits and "batch size of" in predicted.advice
    offered = int(predicted.advice.split("batch size of ")[1].split()[0])
    assert forecast(sdxl(CARD, batch_size=offered), CARD, 9 * GB).fits
    assert not forecast(sdxl(CARD, batch_size=offered + 1), CARD, 9 * GB).fits


def test_a_smaller_size_of_the_same_shape_is_offered() -> None:
    work = Work("sd1", weights_of("sd1", 2_132_000_000, CARD), 2048, 1024)
    predicted = forecast(work, CARD, 3_200_000_000)
    width, height = (int(part) for part in predicted.advice.split(". ")[1].split(" would")[0].split(" x "))
    assert width / height == pytest.approx(2, rel=0.05)
    assert forecast(replace(work, width=width, height=height), CARD, 3_200_000_000).fits


def test_when_the_model_alone_is_too_large_that_is_what_is_said() -> None:
    predicted = forecast(sdxl(CARD), CARD, 6 * GB)
    assert "part by part" in predicted.advice and "smaller checkpoint" in predicted.advice


def test_loras_count_because_what_they_change_is_kept_beside_the_original() -> None:
    plain, patched = (forecast(sdxl(CARD, patched=count), CARD, 9_800_000_000) for count in (0, 5 * GB))
    assert plain.fits and not patched.fits
    assert "Without LoRAs" in patched.advice


def test_one_picture_at_a_time_needs_no_more_for_a_larger_batch() -> None:
    one, many = (forecast(Work("sd1", 0, 512, 512, batch_size=size), LAPTOP, GB) for size in (1, 16))
    assert one.activations == many.activations


def test_guidance_1_halves_the_activations() -> None:
    both, one = (forecast(Work("sd1", 0, 512, 512, guided=guided), CARD, GB) for guided in (True, False))
    assert both.activations == pytest.approx(2 * one.activations, rel=1e-6)


@pytest.mark.parametrize("size", [1_080_000_000, 2_132_000_000, 4_265_000_000, 7_700_000_000])
def test_a_model_takes_the_same_memory_whatever_its_file_holds_beside_it(size: int) -> None:
    assert weights_of("sd1", size, CARD) == pytest.approx(2.13 * GB, rel=0.01)
    assert weights_of("sd1", size, LAPTOP) == pytest.approx(4.26 * GB, rel=0.01)


def test_a_small_model_of_the_family_is_not_taken_for_a_full_one() -> None:
    assert weights_of("sd1", 46_000_000, LAPTOP) == 92_000_000


# ------------------------------------------------------------------------------------------------ none left


def out_of_memory_errors() -> list[BaseException]:
    return [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.02 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ]


@pytest.mark.parametrize("error", out_of_memory_errors(), ids=str)
def test_out_of_memory_is_recognised_in_every_spelling(error: BaseException) -> None:
    assert is_out_of_memory(error)


def test_a_real_refusal_of_the_allocator_is_recognised() -> None:
    with pytest.raises(RuntimeError) as refusal:
        torch.empty(2**60)
    assert is_out_of_memory(refusal.value)


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), ValueError("out of memory"), UserError("out of memory, they say")])
def test_other_errors_are_not_taken_for_it(error: BaseException) -> None:
    assert not is_out_of_memory(error)


def test_a_dropped_exception_keeps_no_tensor_alive() -> None:
    seen: list[weakref.ref[torch.Tensor]] = []

    def fail() -> None:
        tensor = torch.ones(3)
        seen.append(weakref.ref(tensor))
        try:
            raise RuntimeError("inner")
        except RuntimeError as inner:
            raise MemoryError("outer") from inner

    kept: BaseException | None = None
    try:
        fail()
    except MemoryError as error:
        kept = error
        assert seen[0]() is not None
        assert drop_frames(error) == "outer"
    gc.collect()
    assert kept is not None and seen[0]() is None


def test_the_last_word_offers_what_helps_here() -> None:
    assert "smaller size than 1024 x 1024" in exhausted(sdxl(CARD), CARD)
    assert "side by side" in exhausted(sdxl(CARD, batch_size=4), CARD)
    assert "side by side" not in exhausted(sdxl(LAPTOP, batch_size=4), LAPTOP)


def test_what_counts_beside_the_weights_is_the_larger_of_the_two_peaks() -> None:
    assert Forecast(0, 3, 5, 0, True).work == 5
