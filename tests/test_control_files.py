"""Files of networks that steer: each is told for what it is, loads with the tensors that were saved, and gives what it gave before."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from models.control.network import ControlNetwork, load_control
from models.control.parts import control_part
from models.control.sizes import adapter_sizes
from models.errors import UserError
from models.families import SD1, SD2, SDXL, Family
from models.files import ModelFile
from models.identify.identify import identify, identify_folder
from models.kits import kit
from models.library.catalog import Catalog
from models.library.compatibility import fits
from models.memory.offload import in_turn
from models.networks.build import check
from models.tensors.header import read_header
from tests.support import toy_controls
from tests.support.headers import header
from tests.support.library_files import SD1 as SD1_FILE
from tests.support.library_files import write_file, write_folder, write_starter
from tests.support.loading_toys import CPU
from tests.support.toy_controls import (
    ADAPTERS,
    LAYOUTS,
    NETS,
    adapter,
    control_lora,
    control_net,
    original,
    sizes_of,
    steer,
    unet_for,
    union_net,
    write,
)

pytest_plugins = ("tests.support.loading_toys",)
pytestmark = pytest.mark.usefixtures("no_network")
FAMILY = {"sd1": SD1, "sd2": SD2, "sdxl large": SDXL, "sdxl mid": SDXL, "sdxl small": SDXL, "without words": SD1}


def entry(path: Path) -> ModelFile:
    """As the catalogue lists it."""
    told = identify_folder(path) if path.is_dir() else identify(read_header(path), path.stem, lambda _: [])
    return ModelFile("toy", path.stem, path, 0, 0.0, told)


def told(path: Path) -> tuple[str, str, str, bool]:
    found = entry(path).identity
    return found.kind, found.family, found.variant, found.supported


def loaded(path: Path, family: Family = SD1) -> ControlNetwork:
    return load_control(entry(path), family, CPU)


def same(found: nn.Module, wanted: nn.Module, dtype: torch.dtype = torch.float32) -> bool:
    own, other = found.state_dict(), wanted.state_dict()
    return own.keys() == other.keys() and all(torch.equal(tensor, other[name].to(dtype).float()) for name, tensor in own.items())


def close(found: list[Tensor], wanted: list[Tensor]) -> bool:
    return all(torch.allclose(one, other, atol=1e-4, rtol=1e-4) for one, other in zip(found, wanted, strict=True))


# ------------------------------------------------------------------------------------------------------------------------ ControlNets


CASES = [(what, layout) for what in NETS for layout in (LAYOUTS if what in ("sd1", "sdxl large") else ("original", "diffusers"))]


@pytest.mark.parametrize(("what", "layout"), CASES)
def test_a_control_net_in_every_layout_gives_the_tensors_that_were_saved(what: str, layout: str, tmp_path: Path) -> None:
    network = control_net(what)
    path = write(tmp_path / "steers.safetensors", LAYOUTS[layout](network), sizes_of(network))
    variant = "width 160" if what == "without words" else ""
    assert told(path) == ("controlnet", "" if variant else FAMILY[what].key, variant, True)
    found = loaded(path, FAMILY[what])
    assert (found.kind, found.name) == ("controlnet", "steers")
    assert same(found.network, network, torch.float16 if layout == "float16" else torch.float32)
    assert found.bytes == sum(tensor.nbytes for tensor in found.network.state_dict().values())


@pytest.mark.parametrize("what", NETS)
def test_it_steers_as_before_and_is_ready_for_any_unet(what: str, tmp_path: Path) -> None:
    network = control_net(what)
    found = loaded(write(tmp_path / "steers.safetensors", original(network), sizes_of(network)), FAMILY[what])
    assert found.ready(nn.Identity()) is found.network  # type: ignore[arg-type]
    assert close(steer(found.network, what), steer(network, what))


@pytest.mark.parametrize("ending", ["", ".fp16"])
def test_a_folder_of_diffusers_is_read_by_its_configuration(ending: str, tmp_path: Path) -> None:
    network = control_net("sdxl mid", cross_attention_dim=80)
    folder = saved(network, tmp_path / "middle", ending)
    assert told(folder) == ("controlnet", "", "width 80", True)
    assert same(loaded(folder, SDXL).network, network)
    change(folder / "config.json", cross_attention_dim=96)
    with pytest.raises(UserError, match=r"ControlNet “middle”.* has the shape"):
        loaded(folder, SDXL)


def saved(network: Any, folder: Path, ending: str = "") -> Path:
    network.save_pretrained(folder)
    weights = folder / "diffusion_pytorch_model.safetensors"
    weights.rename(folder / f"diffusion_pytorch_model{ending}.safetensors")
    return folder


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_a_net_whose_name_says_shuffle_averages_over_the_picture(tmp_path: Path) -> None:
    network = control_net("sd1")
    for name, pools in (("control_v11e_sd15_shuffle_fp16", True), ("shuffled_deck", False)):
        found: Any = loaded(write(tmp_path / f"{name}.safetensors", original(network), sizes_of(network))).network
        assert found.config.global_pool_conditions is pools


# ----------------------------------------------------------------------------------------------------------------------------- unions


@pytest.mark.parametrize(("layout", "kinds"), [("diffusers", 6), ("original", 8), ("as ComfyUI saves it", 6), ("folder", 8)])
def test_a_union_keeps_its_kinds_and_steers_as_before(layout: str, kinds: int, tmp_path: Path) -> None:
    network = union_net(kinds, cross_attention_dim=80 if layout == "folder" else 2048)
    if layout == "folder":
        path, family, variant = saved(network, tmp_path / "union"), "", "union width 80"
    else:
        tensors = network.state_dict() if layout == "diffusers" else original(network)
        tensors = toy_controls.as_comfy_saves(tensors) if "Comfy" in layout else tensors
        path, family, variant = write(tmp_path / "union.safetensors", tensors, sizes_of(network)), "sdxl", "union"
    assert told(path) == ("controlnet", family, variant, True)
    found = loaded(path, SDXL)
    assert found.kind == "union" and same(found.network, network)
    more: dict[str, Any] = {"controlnet_cond": [torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))]}
    more |= {"control_type": torch.eye(kinds)[3:4], "control_type_idx": [3]}
    assert close(steer(found.network, "sdxl large", **more), steer(network, "sdxl large", **more))


# ----------------------------------------------------------------------------------------------------------------------- T2I-Adapters


@pytest.mark.parametrize("layout", ["diffusers", "original", "folder"])
@pytest.mark.parametrize("what", ADAPTERS)
def test_an_adapter_gives_the_features_that_it_gave_before(what: str, layout: str, tmp_path: Path) -> None:
    network = adapter(what)
    if layout == "folder":
        path = saved(network, tmp_path / "colours")
        change(path / "config.json", cross_attention_dim=160)
    else:
        tensors = network.state_dict() if layout == "diffusers" else toy_controls.original_adapter(network)
        path = write(tmp_path / "colours.safetensors", tensors, sizes_of(network, cross_attention_dim=160))
    assert told(path) == ("adapter", "", "t2i-adapter width 160", True)
    found = loaded(path)
    assert found.kind == "t2i-adapter" and same(found.network, network)
    picture = torch.rand(1, network.config.in_channels, 64, 64, generator=torch.Generator().manual_seed(2))
    assert close(found.network(picture), network(picture))


def test_the_sizes_of_an_adapter_are_told_by_its_tensors_alone() -> None:
    for what in ADAPTERS:
        network = adapter(what)
        for tensors in (network.state_dict(), toy_controls.original_adapter(network)):
            infos = header({name.removeprefix("adapter."): tuple(tensor.shape) for name, tensor in tensors.items()}).tensors
            sizes = adapter_sizes(infos)
            assert {name: sizes[name] for name in ("in_channels", "channels", "num_res_blocks", "downscale_factor", "adapter_type")} == {
                name: network.config[name] for name in ("in_channels", "channels", "num_res_blocks", "downscale_factor", "adapter_type")
            }


# ---------------------------------------------------------------------------------------------------------------------- Control-LoRAs


def lora_for(unet: Any, folder: Path, what: str = "sd1", **change_to: Tensor) -> tuple[ControlNetwork, Any]:
    """Loaded from a file, and the ControlNet that it makes of this UNet."""
    tensors, whole = control_lora(unet)
    path = write(folder / "lora.safetensors", tensors | change_to, sizes_of(control_net(what)))
    assert told(path) == ("controlnet", FAMILY[what].key, "control-lora", True)
    return loaded(path, FAMILY[what]), whole


@pytest.mark.parametrize("what", ["sd1", "sd2", "sdxl large"])
def test_a_control_lora_is_the_first_half_of_the_unet_plus_its_difference(what: str, tmp_path: Path) -> None:
    unet = unet_for(what)
    found, whole = lora_for(unet, tmp_path, what)
    assert found.kind == "control-lora"
    assert found.bytes < sum(tensor.nbytes for tensor in whole.state_dict().values()) / 2
    assert close(steer(found.ready(unet), what), steer(whole, what))


def test_it_is_made_once_for_each_unet_and_follows_what_happens_to_it(tmp_path: Path) -> None:
    unet, other = unet_for("sd1"), unet_for("sd1", seed=9)
    found, _ = lora_for(unet, tmp_path)
    ready = found.ready(unet)
    assert found.ready(unet) is ready and found.ready(other) is not ready
    before = steer(ready)
    weight = unet.down_blocks[0].resnets[0].conv1.weight
    kept = weight.data
    weight.data = kept + 1  # as a LoRA does for the length of a job
    assert not close(steer(ready), before)
    weight.data = kept
    assert all(torch.equal(one, same) for one, same in zip(steer(ready), before, strict=True))


def test_it_keeps_no_unet_alive(tmp_path: Path) -> None:
    unet = unet_for("sd1")
    found, _ = lora_for(unet, tmp_path)
    found.ready(unet)
    gone = weakref.ref(unet)
    del unet
    gc.collect()
    assert gone() is None


def test_it_runs_in_turn_with_the_unet_whose_weights_it_borrows(tmp_path: Path) -> None:
    unet = unet_for("sd1")
    found, whole = lora_for(unet, tmp_path)
    ready, before = found.ready(unet), [weight.clone() for weight in unet.parameters()]
    with in_turn([unet, ready], torch.device("cpu")):
        for _ in range(2):
            assert close(steer(ready), steer(whole))
            unet(torch.zeros(1, 4, 8, 8), 1, torch.zeros(1, 5, 768))
    assert all(torch.equal(weight, kept) for weight, kept in zip(unet.parameters(), before, strict=True))


def test_of_an_inpainting_unet_it_takes_what_reads_the_latents(tmp_path: Path) -> None:
    unet = unet_for("sd1", channels_in=9)
    found, whole = lora_for(unet, tmp_path)
    assert close(steer(found.ready(unet)), steer(whole))


def test_a_control_lora_of_another_size_is_refused_before_it_draws(tmp_path: Path) -> None:
    found, _ = lora_for(unet_for("sd1"), tmp_path)
    for strange in ("sd2", "sdxl large"):
        with pytest.raises(UserError, match="made for another model"):
            found.ready(unet_for(strange))


@pytest.mark.parametrize(
    ("name", "shape", "says"),
    [
        ("input_blocks.1.0.in_layers.2.down", None, "lacks 1 of its weights"),
        ("input_blocks.1.0.in_layers.2.up", None, "lacks 1 of its weights"),
        ("zero_convs.0.0.weight", None, "lacks 1 of its weights"),
        ("input_blocks.1.0.in_layers.2.down", (2, 5, 3, 3), "made for another model"),
        ("input_blocks.1.0.in_layers.2.up", (16, 3, 1, 1), "made for another model"),
        ("input_blocks.1.0.in_layers.2.up", (16,), "made for another model"),
    ],
)
def test_a_control_lora_whose_matrices_do_not_fit_says_so(name: str, shape: tuple[int, ...] | None, says: str, tmp_path: Path) -> None:
    tensors, _ = control_lora(unet_for("sd1"))
    changed = {own: tensor for own, tensor in tensors.items() if own != name} | ({name: torch.ones(shape)} if shape else {})
    path = write(tmp_path / "lora.safetensors", changed, sizes_of(control_net("sd1")))
    with pytest.raises(UserError, match=f"Control-LoRA “lora”.*{says}"):
        loaded(path)


# ------------------------------------------------------------------------------------------------------- what is wrong is said in words


def without(name: str) -> Any:
    return lambda tensors: {own: tensor for own, tensor in tensors.items() if own != name}


def with_one(name: str, tensor: Tensor) -> Any:
    return lambda tensors: tensors | {name: tensor}


@pytest.mark.parametrize(
    ("change_by", "says"),
    [
        (without("zero_convs.3.0.weight"), r"lacks 1 of its weights, controlnet_down_blocks\.3\.weight among them"),
        (without("input_hint_block.14.weight"), "lacks 1 of its weights"),
        (without("input_blocks.5.1.transformer_blocks.0.attn2.to_k.weight"), "lacks 1 of its weights"),
        (without("middle_block.2.out_layers.3.bias"), "lacks 1 of its weights"),
        (with_one("zero_convs.3.0.weight", torch.ones(7, 7, 1, 1)), "has the shape"),
        (with_one("zero_convs.3.0.weight", torch.full((16, 16, 1, 1), torch.nan)), "not finite"),
        (with_one("zero_convs.3.0.weight", torch.ones(16, 16, 1, 1, dtype=torch.int8)), "quantised"),
        (with_one("difference", torch.zeros(0)), "stored as the difference"),
    ],
)
def test_what_is_missing_or_wrong_in_a_file_is_said(change_by: Any, says: str, tmp_path: Path) -> None:
    network = control_net("sd1")
    path = write(tmp_path / "steers.safetensors", change_by(original(network)), sizes_of(network))
    with pytest.raises(UserError, match=says):
        loaded(path)


def test_a_file_that_is_cut_short_is_incomplete(tmp_path: Path) -> None:
    network = control_net("sd1")
    path = write(tmp_path / "steers.safetensors", original(network), sizes_of(network))
    listed = entry(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="incomplete"):
        load_control(listed, SD1, CPU)


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"block_out_channels": [2**24]}, "has the shape|sizes that no such network has|lacks"),
        ({"block_out_channels": "many"}, "sizes that no such network has"),
        ({"layers_per_block": 10**6}, "sizes that no such network has"),
        ({"layers_per_block": True}, "sizes that no such network has"),
        ({"attention_head_dim": 0}, "can be built"),
        ({"act_fn": "os.system"}, "can be built"),
    ],
)
def test_the_sizes_in_a_file_are_not_believed(own: Mapping[str, Any], says: str, tmp_path: Path) -> None:
    network = control_net("sd1")
    path = write(tmp_path / "steers.safetensors", original(network), sizes_of(network, **own))
    with pytest.raises(UserError, match=says):
        loaded(path)


def test_a_net_for_another_family_is_refused_by_name(tmp_path: Path) -> None:
    network = control_net("sd2")
    path = write(tmp_path / "depth.safetensors", original(network), sizes_of(network))
    with pytest.raises(UserError, match="“depth” was made for Stable Diffusion 2, not for SDXL"):
        loaded(path, SDXL)


def test_a_net_of_unknown_size_without_word_of_it_is_refused(tmp_path: Path) -> None:
    network = control_net("sd1", cross_attention_dim=96)
    path = write(tmp_path / "small.safetensors", original(network), {})
    assert told(path) == ("controlnet", "", "width 96", True)
    with pytest.raises(UserError, match="size that Atelier does not know"):
        loaded(path)


def test_what_is_no_such_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no network that steers"):
        loaded(write_file(tmp_path / "photo.safetensors", SD1_FILE))


# ------------------------------------------------------------------------------------------------------------------ the public sizes


def shapes(network: nn.Module, to_original: bool) -> dict[str, tuple[int, ...]]:
    tensors = original(network) if to_original else network.state_dict()
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def full_size(family: Family, **more: Any) -> Any:
    """Without memory."""
    from diffusers import ControlNetModel, ControlNetUnionModel

    kind = ControlNetUnionModel if "num_control_type" in more else ControlNetModel
    known = json.loads((kit(family.key) / "unet.json").read_text())
    sizes = {name: value for name, value in known.items() if name not in ("up_block_types", "out_channels", "sample_size")}
    with torch.device("meta"):
        return kind(**{**sizes, **more})


PUBLIC: Mapping[str, tuple[Family, dict[str, Any], int, int]] = {  # what -> family, sizes, parameters, tensors
    "SD1": (SD1, {}, 361_279_120, 340),  # 722,5 MB in half precision, as published
    "SD2": (SD2, {}, 364_228_240, 340),
    "SDXL large": (SDXL, {}, 1_251_014_160, 844),  # 2,502 MB
    "SDXL mid": (SDXL, {"transformer_layers_per_block": [0, 0, 1]}, 272_586_000, 224),  # 545 MB
    "SDXL small": (SDXL, {"transformer_layers_per_block": [0, 0, 0], "down_block_types": ["DownBlock2D"] * 3}, 160_111_120, 140),  # 320 MB
    "SDXL union": (SDXL, {"num_control_type": 6, "conditioning_embedding_out_channels": [16, 32, 96, 256]}, 1_255_958_800, 863),
    "SDXL union ProMax": (SDXL, {"num_control_type": 8, "conditioning_embedding_out_channels": [16, 32, 96, 256]}, 1_256_614_800, 863),
}


@pytest.mark.parametrize("to_original", [True, False])
@pytest.mark.parametrize("what", PUBLIC)
def test_the_public_models_need_no_word_of_their_sizes(what: str, to_original: bool, tmp_path: Path) -> None:
    family, sizes, parameters, tensors = PUBLIC[what]
    path = write_file(tmp_path / "public.safetensors", shapes(full_size(family, **sizes), to_original))
    assert told(path) == ("controlnet", family.key, "union" if "union" in what else "", True)
    part = control_part(entry(path), family)
    blank = part.blank()
    check(part.source, blank)
    own = blank.network.state_dict().values()
    assert (sum(tensor.numel() for tensor in own), len(own)) == (parameters, tensors)


@pytest.mark.parametrize("layout", ["diffusers", "original"])
@pytest.mark.parametrize(
    ("sizes", "family", "parameters"),
    [
        ({}, SD1, 77_369_280),
        ({"channels": [320, 640, 1280], "adapter_type": "light_adapter", "num_res_blocks": 4}, SD1, 18_689_200),
        ({"adapter_type": "full_adapter_xl", "downscale_factor": 16}, SDXL, 79_028_160),
    ],
)
def test_so_do_the_public_adapters(sizes: dict[str, Any], family: Family, parameters: int, layout: str, tmp_path: Path) -> None:
    from diffusers import T2IAdapter

    with torch.device("meta"):
        network = T2IAdapter(**sizes)
    tensors = network.state_dict() if layout == "diffusers" else toy_controls.original_adapter(network)
    path = write_file(tmp_path / "public.safetensors", {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    assert told(path) == ("adapter", family.key, "t2i-adapter", True)
    part = control_part(entry(path), family)
    blank = part.blank()
    check(part.source, blank)
    assert sum(tensor.numel() for tensor in blank.network.state_dict().values()) == parameters


# ------------------------------------------------------------------------------------------------------------------------ the library


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    models = tmp_path / "models"
    write_file(models / "photo.safetensors", SD1_FILE)
    write_folder(models / "other starter", width=160)
    for what, family in (("sd1", SD1), ("sdxl large", SDXL)):
        write_file(models / "controlnet" / f"{family.key}.safetensors", shapes(full_size(family), True))
        assert what in NETS
    without_words = control_net("without words")
    starter = write_starter(tmp_path / "starter")
    write(starter / "controlnets" / "outlines.safetensors", without_words.state_dict(), sizes_of(without_words))
    saved(control_net("sd1", cross_attention_dim=768), models / "controlnet" / "canny folder")
    (models / "controlnet" / "canny folder" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"")
    write_file(models / "controlnet" / "canny folder" / "diffusion_pytorch_model_promax.safetensors", shapes(full_size(SD1), False))
    return Catalog(starter, [models])


def test_a_net_is_offered_for_the_models_of_its_width_only(catalog: Catalog) -> None:
    drawn = {checkpoint.name: checkpoint for checkpoint in catalog.checkpoints()}
    nets = {listed.name: listed for listed in catalog.models("controlnet")}
    fitting = {"sd1": {"photo"}, "canny folder": {"photo"}, "sdxl": set(), "outlines": {"Starter", "other starter"}}
    for name, wanted in fitting.items():
        reasons = {each: fits(nets[name], checkpoint) for each, checkpoint in drawn.items()}
        assert {each for each, reason in reasons.items() if not reason} == wanted, reasons
    assert fits(nets["sd1"], drawn["Starter"]) == (
        "“sd1” was made for a model of another size (text vectors of 768 numbers; “Starter” has 160)."
    )


def test_a_folder_with_one_network_is_one_entry_of_its_own_name(catalog: Catalog) -> None:
    listed = {file.name: file for file in catalog.models("controlnet")}
    assert set(listed) == {"outlines", "canny folder", "diffusion_pytorch_model_promax", "sd1", "sdxl"}
    folder = listed["canny folder"]
    assert (folder.path.name, folder.identity.family, folder.usable) == ("canny folder", "sd1", True)
    weights = folder.path / "diffusion_pytorch_model.safetensors"
    assert folder.size == weights.stat().st_size
    assert len(catalog.hash(folder.id)) == 64


@pytest.mark.parametrize("named", ["os.system", "UNet2DConditionModel", ["ControlNetModel"], 5, None])
def test_a_folder_of_any_other_class_is_listed_by_its_files(named: Any, tmp_path: Path) -> None:
    folder = saved(control_net("sd1"), tmp_path / "models" / "controlnet" / "canny")
    change(folder / "config.json", _class_name=named)
    found = Catalog(write_starter(tmp_path / "starter"), [tmp_path / "models"]).models("controlnet")
    assert [(file.name, file.path.is_dir()) for file in found] == [("canny", False)]


def test_a_folder_with_numbers_that_no_network_has_is_not_loaded(tmp_path: Path) -> None:
    folder = saved(control_net("sd1"), tmp_path / "canny")
    change(folder / "config.json", block_out_channels=[2**24])
    assert told(folder) == ("controlnet", "", "", False)
    with pytest.raises(UserError, match="numbers that no network has"):
        loaded(folder)


def test_the_starters_own_nets_are_for_it_alone_and_load() -> None:
    """They ship without attention, so only their metadata says how wide the starter's words are."""
    files = sorted(Path("models/starter/controlnets").glob("*.safetensors"))
    assert files
    for file in files:
        assert told(file) == ("controlnet", "", "width 160", True)
        wanted = load_file(file)
        own = loaded(file).network.state_dict()
        assert own.keys() == wanted.keys() and all(torch.equal(tensor, wanted[name].float()) for name, tensor in own.items())
