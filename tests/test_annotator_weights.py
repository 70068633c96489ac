"""Weights of preprocessors on disk: what is missing is said, where files are found, and what is no plain weights is refused."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from models.errors import UserError
from pipelines.preprocessors.annotators import ANNOTATORS, STARTER, Annotators
from tests.support import annotator_toys
from tests.test_annotators import CPU, _quiet, annotators

__all__ = ["_quiet"]


@pytest.mark.parametrize("key", ANNOTATORS)
def test_what_is_missing_is_said_in_a_sentence_that_names_no_path_of_this_computer(key: str, tmp_path: Path) -> None:
    known = Annotators([tmp_path / "models" / "weights"], tmp_path / "starter")
    sentence = known.missing(key)
    with pytest.raises(UserError) as caught:
        known.load(key, CPU, torch.float32)
    assert str(caught.value) == sentence
    assert str(tmp_path) not in sentence
    if key != STARTER:
        assert all(file.name in sentence and file.repo in sentence for file in ANNOTATORS[key].files)
        assert f"models/weights/annotators/{ANNOTATORS[key].place or key}." in sentence


def test_the_sentence_reads_well(tmp_path: Path) -> None:
    known = Annotators([tmp_path / "models" / "weights"], tmp_path)
    files = "body_pose_model.pth, hand_pose_model.pth and facenet.pth"
    assert known.missing("openpose_full") == f"Put {files} of lllyasviel/Annotators into models/weights/annotators/openpose."


def test_half_of_the_files_is_not_enough(tmp_path: Path) -> None:
    annotator_toys.write(tmp_path, "openpose")
    assert annotators(tmp_path).missing("openpose") == ""
    assert annotators(tmp_path).missing("openpose_full")


@pytest.mark.parametrize(
    "place",
    [
        "annotators/teed",
        "../extensions/sd-webui-controlnet/annotator/downloads/TEED",
        "ControlNetPreprocessor/TEED",
        "../custom_nodes/comfyui_controlnet_aux/ckpts/fal-ai/teed",
    ],
)
@pytest.mark.parametrize("name", ["5_model.pth", "7_model.pth", "5_model.safetensors"])
def test_files_of_other_programs_are_found_under_each_of_their_names(place: str, name: str, tmp_path: Path) -> None:
    weights = annotator_toys.FILES["5_model.pth"]()
    path = Path(os.path.normpath(tmp_path / "models" / place / name))
    path.parent.mkdir(parents=True)
    save_file(weights, path) if name.endswith("safetensors") else torch.save(weights, path)
    annotator = annotators(tmp_path / "models").load("teed", CPU, torch.float32)
    assert all(torch.equal(weight, weights[name]) for name, weight in annotator.networks[0].state_dict().items())


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"<!doctype html>", pickle.dumps(Bomb()), pickle.dumps({"a": Bomb()})])
def test_a_file_that_is_no_weights_is_refused_and_never_run(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "annotators" / "hed" / "ControlNetHED.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"“ControlNetHED.pth” (is damaged|holds the weights of another)"):
        annotators(tmp_path).load("hed", CPU, torch.float32)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [{"state_dict": {"a": 1}}, {}, [1, 2], {"norm": torch.zeros(3)}])
def test_weights_of_another_network_are_refused(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "annotators" / "hed" / "ControlNetHED.pth"
    path.parent.mkdir(parents=True)
    torch.save(content, path)
    with pytest.raises(UserError, match="another network"):
        annotators(tmp_path).load("hed", CPU, torch.float32)


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), "utf-8")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "bert"}, "another network"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, "code of others"),
        ({"use_pretrained_backbone": True}, "fetch weights"),
        ({"hidden_size": 48}, "damaged or do not belong together"),
        ({"num_hidden_layers": 5}, "damaged or do not belong together"),
        ({"hidden_size": "many"}, "damaged or do not belong together"),
    ],
)
def test_a_folder_that_is_not_what_it_should_be_is_refused(values: dict[str, Any], message: str, tmp_path: Path) -> None:
    annotator_toys.write(tmp_path, "dpt")
    change(tmp_path / "annotators" / "dpt" / "config.json", **values)
    with pytest.raises(UserError, match=message):
        annotators(tmp_path).load("dpt", CPU, torch.float32)
