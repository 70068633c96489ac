"""What lies in a file beside the tensors that a network takes keeps nobody from using it, whatever its number type; and what the network
takes may be in any type that is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.control.network import load_control
from models.errors import UserError
from models.families import SD1
from models.files import ModelFile
from models.identify.identify import identify
from models.library.catalog import Catalog
from models.loading.loading import load, load_vae
from models.memory.device import Device
from models.memory.forecast import Machine
from models.memory.manager import Key
from models.networks.vision import load_vision
from models.patches.deltas import check_shapes, weight_delta
from models.patches.embeddings import read_embedding
from models.patches.hypernetworks import read_hypernetwork
from models.patches.ip_adapter_files import load_ip_adapter
from models.patches.lora_files import read_lora
from models.tensors.header import read_header
from models.tensors.reading import read_tensors
from pipelines.preprocessors.annotators import Annotators
from pipelines.preprocessors.weights import filled
from pipelines.runtime.loaders import Loaders
from tests.support import headers, toy_files
from tests.support.headers import in_short, told
from tests.support.library_files import write_starter
from tests.support.strangers import with_strangers
from tests.support.toy_controls import adapter, control_lora, control_net, original, original_adapter, sizes_of, unet_for, union_net
from tests.support.toy_weights import ToyNetworks, toy_networks
from tests.test_ip_adapter import KINDS, drawn

CPU = Device(torch.device("cpu"), torch.float32)
LAYER = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
Tensors = Mapping[str, Tensor]
LORA = {f"{LAYER}.lora_down.weight": torch.ones(2, 768), f"{LAYER}.lora_up.weight": torch.ones(320, 2)}
HYPERNETWORK = {f"768.{side}.linear.0.weight": torch.eye(768) for side in "01"}


@cache
def networks() -> ToyNetworks:
    return toy_networks(SD1, 100)


def checkpoint() -> tuple[Tensors, Mapping[str, str]]:
    return toy_files.checkpoint(SD1, networks()), toy_files.sizes(networks())


def vae(new: str = "") -> tuple[Tensors, Mapping[str, str]]:
    return toy_files.only(toy_files.VAE, new)(dict(checkpoint()[0])), toy_files.sizes(networks())


Made = Callable[[], tuple[Tensors, Mapping[str, str]]]
UNDER = toy_files.UNET, f"{toy_files.UNET}input_blocks.1.", toy_files.VAE, "cond_stage_model."
FILES: Mapping[str, tuple[str, Made, tuple[str, ...]]] = {  # kind of key, tensors and metadata, prefixes
    "VAE bare": ("vae", vae, ("", "model_ema.", "loss.", "decoder.", "decoder.up_blocks.9.", "first_stage_model.")),
    "VAE prefixed": ("vae", lambda: vae(toy_files.VAE), ("", "model_ema.", toy_files.VAE)),
    "VAE diffusers": ("vae", lambda: (networks().vae.state_dict(), toy_files.sizes(networks())), ("", "decoder.up_blocks.0.")),
    "LoRA": ("lora", lambda: (LORA, {}), ("", f"{LAYER}.")),
    "embedding": ("embedding", lambda: ({"emb_params": torch.ones(2, 768)}, {}), ("", "emb_")),
    "embedding of SDXL": ("embedding", lambda: ({"clip_l": torch.ones(2, 768), "clip_g": torch.ones(2, 1280)}, {}), ("", "clip_l.")),
    "hypernetwork": ("hypernetwork", lambda: (HYPERNETWORK, {}), ("", "768.0.", "768.0.linear.1.")),
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Catalog, Loaders]:
    folder = tmp_path_factory.mktemp("models")
    catalog = Catalog(write_starter(folder / "starter"), [folder / "mine"])
    return folder / "mine", catalog, Loaders(catalog, CPU, Machine(host=10**12), Annotators([], folder))


@pytest.mark.parametrize("what", FILES)
def test_what_nobody_reads_keeps_nobody_from_using_a_file(shelf: tuple[Path, Catalog, Loaders], what: str) -> None:
    folder, catalog, stock = shelf
    kind, tensors, prefixes = FILES[what]
    file = with_strangers(toy_files.save(folder / kind / f"{what}.safetensors", *tensors()), *prefixes)
    entry = next(entry for entry in catalog.models() if entry.path == file)
    assert (entry.identity.kind, entry.problem or entry.identity.note) == (kind, "")
    assert stock.load(Key(kind, entry.id, SD1.key if kind == "vae" else "")).bytes > 0


def test_what_nobody_reads_keeps_nobody_from_drawing(tmp_path: Path) -> None:
    file = with_strangers(toy_files.save(tmp_path / "toy.safetensors", *checkpoint()), "", "model_ema.", *UNDER)
    unet = load(toy_files.as_checkpoint(file, SD1), CPU).unet.state_dict()
    assert all(torch.equal(tensor, unet[name]) for name, tensor in networks().unet.state_dict().items())
    strange = {name: info.shape for name, info in read_header(file).tensors.items() if "num_updates" in name or "ratio" in name}
    assert in_short(told({**headers.checkpoint("sd1"), **strange})) == ("checkpoint", "sd1", "", True)


def steering(network: Any, spelt: Callable[[Any], Tensors] = original, **more: Any) -> tuple[Tensors, Mapping[str, str]]:
    return spelt(network), sizes_of(network, **more)


def lora_of_control() -> tuple[Tensors, Mapping[str, str]]:
    tensors, network = control_lora(unet_for("sd1"))
    return tensors, sizes_of(network)


def as_listed(file: Path) -> ModelFile:
    return ModelFile("toy", file.stem, file, 0, 0.0, identify(read_header(file), file.stem, lambda _: []))


STEERING: Mapping[str, tuple[Made, tuple[str, ...]]] = {
    "ControlNet": (lambda: steering(control_net("sd1")), ("", "input_blocks.1.", "zero_convs.99.", "input_hint_block.")),
    "ControlNet, diffusers": (lambda: steering(control_net("sd1"), nn.Module.state_dict), ("", "down_blocks.0.", "control_model.")),
    "union": (lambda: steering(union_net(cross_attention_dim=80), nn.Module.state_dict), ("", "transformer_layes.0.")),
    "T2I-Adapter": (lambda: steering(adapter("full"), original_adapter, cross_attention_dim=160), ("", "body.0.", "adapter.")),
    "Control-LoRA": (lora_of_control, ("", "input_blocks.1.0.")),
}


@pytest.mark.parametrize("what", STEERING)
def test_what_nobody_reads_keeps_nobody_from_steering(tmp_path: Path, what: str) -> None:
    made, prefixes = STEERING[what]
    whole = toy_files.save(tmp_path / "steers.safetensors", *made())
    before = {name: tensor.clone() for name, tensor in load_control(as_listed(whole), SD1, CPU).network.state_dict().items()}
    entry = as_listed(with_strangers(whole, *prefixes))
    found = load_control(entry, SD1, CPU).network.state_dict()
    assert entry.identity.supported and found.keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in found.items())


def test_what_nobody_reads_keeps_no_adapter_or_encoder_of_pictures_from_seeing(tmp_path: Path) -> None:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    for kind, shapes in KINDS.items():
        save_file(drawn(shapes(networks().unet), 0), tmp_path / f"{kind}.safetensors")
        entry = as_listed(with_strangers(tmp_path / f"{kind}.safetensors", "", "image_proj.", "ip_adapter.1."))
        assert load_ip_adapter(entry, SD1, CPU).bytes > 0, kind
    sizes: dict[str, Any] = {"hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 1, "intermediate_size": 64}
    sizes |= {"patch_size": 14, "image_size": 28, "projection_dim": 32, "hidden_act": "quick_gelu"}
    encoder = CLIPVisionModelWithProjection(CLIPVisionConfig(**sizes))
    save_file(encoder.state_dict(), tmp_path / "eye.safetensors")
    eye = with_strangers(tmp_path / "eye.safetensors", "", "vision_model.", "vision_model.encoder.layers.0.")
    assert load_vision(eye, CPU).bytes > 0


def test_what_nobody_reads_keeps_no_preprocessor_from_working(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    again = filled(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), with_strangers(tmp_path / "weights.safetensors", "", "0."))
    assert torch.equal(again[0].weight, network[0].weight)  # pyright: ignore[reportArgumentType]


# ---------------------------------------------------------------------------------------------------------- types of what is needed

NUMBERS = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)


def in_type(folder: Path, tensors: Tensors, dtype: torch.dtype) -> dict[str, Tensor]:
    """Through a file, as the library reads them."""
    save_file({name: tensor.to(dtype) for name, tensor in tensors.items()}, folder / "typed.safetensors")
    return read_tensors(folder / "typed.safetensors", read_header(folder / "typed.safetensors"))


@pytest.mark.parametrize("dtype", NUMBERS)
def test_every_type_that_is_read_works_to_the_end(tmp_path: Path, dtype: torch.dtype) -> None:
    """The numbers are the same in all of them: quarters."""
    stem = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    pair = {f"{stem}.lora_down.weight": torch.full((2, 8), 0.25), f"{stem}.lora_up.weight": torch.full((8, 2), 0.5)}
    lora = in_type(tmp_path, {**pair, f"{stem}.alpha": torch.tensor(4.0), f"{stem}.dora_scale": torch.full((8, 1), 0.5)}, dtype)
    [matrices] = read_lora(lora).modules.values()
    plain = {role: tensor.float() for role, tensor in matrices.items()}
    check_shapes(matrices, torch.ones(8, 8))
    assert torch.equal(weight_delta(matrices, torch.ones(8, 8)), weight_delta(plain, torch.ones(8, 8)))
    vectors = read_embedding(in_type(tmp_path, {"emb_params": torch.full((2, 768), 0.25)}, dtype), "x").vectors["clip_l"]
    assert torch.equal(vectors, torch.full((2, 768), 0.25))
    [keys, values] = read_hypernetwork(in_type(tmp_path, HYPERNETWORK, dtype)).networks.values()
    assert all(torch.equal(layer.to(CPU.torch_device, CPU.dtype)(torch.ones(1, 768)), torch.ones(1, 768)) for layer in (*keys, *values))


@pytest.mark.parametrize("dtype", NUMBERS[2:])
def test_numbers_that_are_not_finite_are_found_in_every_type(tmp_path: Path, dtype: torch.dtype) -> None:
    broken = torch.full((2, 768), float("nan")).to(dtype)
    for read, tensors in (
        (read_lora, {**LORA, f"{LAYER}.lora_down.weight": broken}),
        (lambda found: read_embedding(found, "x"), {"emb_params": broken}),
        (read_hypernetwork, {"768.0.linear.0.weight": broken.T}),
    ):
        with pytest.raises(UserError, match=r"not finite|does not fit"):
            read(tensors)


@pytest.mark.parametrize(("dtype", "says"), [(torch.int8, "stored as I8, a quantised form"), (torch.uint16, "stored as U16, which can")])
def test_a_weight_of_a_type_that_cannot_be_used_is_named(tmp_path: Path, dtype: torch.dtype, says: str) -> None:
    tensors, metadata = vae()
    whole = {**tensors, "decoder.conv_in.weight": torch.zeros_like(tensors["decoder.conv_in.weight"]).to(dtype)}
    file = toy_files.save(tmp_path / "vae.safetensors", whole, metadata)
    with pytest.raises(UserError, match=f"decoder.conv_in.weight is {says}"):
        load_vae(toy_files.as_entry(file, "vae"), SD1, CPU)
    with pytest.raises(UserError, match="quantised"):
        read_lora({name: tensor.to(torch.int8) for name, tensor in LORA.items()})
