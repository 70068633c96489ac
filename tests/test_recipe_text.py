"""The recipe's text stage and what lets a training go on: from nothing and from what is there, without harm to what is not trained."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from transformers import CLIPTokenizer

from models.starter.recipe.caption_reader import CUT, CaptionReader, captions_of, reading_loss
from models.starter.recipe.controls_nets import new_controlnet
from models.starter.recipe.export import export
from models.starter.recipe.networks import TEXT_WIDTH
from models.starter.recipe.progress import load, save
from models.starter.recipe.resume import moved_along
from models.starter.recipe.text_stage import opened, train_text
from models.starter.recipe.tokenizer import tokens_of
from models.starter.recipe.train import TOKENIZER

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(TOKENIZER)


def test_a_text_encoder_learns_to_tell_two_things_apart_and_the_unet_stays(tmp_path: Path, tokenizer: CLIPTokenizer) -> None:
    state, network, reader = opened(tmp_path, 128, tokenizer)
    save(tmp_path, "unet", state | {"optimizer": {"moments": torch.ones(1)}, "step": 7})
    asked = captions_of(np.random.default_rng(1), tokenizer, 64, CPU)
    before = reading_loss(network.text_encoder, reader, *asked).item()
    train_text(tmp_path, TOKENIZER, 128, minutes=0.08, batch=16)
    trained = load(tmp_path, "unet")
    assert trained and trained["step"] == 7 and "optimizer" not in trained
    for name, weight in trained["network"].items():
        assert torch.equal(weight, trained["average"][name])
        assert name.startswith("text_encoder.") or torch.equal(weight, network.state_dict()[name]), name
    _, learnt, reading = opened(tmp_path, 128, tokenizer)
    assert reading_loss(learnt.text_encoder, reading, *asked).item() < 0.8 * before


def test_captions_are_cut_within_their_filling_alone(tokenizer: CLIPTokenizer) -> None:
    rng = np.random.default_rng(2)
    lengths: set[int] = set()
    for _ in range(20):
        tokens, said = captions_of(rng, tokenizer, 8, CPU)
        lengths.add(tokens.shape[1])
        assert len(said) == 8 and (tokens[:, CUT - 1] == int(tokens_of(tokenizer, [""])[0, -1])).all()
    assert lengths == {CUT, 77}


def test_the_reader_s_loss_is_that_of_its_answers_and_least_where_they_are_right(tokenizer: CLIPTokenizer) -> None:
    _, said = captions_of(np.random.default_rng(3), tokenizer, 4, CPU)
    reader = CaptionReader(TEXT_WIDTH)
    heads = [head for head in reader.heads if isinstance(head, nn.Linear)]
    with torch.no_grad():
        for head in heads:
            head.weight.zero_()
            head.bias.zero_()
    chance = np.mean([np.log(head.out_features) for head in heads])
    assert reader.loss(torch.randn(4, 77, TEXT_WIDTH), said).item() == pytest.approx(chance, rel=1e-5)
    with torch.no_grad():
        for number, head in enumerate(heads):
            head.bias[said[0, number]] = 9.0
    assert reader.loss(torch.randn(1, 77, TEXT_WIDTH), said[:1]).item() < 0.01


def test_a_control_that_is_moved_along_is_as_far_from_the_new_unet_as_it_was_from_the_old(tmp_path: Path, tokenizer: CLIPTokenizer) -> None:
    old = opened(tmp_path, 128, tokenizer)[1].unet
    new = opened(tmp_path, 128, tokenizer)[1].unet
    network = new_controlnet(old)
    moved = moved_along(deepcopy(network), old, new)
    copy = new_controlnet(new)
    for name, weight in moved.named_parameters():
        own = network.get_parameter(name)
        is_copied = name in old.state_dict() and old.get_parameter(name).shape == own.shape
        assert torch.allclose(weight, copy.get_parameter(name) if is_copied else own, atol=1e-6), name


def test_an_export_leaves_what_else_lies_in_the_folder_of_a_part(tmp_path: Path) -> None:
    second = tmp_path / "starter" / "vae" / "warm.safetensors"
    second.parent.mkdir(parents=True)
    second.write_bytes(b"a second VAE")
    for _ in range(2):
        export(tmp_path / "none", tmp_path / "starter", 128)
    assert second.read_bytes() == b"a second VAE" and not list((tmp_path / "starter").glob(".*"))
    assert {part.name for part in second.parent.iterdir()} == {"config.json", "diffusion_pytorch_model.safetensors", "warm.safetensors"}
