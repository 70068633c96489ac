"""Everything that a request can name, joined to one model: against the same parts put together by hand."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.families import SD1
from models.files import ModelKind
from models.library.catalog import STARTER, Catalog
from models.memory.forecast import Machine
from models.memory.manager import Key
from models.patches import applied
from models.patches.embeddings import read_embedding
from models.patches.hypernetworks import active, read_hypernetwork
from models.patches.lora_files import read_lora
from models.tensors.embedded_sizes import OWN_SIZES
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture
from pipelines.metadata.provenance import OURS_ALONE
from pipelines.requests.request import EmbeddingUse, HypernetworkUse, LoraUse, TextToImage
from pipelines.runtime.runner import ModelRunner
from pipelines.tasks import txt2img
from tests.support.drawing import task
from tests.support.toy_weights import CPU, load_toy_model, toy_networks, write_toy_model

GB = 10**9
REQUEST = TextToImage(prompt="a red snowy house", steps=4, seed=5, width=64, height=64)
BLOCK = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
UNET = Path("unet") / "diffusion_pytorch_model.safetensors"


@dataclass(frozen=True)
class Folder:
    """The starter and a models folder with one file of each kind."""

    root: Path

    @property
    def starter(self) -> Path:
        return self.root / "starter"

    def file(self, kind: str) -> Path:
        names = {"lora": "loras/ink", "vae": "vae/soft", "embedding": "embeddings/snowy", "hypernetwork": "hypernetworks/odd"}
        return self.root / "models" / f"{names[kind]}.safetensors"

    @property
    def other(self) -> Path:
        return self.root / "models" / "checkpoints" / "other"

    def digest(self, kind: str) -> str:
        file = {"starter": self.starter / UNET, "other": self.other / UNET}.get(kind) or self.file(kind)
        return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    made = Folder(tmp_path_factory.mktemp("everything"))
    write_toy_model(made.starter)
    write_toy_model(made.other, seed=1)
    torch.manual_seed(2)
    vae = toy_networks(SD1, 100, seed=3).vae
    sizes = {OWN_SIZES: json.dumps({"vae": dict(vae.config)}, default=str)}
    contents = {
        "lora": ({f"{BLOCK}.lora_down.weight": torch.randn(4, 32), f"{BLOCK}.lora_up.weight": torch.randn(32, 4)}, None),
        "vae": ({name: weight.half().contiguous() for name, weight in vae.state_dict().items()}, sizes),
        "embedding": ({"emb_params": torch.randn(2, 32)}, None),
        "hypernetwork": ({f"32.{side}.linear.0.weight": torch.randn(32, 32) for side in (0, 1)}, None),
    }
    for kind, (tensors, metadata) in contents.items():
        made.file(kind).parent.mkdir()
        save_file(tensors, made.file(kind), metadata)
    return made


@pytest.fixture(scope="module")
def runner(folder: Folder) -> ModelRunner:
    return open_runner(folder)


def open_runner(folder: Folder, machine: Machine | None = None) -> ModelRunner:
    catalog = Catalog(folder.starter, [folder.root / "models"])
    catalog.rescan(wait=True)
    return ModelRunner(catalog, CPU, machine or Machine(host=GB), Inputs(folder.root / "inputs"))


def id_of(runner: ModelRunner, kind: ModelKind) -> str:
    return next(entry.id for entry in runner.catalog.models(kind) if entry.id != STARTER)


def everything(runner: ModelRunner) -> TextToImage:
    return replace(
        REQUEST,
        vae=id_of(runner, "vae"),
        refiner=id_of(runner, "checkpoint"),
        refiner_start=0.5,
        loras=(LoraUse(id=id_of(runner, "lora"), unet=0.7, text_encoder=0.0),),
        hypernetworks=(HypernetworkUse(id=id_of(runner, "hypernetwork"), strength=0.3),),
        embeddings=(EmbeddingUse(id=id_of(runner, "embedding"), word="snowy"),),
    )


def draw(runner: ModelRunner, request: TextToImage) -> Picture:
    return next(event for batch in runner.batches(request) for event in batch if isinstance(event, Picture))


def named(picture: Picture) -> dict[str, str]:
    """What other studios read of it."""
    return {key: value for key, value in picture.made_with.items() if key not in OURS_ALONE}


def by_hand(folder: Folder, request: TextToImage) -> Iterator[Picture]:
    """The same parts, read and put together without the catalogue, the manager or the painter."""
    vae = toy_networks(SD1, 100, seed=3).vae.half().float().to(memory_format=torch.channels_last)
    embedding = read_embedding(load_file(folder.file("embedding")), "snowy")
    lora = read_lora(load_file(folder.file("lora")), {}, "ink")
    hypernetwork = read_hypernetwork(load_file(folder.file("hypernetwork")), {})
    model = replace(
        load_toy_model(folder.starter),
        vae=vae.requires_grad_(False) if request.vae else load_toy_model(folder.starter).vae,
        refiner=load_toy_model(folder.other) if request.refiner else None,
        embeddings={"snowy": embedding} if request.embeddings else {},
    )
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        stack.enter_context(applied(model, [(lora, use.unet, use.text_encoder, use.blocks) for use in request.loras]))
        stack.enter_context(active(model, [(hypernetwork, use.strength) for use in request.hypernetworks]))
        yield from (event for batch in txt2img.batches(task(request, model)) for event in batch if isinstance(event, Picture))


@pytest.mark.parametrize("name", ["vae", "refiner", "loras", "hypernetworks", "embeddings", "all of it"])
def test_what_is_named_is_drawn_with(folder: Folder, runner: ModelRunner, name: str) -> None:
    full = everything(runner)
    request = full if name == "all of it" else replace(REQUEST, refiner_start=0.5, **{name: getattr(full, name)})
    drawn = draw(runner, request).image.tobytes()
    assert drawn == next(by_hand(folder, request)).image.tobytes()
    assert drawn != draw(runner, REQUEST).image.tobytes()


def test_afterwards_the_model_is_as_it_was(runner: ModelRunner) -> None:
    plain = draw(runner, REQUEST).image.tobytes()
    with runner.model(STARTER) as model:
        before = {name: weight.clone() for name, weight in model.unet.state_dict().items()}
        hooks = [len(module._forward_pre_hooks) for module in model.unet.modules()]
    draw(runner, everything(runner))
    with runner.model(STARTER) as model:
        assert all(torch.equal(weight, before[name]) for name, weight in model.unet.state_dict().items())
        assert [len(module._forward_pre_hooks) for module in model.unet.modules()] == hooks
    assert draw(runner, REQUEST).image.tobytes() == plain


@pytest.mark.parametrize("device", [GB, 1], ids=["whole", "layer by layer"])
def test_all_of_it_draws_the_same_on_a_device_with_its_own_memory(folder: Folder, runner: ModelRunner, device: int) -> None:
    card = open_runner(folder, Machine(host=GB, device=device))
    request = everything(card)
    assert draw(card, request).image.tobytes() == draw(runner, request).image.tobytes()
    assert draw(card, REQUEST).image.tobytes() == draw(runner, REQUEST).image.tobytes()


def test_the_picture_names_everything_by_its_hash(folder: Folder, runner: ModelRunner) -> None:
    assert named(draw(runner, everything(runner))) == {
        "Model": "Starter",
        "Model hash": folder.digest("starter")[:10],
        "VAE": "soft",
        "VAE hash": folder.digest("vae")[:10],
        "Lora hashes": f"ink: {folder.digest('lora')[:12]}",
        "TI hashes": f"snowy: {folder.digest('embedding')[:12]}",
        "Hypernet": "odd",
        "Hypernet hash": f"odd: {folder.digest('hypernetwork')[:10]}",
        "Refiner": "other",
        "Refiner hash": folder.digest("other")[:10],
    }


def test_what_is_being_read_is_told_and_nothing_is_when_it_has_been_read(folder: Folder) -> None:
    runner = open_runner(folder)
    told: list[Key | None] = []
    runner.tell = lambda: told.append(runner.reading)
    lora = runner.catalog.models("lora")[0]
    with runner.lent(replace(REQUEST, loras=(LoraUse(id=lora.id, name=lora.name),))):
        assert told[-1] is None and [key.kind for key in told if key] == ["checkpoint", "lora"]
        assert [key.id for key in told if key] == [STARTER, lora.id]


def test_a_plain_picture_names_its_checkpoint_alone(folder: Folder, runner: ModelRunner) -> None:
    assert named(draw(runner, REQUEST)) == {"Model": "Starter", "Model hash": folder.digest("starter")[:10]}


def test_everything_that_was_lent_is_in_the_ledger_and_nothing_is_lent_any_more(runner: ModelRunner) -> None:
    draw(runner, everything(runner))
    kinds = sorted(line.kind for line in runner.ledger)
    assert kinds == ["checkpoint", "checkpoint", "embedding", "hypernetwork", "lora", "vae"]
    assert all(line.leases == 0 and line.bytes > 0 for line in runner.ledger)


def test_a_lora_of_strength_nothing_is_not_even_read(folder: Folder) -> None:
    runner = open_runner(folder)
    use = LoraUse(id=id_of(runner, "lora"), unet=0.0, text_encoder=0.0)
    assert draw(runner, replace(REQUEST, loras=(use,))).image.tobytes() == draw(runner, REQUEST).image.tobytes()
    assert Key("lora", use.id) not in runner.manager.quick()


def test_a_tokenizer_is_read_again_only_when_its_files_have_changed(tmp_path: Path) -> None:
    here = Folder(tmp_path)
    write_toy_model(here.starter)
    runner = open_runner(here)

    def tokenizer() -> object:
        runner.manager.unload_idle()
        with runner.model(STARTER) as model:
            return model.tokenizer

    first = tokenizer()
    assert tokenizer() is first
    for file in (here.starter / "tokenizer").iterdir():
        os.utime(file, (1, 1))
    assert tokenizer() is not first
