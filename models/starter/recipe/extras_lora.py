"""The LoRA "ink": Hu et al. 2021 (arXiv:2106.09685) on every linear layer and every convolution within the blocks, in kohya's file layout.

The words `ink drawing` stand in half of the captions it learns from, so they call the look and are not needed for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.starter.recipe.captions import caption
from models.starter.recipe.extras_course import Course, follow
from models.starter.recipe.extras_pictures import noise_loss, pool_of
from models.starter.recipe.extras_styles import inked
from models.starter.recipe.latents_stage import Pool, numbered_layout
from models.starter.recipe.sampling import Starter
from models.starter.recipe.tokenizer import tokens_of
from models.starter.recipe.unet_stage import EMPTY_SHARE

RANK, ALPHA = 4, 2.0
PICTURES, BATCH = 400, 8
TRIGGER = "ink drawing"
COURSE = Course("ink", steps=500, rate=3e-3, seed=1)


class Pair(nn.Module):
    """What is added to the output of one layer: alpha / rank * up(down(x)). It begins as nothing."""

    def __init__(self, layer: nn.Linear | nn.Conv2d, rank: int, alpha: float) -> None:
        super().__init__()
        self.scale = alpha / rank
        if isinstance(layer, nn.Conv2d):
            self.down = nn.Conv2d(layer.in_channels, rank, layer.kernel_size, layer.stride, layer.padding, bias=False)  # pyright: ignore[reportArgumentType]
            self.up = nn.Conv2d(rank, layer.out_channels, 1, bias=False)
        else:
            self.down = nn.Linear(layer.in_features, rank, bias=False)
            self.up = nn.Linear(rank, layer.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """As a forward hook of the layer."""
        return output + self.scale * self.up(self.down(given[0]))


def layers(starter: Starter) -> dict[str, nn.Linear | nn.Conv2d]:
    """Name in the file -> layer, of every layer that the LoRA changes."""
    found = dict(_layers("lora_unet_", starter.unet))
    for name, layer in _layers("lora_te_", starter.text_encoder):
        found[name if "_text_model_" in name else name.replace("lora_te_", "lora_te_text_model_")] = layer
    return found


def _layers(prefix: str, network: nn.Module) -> Iterator[tuple[str, nn.Linear | nn.Conv2d]]:
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d) and ("blocks." in name or "mid_block." in name or "layers." in name):
            yield prefix + name.replace(".", "_"), layer


def train_lora(starter: Starter, folder: Path, course: Course = COURSE, pictures: int = PICTURES) -> dict[str, Tensor]:
    """Train it on inked pictures; the tensors of its file, float16."""
    layouts = [numbered_layout(number) for number in range(pictures)]
    pool = pool_of(folder, "ink_latents", starter, layouts, inked)
    _freeze(starter)
    torch.manual_seed(course.seed)
    pairs = nn.ModuleDict({name: Pair(layer, RANK, ALPHA) for name, layer in layers(starter).items()})
    hooks = [layer.register_forward_hook(pairs[name]) for name, layer in layers(starter).items()]
    follow(course, folder, pairs, lambda rng: _loss(starter, pool, rng))
    for hook in hooks:
        hook.remove()
    return tensors_of(pairs)


def _freeze(starter: Starter) -> None:
    for network in (starter.unet, starter.text_encoder, starter.vae):
        network.requires_grad_(False)


def _loss(starter: Starter, pool: Pool, rng: np.random.Generator) -> Tensor:
    places = rng.integers(len(pool.scenes), size=BATCH)
    words = [_words(pool, int(place), rng) for place in places]
    text = starter.text_encoder(tokens_of(starter.tokenizer, words)).last_hidden_state
    latents = pool.latents[torch.from_numpy(places)].float() * starter.vae.config["scaling_factor"]
    return noise_loss(starter, latents, text)


def _words(pool: Pool, place: int, rng: np.random.Generator) -> str:
    if rng.random() < EMPTY_SHARE:
        return ""
    said, _ = caption(pool.scenes[place], rng)
    return f"{TRIGGER}, {said}" if rng.random() < 0.5 else said


def tensors_of(pairs: nn.ModuleDict) -> dict[str, Tensor]:
    """As kohya's trainers name them: NAME.lora_down.weight, NAME.lora_up.weight and NAME.alpha."""
    found: dict[str, Tensor] = {}
    for name, pair in pairs.items():
        assert isinstance(pair, Pair)
        found[f"{name}.lora_down.weight"] = pair.down.weight.detach().half().contiguous()
        found[f"{name}.lora_up.weight"] = pair.up.weight.detach().half().contiguous()
        found[f"{name}.alpha"] = torch.tensor(ALPHA).half()
    return found


def with_lora(starter: Starter, tensors: Mapping[str, Tensor], unet: float = 1.0, text_encoder: float = 1.0) -> Starter:
    """A copy whose weights are W + strength * alpha / rank * up @ down."""
    changed = replace(starter, unet=deepcopy(starter.unet), text_encoder=deepcopy(starter.text_encoder))
    for name, layer in layers(changed).items():
        strength = unet if name.startswith("lora_unet_") else text_encoder
        layer.weight.data += strength * _product(name, tensors).view_as(layer.weight)
    return changed


def _product(name: str, tensors: Mapping[str, Tensor]) -> Tensor:
    up, down, alpha = (tensors[f"{name}.{part}"].float() for part in ("lora_up.weight", "lora_down.weight", "alpha"))
    return alpha / len(down) * up.flatten(1) @ down.flatten(1)


def metadata(course: Course) -> dict[str, str]:
    """What the file says of itself, in the words of kohya's trainers and of the model specification."""
    said: dict[str, Any] = {
        "ss_output_name": "ink", "ss_network_module": "networks.lora", "ss_network_dim": RANK, "ss_network_alpha": ALPHA,
        "ss_network_args": f'{{"conv_dim": "{RANK}", "conv_alpha": "{ALPHA}"}}', "ss_steps": course.steps, "ss_seed": course.seed,
        "ss_learning_rate": course.rate, "ss_num_train_images": PICTURES, "ss_batch_size_per_device": BATCH,
        "ss_tag_frequency": f'{{"ink": {{"{TRIGGER}": {PICTURES // 2}}}}}',
        "modelspec.architecture": "stable-diffusion-v1/lora", "modelspec.title": "Ink", "modelspec.trigger_phrase": TRIGGER,
        "modelspec.description": "Blue-black ink on warm paper, for Atelier's starter model. Works without its trigger phrase too.",
    }  # fmt: skip
    return {name: str(value) for name, value in said.items()}
