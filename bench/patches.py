"""A LoRA of rank 16 on every attention layer of a network like SD 1 with a fifth of its channels, on and off again.

Against touching the bytes that it changes once: reading each weight and writing as many new bytes, by the cheapest operation there is.
The checks of names, shapes and numbers are part of what is measured. Then whether anything stays behind in memory.
"""

from __future__ import annotations

import gc
import time
from types import SimpleNamespace
from typing import Any

import psutil
import torch
from torch import Tensor

from bench.paired import Row, Timed, compare, row, take_turns
from models.families import SD1
from models.memory.device import mend_torchvision
from models.patches import applied
from models.patches.lora_files import Lora, read_lora
from models.patches.targets import weighted

RANK = 16
ROUNDS_OF_MEMORY = 50
BASE = "touching the patched bytes once"


def measure(rounds: int) -> list[Row]:
    mend_torchvision()
    model = small_sd1()
    lora = attention_lora(model)
    changed = [module.weight for name, module in weighted(model.unet).items() if ".attn" in name]
    variants: dict[str, Timed] = {
        BASE: lambda: timed_touch(changed),
        "a LoRA on and off": lambda: timed_patch(model, [(lora, 0.8, 0.8, "")]),
        "two LoRAs on and off": lambda: timed_patch(model, [(lora, 0.8, 0.8, ""), (lora, -0.3, 0.0, "")]),
        "undoing alone": lambda: timed_undo(model, lora),
    }
    times = take_turns(variants, rounds)
    limits: dict[str, float | None] = {name: None for name in variants if name != BASE}
    return [*compare(times, BASE, limits), memory(model, lora)]


def small_sd1() -> Any:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    unet = UNet2DConditionModel(block_out_channels=(64, 128, 256, 256), cross_attention_dim=768)
    return SimpleNamespace(unet=unet, text_encoders=(), family=SD1, checkpoint=SimpleNamespace(name="small"))


def attention_lora(model: Any) -> Lora:
    tensors: dict[str, Tensor] = {}
    named: dict[str, Any] = dict(weighted(model.unet))
    for name, module in named.items():
        if ".attn" in name:
            out, inside = module.weight.shape
            stem = f"lora_unet_{name.replace('.', '_')}.lora"
            tensors |= {f"{stem}_down.weight": torch.randn(RANK, inside) * 0.01, f"{stem}_up.weight": torch.randn(out, RANK) * 0.01}
    return read_lora(tensors)


def timed_touch(weights: list[Any]) -> float:
    begin = time.perf_counter()
    with torch.no_grad():
        kept = [weight + 1 for weight in weights]
    del kept
    return time.perf_counter() - begin


def timed_patch(model: Any, uses: list[tuple[Lora, float, float, str]]) -> float:
    begin = time.perf_counter()
    with applied(model, uses):
        pass
    return time.perf_counter() - begin


def timed_undo(model: Any, lora: Lora) -> float:
    patch = applied(model, [(lora, 0.8, 0.8, "")])
    patch.__enter__()
    begin = time.perf_counter()
    patch.__exit__(None, None, None)
    return time.perf_counter() - begin


def memory(model: Any, lora: Lora) -> Row:
    """Resident bytes after many patches, every fifth of which fails inside, against after the first few."""
    seen: list[float] = []
    for number in range(ROUNDS_OF_MEMORY + 1):
        fail_or_not(model, lora, number % 5 == 0)
        if number % 10 == 0:
            gc.collect()
            seen.append(psutil.Process().memory_info().rss)
    return row("resident memory after 20 to 50 patches / after 10 (bytes, not seconds)", seen[2:], [seen[1]] * len(seen[2:]), 1.02)


def fail_or_not(model: Any, lora: Lora, fail: bool) -> None:
    try:
        with applied(model, [(lora, 0.8, 0.8, "")]):
            if fail:
                raise InterruptedError
    except InterruptedError:
        pass
