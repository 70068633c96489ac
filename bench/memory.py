"""The memory forecast against a count: full-size SD 1.5 and SDXL in half precision at three sizes, in each way of lying on a card.

Nothing is computed and no weights are there: torch's fake tensors go through the real networks, moved by the code that moves real ones,
and the bytes that would be alive on the card are counted at every operation. So it needs neither a card nor a model file. What a card's
libraries take beside the tensors is not in the count; `MARGIN` (models/memory/device.py) is kept free for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from bench.paired import Row
from models.families import FAMILIES
from models.kits import kit
from models.memory.alive import Alive
from models.memory.forecast import NEEDS, TILE, Machine, Work, peak_in_turn, working_memory
from models.memory.lane import Lane
from models.memory.offload import HOST, Resident, in_turn, lying
from models.networks.build import blank_encoder, blank_unet, blank_vae
from models.tensors.sources import config

SIZES = (512, 1024, 2048)
WHOLE, PARTS, LAYERS = "whole", "part by part", "layer by layer"
WAYS = (WHOLE, PARTS, LAYERS)
CARD = Machine(host=10**12, device=10**12, element_size=2, one_by_one=False)
LEAST, MOST = 0.8, 1.2  # of the count, between which the forecast must lie
TOKENS = 77


class Beside(Lane):
    """As on a card, where the next layer is on its way while one computes."""

    @property
    def runs_beside(self) -> bool:
        return True


@dataclass(frozen=True)
class Networks:
    """The networks of a family in half precision, as fake tensors in the host's memory."""

    family: str
    encoders: Mapping[str, nn.Module]
    unet: Any  # Any: diffusers annotates its calls in part, here and in the next
    vae: Any

    @property
    def all(self) -> Sequence[nn.Module]:
        return [*self.encoders.values(), self.unet, self.vae]


@dataclass(frozen=True)
class Counted:
    """Bytes on the card at the peak of one picture with guidance, counted and forecast."""

    peak: int
    forecast: int

    @property
    def ratio(self) -> float:
        return self.forecast / self.peak


def measure(rounds: int) -> list[Row]:
    """Counting has no spread, so one round is all."""
    print(f"\n{'':34}{'counted':>12}{'forecast':>12}{'ratio':>8}   GB on a card, one picture, two branches")
    rows: list[Row] = []
    for family in ("sd1", "sdxl"):
        with faked(networks_of(family)) as networks:
            rows += _rows(networks)
    return rows


def _rows(networks: Networks) -> Iterator[Row]:
    for side in SIZES:
        for way in WAYS:
            begin = time.perf_counter()
            found = counted(networks, side, way)
            name = f"{networks.family} {side}, {way}"
            within = "" if LEAST <= found.ratio <= MOST else "  out of bounds"
            print(f"{name:34}{found.peak / 1e9:12.2f}{found.forecast / 1e9:12.2f}{found.ratio:8.2f}{within}", flush=True)
            yield Row(f"forecast / count, {name}", [found.ratio], MOST, time.perf_counter() - begin)


def networks_of(family: str) -> Networks:
    """On meta."""
    folder = kit(family)
    encoders = {key: blank_encoder(key, key, config(folder / f"{key}.json")).network.half() for key in FAMILIES[family].text.encoders}
    unet, vae = blank_unet("UNet", config(folder / "unet.json")).network, blank_vae("VAE", config(folder / "vae.json")).network
    return Networks(family, encoders, unet.half(), vae.half())


@contextmanager
def faked(networks: Networks) -> Iterator[Networks]:
    """Their weights lie in the host's memory; for the length of the block, tensors have shapes, types and places, and no numbers."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
        for network in networks.all:
            network.to_empty(device=HOST)
        yield networks


def counted(networks: Networks, side: int, way: str) -> Counted:
    """The card's memory is played by copies in the host's, which is as good where nothing is computed."""
    with Alive(nn.ModuleList(networks.all)) as alive, _lying(networks, way):
        for call in _calls(networks, side):
            call()
    return Counted(alive.peak, _forecast(networks, Work(networks.family, 0, side, side), way))


@contextmanager
def _lying(networks: Networks, way: str) -> Iterator[None]:
    if way == WHOLE:
        residents = Resident(networks, networks.all, HOST)
        residents.to("device")
        yield
        residents.leave("device")
        return
    with in_turn(networks.all, HOST, way == LAYERS, Beside(HOST)):
        yield


def _forecast(networks: Networks, work: Work, way: str) -> int:
    if way == WHOLE:
        return NEEDS[networks.family].weights * CARD.element_size + working_memory(work, CARD)
    return peak_in_turn(work, CARD, lying([networks.unet], [networks.vae], networks.encoders.values(), layer_by_layer=way == LAYERS))


def _calls(networks: Networks, side: int) -> Iterator[Callable[[], object]]:
    """What one step of one picture calls: each encoder for both prompts, the UNet for both branches, the VAE for its largest tile."""
    family = FAMILIES[networks.family]
    ids = torch.zeros(1, TOKENS, dtype=torch.long)
    yield from (partial(_twice, encoder, ids) for encoder in networks.encoders.values())
    across = side // family.latent.pixels
    latents = torch.empty(2, family.latent.channels, across, across).half()
    words = torch.empty(2, TOKENS, networks.unet.config["cross_attention_dim"]).half()
    yield partial(networks.unet, latents, torch.empty(2), words, added_cond_kwargs=_added(networks), return_dict=False)
    tile = min(across, TILE)
    yield partial(networks.vae.decode, torch.empty(1, family.latent.channels, tile, tile).half(), return_dict=False)


def _twice(encoder: nn.Module, ids: Tensor) -> None:
    for _ in range(2):
        encoder(input_ids=ids)


def _added(networks: Networks) -> dict[str, Tensor]:
    return {"text_embeds": torch.empty(2, 1280).half(), "time_ids": torch.empty(2, 6).half()} if networks.family == "sdxl" else {}
