"""Files change, vanish or hang while their weights are in use, and models are swapped again and again."""

from __future__ import annotations

import gc
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.errors import UserError
from models.library.catalog import STARTER
from models.memory.forecast import Machine
from pipelines.jobs.events import Picture
from pipelines.requests.request import LoraUse
from pipelines.runtime.runner import ModelRunner
from tests.support.faults import REQUEST, Files, draw, expected, files, ink, open_toys, originals, other, pictures, runner
from tests.support.toys import FAR_TOO_LONG

__all__ = ["expected", "files", "originals", "runner"]  # fixtures


def test_f18_a_file_replaced_by_another_is_read_again(files: Files, runner: ModelRunner) -> None:
    request = replace(REQUEST, checkpoint=other(runner))
    first = draw(runner, request)
    made_with = pictures(runner, request)[0].made_with["Model hash"]
    replaced_by(files, lambda tensors: {name: tensor * 0.5 for name, tensor in tensors.items()})
    second = pictures(runner, request)[0]
    assert [second.image.tobytes()] == draw(open_toys(files), request) != first
    assert second.made_with["Model hash"] != made_with


def test_f18_a_file_overwritten_in_place_is_read_again_and_never_reaches_what_is_in_memory(files: Files, runner: ModelRunner) -> None:
    request = replace(REQUEST, checkpoint=other(runner))
    running = runner.batches(request)
    batch = next(running)
    next(batch)  # the first step is made
    before = draw(open_toys(files), request)
    data = bytearray(files.other.read_bytes())
    data[-200_000:] = bytes(200_000)
    with files.other.open("r+b") as stream:
        stream.write(data)
    os.utime(files.other, ns=(1, 1))
    rest = [event.image.tobytes() for event in batch if isinstance(event, Picture)]
    assert rest == before, "a job that runs keeps the weights that it began with"
    running.close()
    assert draw(runner, request) == draw(open_toys(files), request) != before


def test_f18_a_truncated_file_is_refused_and_a_repaired_one_works(files: Files, runner: ModelRunner, expected: list[bytes]) -> None:
    request = replace(REQUEST, checkpoint=other(runner))
    before, data = draw(runner, request), files.other.read_bytes()
    files.other.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError):
        draw(runner, request)
    assert draw(runner) == expected
    files.other.write_bytes(data)
    assert draw(runner, request) == before


def test_f18_a_deleted_checkpoint_is_refused_and_others_work(files: Files, runner: ModelRunner, expected: list[bytes]) -> None:
    request = replace(REQUEST, checkpoint=other(runner))
    draw(runner, request)
    shutil.rmtree(files.models / "checkpoints" / "other")
    with pytest.raises(UserError):
        draw(runner, request)
    assert draw(runner) == expected


def test_f18_a_deleted_lora_is_refused_by_name(files: Files, runner: ModelRunner, expected: list[bytes]) -> None:
    request = replace(REQUEST, loras=(ink(runner),))
    assert draw(runner, request) != expected
    (files.models / "loras" / "ink.safetensors").unlink()
    with pytest.raises(UserError):
        draw(runner, request)
    assert draw(runner) == expected


def replaced_by(files: Files, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    """Another file takes the name, as a download does."""
    part = files.other.with_suffix(".part")
    save_file(change(load_file(files.other)), part)
    part.replace(files.other)


def test_f19_a_folder_that_never_answers_does_not_hold_up_the_list(files: Files) -> None:
    os.mkfifo(files.models / "checkpoints" / "hangs.safetensors")
    os.mkfifo(files.models / "loras" / "hangs.safetensors")
    found: list[int] = []
    look = threading.Thread(target=lambda: found.append(len(files.catalog().checkpoints())), daemon=True)
    look.start()
    look.join(FAR_TOO_LONG)
    assert found == [2]


# ------------------------------------------------------------------------------------------------ swaps


def living_unets() -> int:
    gc.collect()
    return sum(type(thing).__name__ == "UNet2DConditionModel" for thing in gc.get_objects())


def test_f20_swaps_with_a_failing_lora_among_them_leave_one_model(files: Files) -> None:
    torch.manual_seed(3)
    wrong = {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": torch.randn(4, 99)}
    wrong |= {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight": torch.randn(32, 4)}
    save_file(wrong, files.models / "loras" / "wrong.safetensors")
    before = living_unets()
    runner = open_toys(files, Machine(host=1))  # room for nothing: what is idle goes at once
    loras = {entry.name: LoraUse(id=entry.id) for entry in runner.catalog.models("lora")}
    quick = replace(REQUEST, steps=1)
    first = {model: draw(runner, replace(quick, checkpoint=model)) for model in (STARTER, other(runner))}
    for number in range(4):
        model = STARTER if number % 2 else other(runner)
        if number == 2:
            with pytest.raises(UserError):
                draw(runner, replace(quick, checkpoint=model, loras=(loras["wrong"],)))
        draw(runner, replace(quick, checkpoint=model, loras=(loras["ink"],)))
        assert living_unets() - before == 1
        assert draw(runner, replace(quick, checkpoint=model)) == first[model]
