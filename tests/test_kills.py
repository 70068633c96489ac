"""Processes that are killed at any moment, by the signal that nobody can catch: what was acknowledged and announced is there afterwards."""

from __future__ import annotations

import os
import random
import secrets
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.served import Person, Served, Tally, busy
from models.downloads.convert import convert
from models.downloads.hub import download
from models.library.catalog import Catalog
from pipelines.job_book.book import JobBook
from tests.support.hub_server import CONTENT, FILE, REPO, Hub, hub
from tests.support.toy_server import fetch, make_safe, serve_toys
from tests.support.toys import toy_model_folder, wait_until

__all__ = ["hub"]

PRELOAD = ("tests.support.toy_server",)
KILLS = 3  # `python -m bench.soak` makes fifty


def start(folder: Path) -> Served:
    return Served(folder / "outputs", serve_toys, PRELOAD)


def test_f10_f11_f34_no_acknowledged_job_and_no_announced_picture_is_lost_by_a_kill(tmp_path: Path) -> None:
    chance, tally, name = random.Random(11), Tally(tmp_path / "outputs"), secrets.token_urlsafe(16)
    for _ in range(KILLS):
        server = start(tmp_path)
        person = Person(server.url, name)
        tally.check(person)
        busy(person, tally, chance, steps=3, width=256, height=256)
        server.kill()
    server = start(tmp_path)
    person = Person(server.url, name)
    tally.check(person)
    states = tally.finish(person, 30)
    tally.check(person)
    assert tally.lost == []
    assert len(tally.sound) >= KILLS and states["done"] >= KILLS and states.get("interrupted", 0) <= KILLS
    assert not list((tmp_path / "outputs").glob("20*/.*.part"))
    running = person.submit(steps=150, batch_count=100)
    seen = {"version": -1, "state": "waiting"}
    while seen["state"] != "running":
        seen = person.live(running, seen["version"]) or seen
    took = server.end(presses=2)
    assert took < 10 and not list((tmp_path / "outputs").glob("20*/.*.part"))
    book = JobBook(tmp_path / "outputs" / "studio.db", tmp_path / "outputs")
    assert book.recover() == 1 and (job := book.job(running)) and job.state == "interrupted"
    book.close()


# ------------------------------------------------------------------------------------------------ model files


def alone(work: Callable[..., None], *given: Any) -> Any:
    process = get_context("forkserver").Process(target=work, args=given, daemon=True)
    process.start()
    return process


def listed(folder: Path) -> list[str]:
    catalog = Catalog(toy_model_folder(folder / "toy"), [folder / "models"])
    catalog.rescan(wait=True)
    return [entry.name for entry in catalog.models() if entry.name != "Starter"]


def test_f12_a_download_whose_process_is_killed_is_listed_nowhere_and_goes_on_where_it_was(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "loras"
    folder.mkdir(parents=True)
    hub.pause.clear()
    hub.before_pause = 1_000_000
    process = alone(fetch, hub.address, str(folder))
    wait_until(lambda: sum(file.stat().st_size for file in folder.iterdir()) == 1_000_000, 30)
    process.kill()
    process.join()
    hub.pause.set()
    assert listed(tmp_path) == []
    assert download(REPO, FILE, folder, base_url=hub.address).read_bytes() == CONTENT
    assert hub.asked[-1][2] == "bytes=1000000-" and len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("whom", ["its own process", "the studio"])
def test_f12_a_conversion_that_is_killed_half_way_leaves_nothing_that_is_listed_and_can_be_made_again(tmp_path: Path, whom: str) -> None:
    folder = tmp_path / "models" / "loras"
    folder.mkdir(parents=True)
    torch.save({"lora_unet_x.lora_up.weight": torch.ones(4, 4)}, folder / "ink.ckpt")
    begun = listed(tmp_path)
    process = alone(make_safe, str(folder / "ink.ckpt"), str(folder / "ink.safetensors"))
    wait_until(lambda: children(process.pid), 30)
    child = children(process.pid)[0]
    os.kill(child if whom == "its own process" else process.pid, signal.SIGKILL)
    process.join()
    assert listed(tmp_path) == begun and not (folder / "ink.safetensors").exists()
    for left in folder.glob(".converting-*"):
        os.utime(left, (1, 1))
    convert(folder / "ink.ckpt", folder / "ink.safetensors")
    assert sorted(file.name for file in folder.iterdir()) == ["ink.ckpt", "ink.safetensors"]


def children(pid: int) -> list[int]:
    return [int(found) for found in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
