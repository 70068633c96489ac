"""What swapping models costs, and whether memory comes back: two copies of the starter with different weights, a VAE, LoRAs, a failure.

The device's own memory is played by the CPU's here, so "to the device" is a copy from one place in memory to another: the floor
is copying the same bytes once. On a graphics card the same code copies over its bus, with another floor.
"""

from __future__ import annotations

import gc
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import torch
from safetensors.torch import load_file, save_file

from bench.engine import HERE
from bench.paired import Row, Timed, compare, take_turns
from models.errors import UserError
from models.library.catalog import STARTER, Catalog
from models.memory.device import choose
from models.memory.forecast import Machine
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture
from pipelines.requests.request import LoraUse, TextToImage
from pipelines.runtime.runner import ModelRunner

SWAPS = 50
EVERY = 5  # swaps between two lines of the table
FAILURE = 23  # the swap after which a LoRA that does not fit is asked for
ROOM = 10**11
UNET = "diffusion_pytorch_model.safetensors"
LAYER = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k"  # what the LoRAs change


@dataclass(frozen=True)
class Files:
    catalog: Catalog
    other: str  # id of the second checkpoint
    vae: str
    loras: dict[str, str]  # name -> id


def measure(rounds: int) -> list[Row]:
    with files() as found:
        tiers = runner(found, Machine(host=ROOM, device=ROOM))
        times = take_turns(variants(tiers, found), rounds)
        del tiers
        rows = compare(times, "copying its bytes into new memory", {"a checkpoint from the host to the device and back": 1.3})
        rows += compare(times, "copying its bytes into new memory", {"a lease of what is there already": None})
        return [*rows, fifty_swaps(found)]


@contextmanager
def files() -> Iterator[Files]:
    """The starter, a second checkpoint with its weights halved, a VAE, a LoRA that fits and one that does not."""
    starter = HERE / "models" / "starter"
    with tempfile.TemporaryDirectory() as name:
        other, vaes, loras = Path(name) / "checkpoints" / "other", Path(name) / "vae", Path(name) / "loras"
        parts = ("unet", "vae", "text_encoder", "tokenizer", "scheduler", "model_index.json")
        other.mkdir(parents=True)
        vaes.mkdir()
        loras.mkdir()
        save_file({key: tensor * 0.99 for key, tensor in load_file(starter / "vae" / UNET).items()}, vaes / "soft.safetensors")
        for part in parts:
            copy = shutil.copytree if (starter / part).is_dir() else shutil.copy
            copy(starter / part, other / part)
        weights = load_file(starter / "unet" / UNET)
        save_file({key: tensor * 0.5 for key, tensor in weights.items()}, other / "unet" / UNET)
        shape, layer = weights[f"{LAYER}.weight"].shape, "lora_unet_" + LAYER.replace(".", "_")
        for title, width in (("fits", shape[1]), ("does not", shape[1] + 1)):
            pair = {f"{layer}.lora_down.weight": torch.randn(8, width), f"{layer}.lora_up.weight": torch.randn(shape[0], 8)}
            save_file(pair, loras / f"{title}.safetensors")
        catalog = Catalog(starter, [Path(name)])
        catalog.rescan(wait=True)
        second = next(entry.id for entry in catalog.checkpoints() if entry.id != STARTER)
        soft = next(entry.id for entry in catalog.models("vae") if entry.name == "soft")
        yield Files(catalog, second, soft, {entry.name: entry.id for entry in catalog.models("lora")})


def runner(found: Files, machine: Machine) -> ModelRunner:
    return ModelRunner(found.catalog, choose("cpu"), machine, Inputs(Path(tempfile.gettempdir()) / "atelier-inputs"))


def variants(tiers: ModelRunner, found: Files) -> dict[str, Timed]:
    with tiers.model(STARTER) as model:
        networks = [model.unet, model.vae, *(encoder.network for encoder in model.text_encoders)]
        count = sum(weight.nbytes for network in networks for weight in (*network.parameters(), *network.buffers()))
    key = tiers.manager.ledger[0].key
    held = tiers.manager._held[key].item
    tiers.manager._leave_device(tiers.manager._held[key])
    flat = torch.ones(count, dtype=torch.uint8)

    def copy() -> float:
        begin = time.perf_counter()
        flat.clone()
        return time.perf_counter() - begin

    def move() -> float:
        begin = time.perf_counter()
        held.to("device")
        held.leave("device")
        return time.perf_counter() - begin

    def lease() -> float:
        begin = time.perf_counter()
        with tiers.manager.lease([key]):
            return time.perf_counter() - begin

    return {
        "copying its bytes into new memory": copy,
        "a checkpoint from the host to the device and back": move,
        "a lease of what is there already": lease,
    }


def fifty_swaps(found: Files) -> Row:
    """Room for one model: each swap loads one and a VAE, patches it, draws, undoes. Prints what the process holds along the way."""
    small = runner(found, Machine(host=1))
    resident, seconds = [], []
    print(f"\n{'swaps':>8}{'resident MB':>14}{'held MB':>10}")
    for number in range(SWAPS + 1):
        begin = time.perf_counter()
        draw(small, found, number)
        seconds.append(time.perf_counter() - begin)
        if number % EVERY == 0:
            gc.collect()
            resident.append(psutil.Process().memory_info().rss)
            print(f"{number:8}{resident[-1] / 2**20:14.0f}{small.manager.used('host') / 2**20:10.0f}")
    ratios = [later / resident[1] for later in resident[2:]]  # the first lines still have imports and caches in them
    return Row("resident memory after 10 to 50 swaps / after 5", ratios, 1.05, sorted(seconds)[len(seconds) // 2])


def draw(small: ModelRunner, found: Files, number: int) -> None:
    checkpoint = found.other if number % 2 else STARTER
    request = TextToImage(prompt="a red house", checkpoint=checkpoint, steps=2, seed=1, width=128, height=128)
    finish(small, replace(request, vae=found.vae, loras=(LoraUse(id=found.loras["fits"]),)))
    if number == FAILURE:
        try:
            finish(small, replace(request, loras=(LoraUse(id=found.loras["does not"]),)))
        except UserError:
            return
        raise AssertionError("a LoRA of another width was taken")


def finish(small: ModelRunner, request: TextToImage) -> None:
    assert any(isinstance(event, Picture) for batch in small.batches(request) for event in batch)
