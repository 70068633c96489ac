"""IP-Adapters against diffusers' own, on tiny weights: the same pictures give the same answer of the UNet, and nothing stays behind."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from models.errors import UserError
from models.families import SD1, SDXL
from models.files import Identity, ModelFile
from models.networks.vision import Vision, load_vision, vision_file
from models.patches.ip_adapter import EncodedImagePrompt, IpAdapter, shown
from models.patches.ip_adapter_files import load_ip_adapter
from models.tensors.embedded_sizes import OWN_SIZES
from tests.support.library_files import write_file
from tests.support.loading_toys import CPU
from tests.support.toy_controls import shaken
from tests.support.toy_weights import toy_networks

pytest_plugins = ("tests.support.loading_toys",)
pytestmark = pytest.mark.usefixtures("no_network")

WIDTH, SUMMARY, SEES, HIDDEN, TOKENS = 32, 20, 24, 48, 4
VISION = {
    "hidden_size": SEES, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 2, "patch_size": 8, "image_size": 32,
    "projection_dim": SUMMARY, "hidden_act": "gelu",
}  # fmt: skip
Tensors = dict[str, Tensor]


@pytest.fixture(scope="module")
def unet() -> Any:
    return shaken(toy_networks(SD1, 100).unet)


@pytest.fixture(scope="module")
def encoder() -> Any:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    return shaken(CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def vision(encoder: Any, tmp_path_factory: pytest.TempPathFactory) -> Vision:
    file = tmp_path_factory.mktemp("vision") / "eye.safetensors"
    save_file(encoder.state_dict(), file, {OWN_SIZES: json.dumps({"vision": VISION})})
    return load_vision(file, CPU)


def drawn(shapes: Mapping[str, tuple[int, ...]], seed: int) -> Tensors:
    random = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=random) * 0.3 for name, shape in shapes.items()}


def layers_of(unet: Any) -> dict[str, tuple[int, ...]]:
    """By the numbers of the original files: each attention has one, those to the words are the odd ones."""
    names = list(unet.attn_processors)
    wide = {place: unet.get_submodule(name.removesuffix(".processor")).to_k.out_features for place, name in enumerate(names)}
    return {f"ip_adapter.{place}.to_{side}_ip.weight": (wide[place], WIDTH) for place in range(1, len(names), 2) for side in "kv"}


def plain(unet: Any) -> dict[str, tuple[int, ...]]:
    projection = {"proj.weight": (TOKENS * WIDTH, SUMMARY), "proj.bias": (TOKENS * WIDTH,), "norm.weight": (WIDTH,), "norm.bias": (WIDTH,)}
    return {f"image_proj.{name}": shape for name, shape in projection.items()} | layers_of(unet)


def plus(unet: Any) -> dict[str, tuple[int, ...]]:
    projection: dict[str, tuple[int, ...]] = {"latents": (1, 6, HIDDEN), "proj_in.weight": (HIDDEN, SEES), "proj_in.bias": (HIDDEN,)}
    projection |= {"proj_out.weight": (WIDTH, HIDDEN), "proj_out.bias": (WIDTH,), "norm_out.weight": (WIDTH,), "norm_out.bias": (WIDTH,)}
    for number in range(4):
        one = {f"0.norm{norm}.{kind}": (HIDDEN,) for norm in (1, 2) for kind in ("weight", "bias")}
        one |= {"0.to_q.weight": (128, HIDDEN), "0.to_kv.weight": (256, HIDDEN), "0.to_out.weight": (HIDDEN, 128)}
        one |= {"1.0.weight": (HIDDEN,), "1.0.bias": (HIDDEN,), "1.1.weight": (4 * HIDDEN, HIDDEN), "1.3.weight": (HIDDEN, 4 * HIDDEN)}
        projection |= {f"layers.{number}.{name}": shape for name, shape in one.items()}
    return {f"image_proj.{name}": shape for name, shape in projection.items()} | layers_of(unet)


KINDS: Mapping[str, Callable[[Any], dict[str, tuple[int, ...]]]] = {"plain": plain, "plus": plus}


def write(folder: Path, unet: Any, kind: str, seed: int = 0) -> Path:
    file = folder / f"{kind} {seed}.safetensors"
    save_file(drawn(KINDS[kind](unet), seed), file)
    return file


def entry(file: Path) -> ModelFile:
    return ModelFile("toy", file.stem, file, 0, 0.0, Identity("adapter", "", "ip-adapter"))


def loaded(file: Path) -> IpAdapter:
    return load_ip_adapter(entry(file), SD1, CPU)


def picture(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 56, 3), dtype=np.uint8))


def inputs(rows: int = 2) -> tuple[Tensor, int, Tensor]:
    random = torch.Generator().manual_seed(1)
    return torch.randn(rows, 4, 8, 12, generator=random), 300, torch.randn(rows, 7, WIDTH, generator=random)


def theirs(unet: Any, encoder: Any, files: Sequence[Path], strengths: list[float], images: Sequence[Any], rows: int = 2) -> Tensor:
    """By diffusers' pipeline, from the file to the UNet's answer; the first half of the rows is the negative branch."""
    from diffusers import StableDiffusionPipeline
    from transformers import CLIPImageProcessor

    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    parts: dict[str, Any] = dict.fromkeys(("vae", "text_encoder", "tokenizer", "scheduler", "safety_checker"))
    own = copy.deepcopy(unet)
    pipe = StableDiffusionPipeline(**parts, unet=own, image_encoder=encoder, feature_extractor=processor, requires_safety_checker=False)
    names = [file.name for file in files]
    pipe.load_ip_adapter(str(files[0].parent), subfolder="", weight_name=names, image_encoder_folder=None)
    pipe.set_ip_adapter_scale(strengths)
    embeds = pipe.prepare_ip_adapter_image_embeds(list(images), None, torch.device("cpu"), rows // 2, True)
    with torch.no_grad():
        return pipe.unet(*inputs(rows), added_cond_kwargs={"image_embeds": embeds}).sample


def ours(unet: Any, seen: Sequence[EncodedImagePrompt], strengths: Sequence[float], rows: int = 2, branches: int = 2) -> Tensor:
    with shown(unet, seen, strengths, branches), torch.no_grad():
        return unet(*inputs(rows)).sample


@pytest.mark.parametrize("rows", [2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_says_to_the_unet_what_it_says_in_diffusers(
    kind: str, rows: int, unet: Any, encoder: Any, vision: Vision, tmp_path: Path
) -> None:
    file = write(tmp_path, unet, kind)
    found = ours(unet, [loaded(file).see(vision, [picture()])], [0.7], rows)
    wanted = theirs(unet, encoder, [file], [0.7], [picture()], rows)
    assert torch.allclose(found, wanted, atol=1e-5)
    assert not torch.allclose(found, unet(*inputs(rows)).sample, atol=1e-2)


def test_several_adapters_and_several_pictures_of_one_add_up_as_there(unet: Any, encoder: Any, vision: Vision, tmp_path: Path) -> None:
    files = [write(tmp_path, unet, "plain", 1), write(tmp_path, unet, "plus", 2)]
    first, second = (loaded(file) for file in files)
    seen = [first.see(vision, [picture(1)]), second.see(vision, [picture(2), picture(3)])]
    wanted = theirs(unet, encoder, files, [0.4, 0.9], [picture(1), [picture(2), picture(3)]])
    assert torch.allclose(ours(unet, seen, [0.4, 0.9]), wanted, atol=1e-5)


def test_a_strength_can_change_between_two_calls_and_nothing_stays_behind(unet: Any, vision: Vision, tmp_path: Path) -> None:
    seen = [loaded(write(tmp_path, unet, "plain")).see(vision, [picture()])]
    with torch.no_grad():
        before, processors = unet(*inputs()).sample, unet.attn_processors
        with shown(unet, seen, [1.0]) as handle:
            strong = unet(*inputs()).sample
            handle.strengths[0] = 0.0
            assert torch.equal(unet(*inputs()).sample, before)
            handle.strengths[0] = 0.5
            weak = unet(*inputs()).sample
        assert torch.equal(unet(*inputs()).sample, before)
    assert torch.allclose(strong, ours(unet, seen, [1.0])) and torch.allclose(weak, ours(unet, seen, [0.5]))
    assert all(unet.attn_processors[name] is processor for name, processor in processors.items())


def test_without_a_negative_branch_all_rows_are_the_prompts(unet: Any, vision: Vision, tmp_path: Path) -> None:
    seen = [loaded(write(tmp_path, unet, "plain")).see(vision, [picture()])]
    both, alone = ours(unet, seen, [1.0], 2, 2), ours(unet, seen, [1.0], 2, 1)
    assert torch.allclose(both[1], alone[1], atol=1e-5) and not torch.allclose(both[0], alone[0], atol=1e-3)


def test_a_region_is_where_it_acts(unet: Any, vision: Vision, tmp_path: Path) -> None:
    adapter = loaded(write(tmp_path, unet, "plain"))
    everywhere, nowhere = (adapter.see(vision, [picture()], torch.full((1, 1, 8, 12), share)) for share in (1.0, 0.0))
    assert torch.allclose(ours(unet, [everywhere], [1.0]), ours(unet, [adapter.see(vision, [picture()])], [1.0]), atol=1e-5)
    with torch.no_grad():
        assert torch.allclose(ours(unet, [nowhere], [1.0]), unet(*inputs()).sample, atol=1e-5)


def test_an_error_within_leaves_the_unet_as_it_was(unet: Any, vision: Vision, tmp_path: Path) -> None:
    seen = [loaded(write(tmp_path, unet, "plain")).see(vision, [picture()])]
    processors = unet.attn_processors
    with pytest.raises(ZeroDivisionError), shown(unet, seen, [1.0]):
        raise ZeroDivisionError
    assert all(unet.attn_processors[name] is processor for name, processor in processors.items())


# -------------------------------------------------------------------------------------------------------- what does not fit says so


def changed(file: Path, change: Callable[[Tensors], Tensors]) -> Path:
    from safetensors.torch import load_file

    save_file(change(load_file(file)), file)
    return file


@pytest.mark.parametrize("name", ["ip_adapter.1.to_v_ip.weight", "image_proj.norm.bias", "image_proj.norm.weight"])
def test_an_adapter_that_is_not_whole_is_refused(name: str, unet: Any, tmp_path: Path) -> None:
    file = changed(write(tmp_path, unet, "plain"), lambda tensors: {own: part for own, part in tensors.items() if own != name})
    with pytest.raises(UserError, match="IP-Adapter “plain 0”"):
        loaded(file)


def test_one_for_faces_and_one_for_another_family_are_refused(unet: Any, tmp_path: Path) -> None:
    faces = write_file(tmp_path / "faces.safetensors", {"image_proj.proj.0.weight": (8, 512), "ip_adapter.1.to_k_ip.weight": (320, 768)})
    with pytest.raises(UserError, match="for faces"):
        loaded(faces)
    whole = {name: shape if "ip_adapter" not in name else (320, 768) for name, shape in plain(unet).items()}
    with pytest.raises(UserError, match="made for Stable Diffusion 1, not for SDXL"):
        load_ip_adapter(entry(write_file(tmp_path / "one.safetensors", whole)), SDXL, CPU)
    with pytest.raises(UserError, match="no IP-Adapter"):
        loaded(write_file(tmp_path / "other.safetensors", {"weight": (3, 3)}))


def test_a_unet_of_other_layers_is_refused(unet: Any, vision: Vision, tmp_path: Path) -> None:
    file = changed(write(tmp_path, unet, "plain"), lambda tensors: {name: part for name, part in tensors.items() if ".1.to_" not in name})
    seen = [loaded(file).see(vision, [picture()])]
    with pytest.raises(UserError, match="made for another model"), shown(unet, seen, [1.0]):
        pass


def test_an_encoder_that_sees_in_other_numbers_is_refused(unet: Any, vision: Vision, tmp_path: Path) -> None:
    def wider(tensors: Tensors) -> Tensors:
        return tensors | {"image_proj.proj.weight": torch.zeros(TOKENS * WIDTH, SUMMARY + 1)}

    adapter = loaded(changed(write(tmp_path, unet, "plain"), wider))
    with pytest.raises(UserError, match=r"reads vectors of 21 numbers, and “eye” makes 20"):
        adapter.see(vision, [picture()])


# ------------------------------------------------------------------------------------------------------------------ vision encoders


def test_an_encoder_out_of_a_folder_is_the_one_that_was_saved(encoder: Any, vision: Vision, tmp_path: Path) -> None:
    encoder.save_pretrained(tmp_path / "image_encoder")
    wanted = encoder.state_dict()
    for found in (vision, load_vision(tmp_path / "image_encoder", CPU)):
        own = found.network.state_dict()
        assert own.keys() == wanted.keys() and all(torch.equal(tensor, wanted[name]) for name, tensor in own.items())
        assert found.bytes == sum(tensor.nbytes for tensor in wanted.values())


def test_the_public_encoder_needs_no_word_of_its_sizes(tmp_path: Path) -> None:
    """CLIP ViT-H of LAION: 632,076,800 parameters, 2,528 MB in single precision."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config: dict[str, Any] = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 16}
    config |= {"patch_size": 14, "image_size": 224, "projection_dim": 1024, "hidden_act": "gelu"}
    with torch.device("meta"):
        outline = CLIPVisionModelWithProjection(CLIPVisionConfig(**config)).state_dict()
    file = write_file(tmp_path / "vit-h.safetensors", {name: tuple(tensor.shape) for name, tensor in outline.items()})
    source, sizes = vision_file(file)
    assert {name: sizes[name] for name in config} == config
    assert sum(tensor.numel() for tensor in source.outline().values()) == 632_076_800


def test_what_is_no_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no encoder of pictures"):
        load_vision(write_file(tmp_path / "other.safetensors", {"weight": (3, 3)}), CPU)
