"""Weights in eight bits stay so where the device asks for it, and all bits are those of weights that were raised when they were read."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.control.network import load_control
from models.diffusion_model import DiffusionModel
from models.families import SD1
from models.files import ModelFile
from models.identify.identify import identify
from models.memory.device import Device
from models.memory.forecast import Machine, weights_of
from models.memory.lane import Lane
from models.memory.offload import in_turn
from models.networks.eight_bits import EightBitConv, EightBitLinear
from models.patches import applied
from models.tensors.fp8 import STORED
from models.tensors.header import read_header
from tests.support import toy_files
from tests.support.loading_toys import HALF, Toy, loaded
from tests.support.lora_kinds import dora_by_output, lora_of, low_rank
from tests.support.original_names import Tensors
from tests.support.pretended_device import NAME, pretended_card
from tests.support.toy_controls import control_lora, sizes_of, write
from tests.support.toy_files import UNET, Change
from tests.support.toy_weights import toy_networks

STAYS = replace(HALF, eight_bits=True)
ROWS = f"{UNET}middle_block.1.transformer_blocks.0.attn1.to_q"


def rows_too(tensors: Tensors) -> Tensors:
    """As ComfyUI writes them, one of them with a scale for each row, and a convolution of one pixel among them."""
    changed = toy_files.scaled_fp8(".scale_weight")(tensors)
    changed[f"{ROWS}.scale_weight"] = torch.linspace(0.5, 2, len(changed[f"{ROWS}.weight"]))[:, None] * changed[f"{ROWS}.scale_weight"]
    pixel = next(name for name in tensors if name.startswith(UNET) and name.endswith("proj_in.weight"))
    return changed | {pixel: tensors[pixel].to(torch.float8_e5m2), pixel.removesuffix("weight") + "scale_weight": torch.tensor(0.75)}


FILES: dict[str, Change] = {"plain": toy_files.to(torch.float8_e4m3fn), "scaled": rows_too}


@pytest.fixture(scope="module")
def toy() -> Toy:
    networks = toy_networks(SD1, 1000)
    return Toy(SD1, networks, toy_files.checkpoint(SD1, networks))


@pytest.fixture(params=FILES)
def pair(request: pytest.FixtureRequest, toy: Toy, tmp_path: Path) -> tuple[DiffusionModel, DiffusionModel]:
    """The same file with its weights raised when they are read, and at each call."""
    change = FILES[request.param]
    return loaded(toy, tmp_path, change, HALF), loaded(toy, tmp_path, change, STAYS)


@torch.no_grad()
# Any: the UNet of diffusers
def drawn(unet: Any, device: str = "cpu") -> Tensor:
    """(2, 4, 16, 16): what the network makes of noise."""
    torch.manual_seed(3)
    noise, words = torch.randn(2, 4, 16, 16).half(), torch.randn(2, 77, unet.config["cross_attention_dim"]).half()
    return unet(noise.to(device), torch.tensor(500, device=device), words.to(device)).sample.cpu()


def test_the_unet_stays_in_eight_bits_and_gives_the_same_bits(pair: tuple[DiffusionModel, DiffusionModel]) -> None:
    raised, stays = pair
    assert torch.equal(drawn(raised.unet), drawn(stays.unet))
    kept = [weight.nbytes for weight in stays.unet.parameters() if weight.dtype in STORED]
    whole = sum(weight.nbytes for weight in raised.unet.parameters())
    assert sum(weight.nbytes for weight in stays.unet.parameters()) == whole - sum(kept) <= 0.9 * whole
    layers = [module for module in stays.unet.modules() if isinstance(module, EightBitLinear | EightBitConv)]
    assert len(layers) == len(kept) > 30
    others = [weight for encoder in stays.text_encoders for weight in encoder.network.parameters()] + list(stays.vae.parameters())
    assert {weight.dtype for weight in others} == {torch.float16}


@pytest.mark.parametrize("kind", [low_rank, dora_by_output])
def test_a_lora_gives_the_same_bits_and_leaves_the_weights_as_they_were(
    pair: tuple[DiffusionModel, DiffusionModel], kind: Callable[..., Any]
) -> None:
    raised, stays = pair
    before = {name: weight.view(torch.uint8).clone() for name, weight in stays.unet.named_parameters() if weight.dtype in STORED}
    pictures: list[Tensor] = []
    for model in pair:
        with applied(model, [(lora_of(raised, kind)[0], 0.3, 0, "")]):
            pictures.append(drawn(model.unet))
    assert torch.equal(*pictures) and not torch.equal(pictures[0], drawn(raised.unet))
    after = dict(stays.unet.named_parameters())
    assert all(torch.equal(after[name].view(torch.uint8), weight) for name, weight in before.items())


def test_a_control_lora_borrows_them(pair: tuple[DiffusionModel, DiffusionModel], tmp_path: Path) -> None:
    tensors, whole = control_lora(deepcopy(pair[0].unet).float())
    path = write(tmp_path / "lora.safetensors", tensors, sizes_of(whole))
    entry = ModelFile("toy", path.stem, path, 0, 0.0, identify(read_header(path), path.stem, lambda _: []))
    raised, stays = (load_control(entry, SD1, HALF).ready(model.unet) for model in pair)
    torch.manual_seed(5)
    words = torch.randn(1, 77, pair[0].unet.config["cross_attention_dim"]).half()
    asked = torch.randn(1, 4, 16, 16).half(), torch.tensor(300), words, torch.rand(1, 3, 128, 128).half()
    with torch.no_grad():
        answers = [network(*asked) for network in (raised, stays)]
    pairs = zip(*([*found.down_block_res_samples, found.mid_block_res_sample] for found in answers), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("layer_by_layer", [False, True], ids=["part by part", "layer by layer"])
def test_they_travel_to_a_card_and_back(layer_by_layer: bool, pair: tuple[DiffusionModel, DiffusionModel]) -> None:
    wanted, unet = drawn(pair[0].unet), pair[1].unet
    with pretended_card() as card, _there(unet, layer_by_layer):
        found = drawn(unet, NAME)
        assert card.peak
    assert (found - wanted).abs().max() <= 5e-3 * wanted.abs().max()  # processors add halves in orders of their own: 2.1e-3 seen
    assert torch.equal(drawn(unet), wanted)


@contextmanager
def _there(network: nn.Module, layer_by_layer: bool) -> Generator[None]:
    device = torch.device(NAME)
    with in_turn([network], device, layer_by_layer, Lane(device)):
        yield


def test_the_forecast_counts_one_byte_a_number_of_the_unet() -> None:
    card = Machine(host=10**12, device=10**12, element_size=2, one_by_one=False, eight_bits=True)
    raised = replace(card, eight_bits=False)
    for family, unet, rest in (("sd1", 859_520_964, 206_714_343), ("sdxl", 2_567_463_684, 901_374_183)):
        mixed, half = unet + 2 * rest, 2 * (unet + rest)
        assert weights_of(family, mixed, card) == mixed
        assert weights_of(family, half, card) == weights_of(family, mixed, raised) == half


def test_a_device_that_is_not_asked_to_raises_them() -> None:
    assert not Device(torch.device("cpu"), torch.float32).eight_bits
