"""Whatever the readers read is recognised as usable: key layouts are made from the tables and spellings that the readers take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import pytest
import torch

from models.patches.embeddings import read_embedding
from models.patches.lora_files import read_lora
from models.tensors.add_on_names import DIFFUSERS, ENCODERS, NAMED, OWN
from models.tensors.lora_names import FACTORS, PREFIXES, TELLING, WRAPPERS, Target, place_of
from models.tensors.signature import ENCODER_PREFIXES, UNET_PREFIXES, VAE_PREFIXES
from tests.support.headers import CLIP_G, CLIP_H, CLIP_L, VAE, Shapes, averaged, diffusers_unet, in_short, prefixed, told, unet

MODULES = {"unet": "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k", "te": "text_model.encoder.layers.3.self_attn.q_proj"}
SGM = "input_blocks.4.1.transformer_blocks.0.attn2.to_k"
FLAT = ("lora_", "lycoris_", "unet_", "te_", "te1_", "te2_")  # begin names without dots
INSIDE = ("down_blocks_1", "input_blocks_4", "encoder_layers_3", "time_embedding", "conv_in")  # how modules are called in the end
# Names as programs write them; the first part of each is the program's own.
WRITTEN = {
    "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k": "unet",
    "lycoris_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k": "unet",
    "lycoris_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k": "unet",
    "lycoris_time_embedding_linear_1": "unet",
    "diffusion_model.conv_in": "unet",
    "lycoris_text_model_encoder_layers_3_self_attn_q_proj": "te",
    "diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k": "unet",
    "model.diffusion_model.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k": "unet",
    "base_model.model.unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k": "unet",
    "base_model.model.text_model.encoder.layers.3.self_attn.q_proj": "te",
    "transformer.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k": "unet",
    "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k": "unet",
    "a_new_trainer.of.tomorrow.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k": "unet",
    "text_encoders.clip_l.transformer.text_model.encoder.layers.3.self_attn.q_proj": "te",
    "text_encoders.clip_g.transformer.text_model.encoder.layers.3.self_attn.q_proj": "te2",
    "lora_prior_te_text_model_encoder_layers_3_self_attn_q_proj": "te",
    "lora_te2_text_model_encoder_layers_3_self_attn_q_proj": "te2",
    "text_encoder_2.text_model.encoder.layers.3.self_attn.q_proj": "te2",
}


def stems() -> Iterator[tuple[str, str, str]]:
    """(name before the ending, part, module) for every prefix and every pair of a wrapper and a prefix."""
    for wrapper, (prefix, part) in product(("", *WRAPPERS), (*PREFIXES, ("", "unet"))):
        for module in (MODULES["unet"], SGM) if part == "unet" else (MODULES["te"],):
            flat = module.replace(".", "_") if (wrapper + prefix).startswith(FLAT) or prefix.endswith("_") else module
            yield f"{wrapper}{prefix}{flat}", part, module.removeprefix("text_model.").replace(".", "_")


def test_a_layer_is_found_behind_every_prefix_that_is_read() -> None:
    for stem, part, module in stems():
        assert place_of(f"{stem}.lora_down.weight") == (Target(part, module), "down"), stem
        found = told({f"{stem}.lora_down.weight": (4, 768), f"{stem}.lora_up.weight": (320, 4)})
        assert (found.kind, found.supported) == ("lora", True), (stem, found.note)


@pytest.mark.parametrize("stem", WRITTEN)
def test_a_layer_is_found_as_programs_write_it(stem: str) -> None:
    pair = {f"{stem}.lora_A.weight": torch.ones(4, 768), f"{stem}.lora_B.weight": torch.ones(320, 4)}
    [target] = read_lora(pair).modules
    assert target.part == WRITTEN[stem] and target.name.startswith(INSIDE)
    assert told({name: tuple(tensor.shape) for name, tensor in pair.items()}).supported


def test_every_ending_that_is_read_tells_a_lora() -> None:
    for ending in TELLING:
        found = told({f"lora_unet_{SGM.replace('.', '_')}{ending}": (4, 768)})
        assert (found.kind, found.supported) == ("lora", True), ending
    assert told({f"lora_unet_{SGM.replace('.', '_')}.{factor}": (1,) for factor in FACTORS}).kind == "unknown"


def test_layers_of_newer_models_are_told_behind_every_prefix() -> None:
    for wrapper in ("", "lora_unet_", "transformer.", "diffusion_model.", "lycoris_"):
        name = f"{wrapper}double_blocks.0.img_attn.qkv".replace(".", "_" if wrapper.endswith("_") else ".")
        found = told({f"{name}.lora_down.weight": (4, 3072), f"{name}.lora_up.weight": (9216, 4)})
        assert (found.kind, found.family, found.supported) == ("lora", "flux1", False), name


EMBEDDINGS: Mapping[str, Shapes] = {
    **{f"{name} of {width}": {name: (2, width)} for name, width in product((*OWN, *DIFFUSERS, *NAMED, "string_to_param.*"), ENCODERS)},
    **{f"{name} of a small model": {name: (2, 160)} for name in (*NAMED, "<snow>")},
    **{f"{name} alone": {name: (3, 768)} for name in ("<toy-cat-v1.5>", "a.b.c", "*", "\u00e9t\u00e9", "clip")},
    "one vector": {"<cat>": (768,)},
    "a token beside counters": {"<cat>": (2, 768), "step": (), "lr": (1,), "empty": (0,)},
    "both of SDXL": {"clip_l": (2, 768), "clip_g": (2, 1280)},
    "both of SDXL, diffusers": {"text_encoders_0": (2, 768), "text_encoders_1": (2, 1280)},
}  # fmt: skip


@pytest.mark.parametrize("what", EMBEDDINGS)
def test_every_embedding_that_is_read_is_recognised(what: str) -> None:
    shapes = EMBEDDINGS[what]
    assert read_embedding({name: torch.ones(shape) for name, shape in shapes.items()}, "x").vectors
    found = told(shapes)
    assert (found.kind, found.supported) == ("embedding", True), found.note


def test_what_is_no_embedding_is_neither_read_nor_recognised() -> None:
    for shapes in ({"layer.weight": (4, 768)}, {"a": (2, 768), "b": (2, 768)}, {"a": (2, 768), "conv": (3, 3, 3, 3)}, {"a": (200, 768)}):
        assert told(shapes).kind != "embedding", shapes
        with pytest.raises(Exception, match="nothing that an embedding has"):
            read_embedding({name: torch.ones(shape) for name, shape in shapes.items()}, "x")


CLIPS: Mapping[str, Shapes] = {"clip_l": CLIP_L, "clip_h": CLIP_H, "clip_g": CLIP_G}
FAMILIES = {family: [key for own, key in ENCODER_PREFIXES if own == family] for family, _ in ENCODER_PREFIXES}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("names", ["original", "diffusers", "averages"])
def test_every_checkpoint_that_is_read_is_recognised(family: str, names: str) -> None:
    """Its UNet, VAE and encoders under each of the prefixes, or without one."""
    inputs = 7 if family == "x4-upscaler" else 4
    own = diffusers_unet(family, inputs) if names == "diffusers" else unet(family, inputs)
    variant = "upscale" if family == "x4-upscaler" else ""
    places = [ENCODER_PREFIXES[family, key] for key in FAMILIES[family]]
    encoders = [prefixed(prefix, CLIPS[key]) for options, key in zip(places, FAMILIES[family], strict=True) for prefix in options]
    for number, prefix in enumerate(("",) if names == "averages" else (*UNET_PREFIXES, "")):
        network = averaged(own) if names == "averages" else prefixed(prefix, own)
        for vae, encoder in product(VAE_PREFIXES, encoders if number == 0 else encoders[:1]):
            found = told({**network, **prefixed(vae, VAE), **encoder})
            assert in_short(found) == ("checkpoint", family, variant, True), (prefix, vae, next(iter(encoder)), found.note)
        assert in_short(told({**network, **VAE_BESIDE})) == ("unet", family, variant, True)


VAE_BESIDE = prefixed(VAE_PREFIXES[0], VAE)


def test_every_vae_that_is_read_is_recognised() -> None:
    spelt = {name.replace("decoder.up.0.block.0.", "decoder.up_blocks.0.resnets.0."): shape for name, shape in VAE.items()}
    for prefix, shapes in product(("", *VAE_PREFIXES), (VAE, spelt)):
        assert in_short(told(prefixed(prefix, shapes))) == ("vae", "", "", True), prefix
