"""What a studio must outlast: kills at any moment, hundreds of jobs, crowds. Prints what was lost and whether memory stayed flat.

    python -m bench.soak                                    all of it: about a quarter of an hour on two quiet cores
    python -m bench.soak --kills 5 --jobs 0 --watches 0 --clients 0 --people 0      parts of it, or less of each

The real studio with its starter model on the loopback address. Ends by itself: every wait has its end. Exit code 1 when something was
lost, was refused or grew.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from bench.crowd import people
from bench.served import ENDED, Person, Served, Tally, busy

PRELOAD = ("app", "ui", "ui.server", "pipelines.studio", "pipelines.runtime.runner", "models.starter")
PASSWORD = secrets.token_urlsafe(9)
CROWD = ("--trusted-proxy", "127.0.0.1", "--password", PASSWORD)  # everybody comes from one address here, as behind a proxy
GROWTH_MB, GROWTH_FILES, GROWTH_THREADS = 60, 16, 16  # what counts as flat, between a warm start and the end
ONE_JOB = 120.0  # seconds
ASK = 0.1  # seconds between two acts of a client


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
    open_many_files()
    parts: list[tuple[int, Callable[[Path], list[str]]]] = [
        (options.kills, lambda folder: kills(folder, options.kills)),
        (options.jobs, lambda folder: jobs(folder, options.jobs)),
        (options.watches, lambda folder: watches(folder, options.watches)),
        (options.clients, lambda folder: clients(folder, options.clients, options.seconds)),
        (options.people, lambda folder: together(folder, options.people, options.pictures)),
    ]
    wrong: list[str] = []
    for count, part in parts:
        with tempfile.TemporaryDirectory(prefix="atelier-soak-") as name:
            wrong += part(Path(name)) if count else []
    print("\n".join(wrong) or "nothing was lost, and memory stayed flat", flush=True)
    return 1 if wrong else 0


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--kills", type=int, default=50, help="kills of a studio that draws (default 50); 0 leaves the part out")
    result.add_argument("--jobs", type=int, default=300, help="jobs, with memory and files counted (default 300)")
    result.add_argument("--watches", type=int, default=500, help="people who watch one job at once (default 500)")
    result.add_argument("--clients", type=int, default=50, help="people who generate, watch and look at once (default 50)")
    result.add_argument("--seconds", type=float, default=60, help="how long they do (default 60)")
    result.add_argument("--people", type=int, default=12, help="people with a browser each at one shared board (default 12)")
    result.add_argument("--pictures", default="", metavar="FOLDER", help="photographs go there of what they see")
    return result


def started(folder: Path, *more: str) -> Served:
    return Served(folder / "outputs", preload=PRELOAD, more=more)


def kills(folder: Path, count: int) -> list[str]:
    """Each round: jobs, a kill, a start, a look whether everything that was promised is there."""
    chance, tally, name = random.Random(count), Tally(folder / "outputs"), secrets.token_urlsafe(16)
    for number in range(count + 1):
        server = started(folder)
        person = Person(server.url, name)
        tally.check(person)
        if number < count:
            busy(person, tally, chance)
        else:
            states = tally.finish(person, ONE_JOB)
            tally.check(person)
        person.close()
        server.kill()
    print(f"{count} kills: {len(tally.lost)} lost; {len(tally.jobs)} jobs acknowledged ({states}), {len(tally.sound)} pictures announced")
    return tally.lost


def jobs(folder: Path, count: int) -> list[str]:
    """One after another, in memory and files from a third on."""
    server = started(folder)
    person, tally = Person(server.url), Tally(folder / "outputs")
    before: dict[str, int] = {}
    for number in range(count):
        tally.jobs.append(person.submit(seed=number))
        tally.hear(person.finish(tally.jobs[-1], ONE_JOB))
        if number == count // 3:
            before = server.counted()
    states, after = tally.finish(person, ONE_JOB), server.counted()
    tally.check(person)
    server.end()
    print(f"{count} jobs: {len(tally.lost)} lost ({states}); after a third {before}, at the end {after}")
    return tally.lost + grown(before, after)


def watches(folder: Path, count: int) -> list[str]:
    """Everybody watches one long job; each hears of its end, and the door stays quick meanwhile."""
    server = started(folder, *CROWD)
    person = Person(server.url, password=PASSWORD)
    warm(person)
    before, ended, slowest = server.counted(), Counter[str](), 0.0
    job = person.submit(steps=150, width=256, height=256, batch_count=2)
    threads = [threading.Thread(target=watch, args=(server.url, person.name, job, ended), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 3 * ONE_JOB
    while any(thread.is_alive() for thread in threads) and time.monotonic() < end:
        begin = time.monotonic()
        person.get("/healthz").raise_for_status()
        slowest = max(slowest, time.monotonic() - begin)
        time.sleep(ASK)
    after = settled(server, before)
    server.end()
    print(
        f"{count} watches: {ended['done']} heard of the end ({dict(ended)}); /healthz took {slowest:.2f} s at most; {before}, then {after}"
    )
    return ([] if ended["done"] == count else [f"{count - ended['done']} watches did not hear of the end"]) + grown(before, after)


def watch(url: str, name: str, job: str, ended: Counter[str]) -> None:
    try:
        ended[str(Person(url, name, PASSWORD).finish(job, 3 * ONE_JOB).get("state"))] += 1
    except httpx.HTTPError as error:
        ended[type(error).__name__] += 1


def clients(folder: Path, count: int, seconds: float) -> list[str]:
    """Each with a cookie of their own: generate, look, watch, stop. Nobody is answered with an error of the studio's own."""
    server = started(folder, *CROWD)
    warm(Person(server.url, password=PASSWORD))
    before, heard, lost = server.counted(), Counter[str](), list[str]()
    end = time.monotonic() + seconds
    threads = [threading.Thread(target=client, args=(server.url, number, end, heard, lost), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 3 * ONE_JOB)
    lost += ["a client never came to its end"] * sum(thread.is_alive() for thread in threads)
    after = settled(server, before)
    server.end()
    print(f"{count} clients for {seconds:.0f} s: {len(lost)} lost; {dict(heard)}; {before}, then {after}")
    return lost + grown(before, after)


def client(url: str, number: int, end: float, heard: Counter[str], lost: list[str]) -> None:
    person, chance = Person(url, password=PASSWORD), random.Random(number)
    while time.monotonic() < end:
        try:
            job = person.submit(seed=number)
            heard["jobs"] += 1
            for path in ("/current", f"/live/{job}"):
                person.get(path).raise_for_status()
                time.sleep(ASK * chance.random())
            if chance.random() < 0.5:
                person.press(job, "stop")
            seen = person.finish(job, ONE_JOB)
            heard[str(seen.get("state", "gone"))] += 1
            lost += [] if seen.get("state") in ENDED else [f"job {job}: {seen.get('state', 'gone')}"]
            lost += [picture["id"] for picture in seen.get("pictures", ()) if person.get(f"/thumb/{picture['id']}").status_code != 200]
        except (httpx.HTTPError, RuntimeError) as error:
            lost.append(f"client {number}: {type(error).__name__} {str(error)[:100]}")


def together(folder: Path, count: int, pictures: str) -> list[str]:
    """Everybody at one board, each in a browser of their own: see `bench/crowd.py`."""
    server = started(folder, *CROWD)
    warm(Person(server.url, password=PASSWORD))
    wrong = people(server, PASSWORD, count, pictures)
    server.end()
    return wrong


def warm(person: Person) -> None:
    for seed in range(5):
        person.finish(person.submit(seed=seed), ONE_JOB)


def settled(server: Served, before: dict[str, int], seconds: float = 30) -> dict[str, int]:
    """The figures when they are as before, or after a while: connections and threads go when they have been idle."""
    end = time.monotonic() + seconds
    while grown(before, found := server.counted()) and time.monotonic() < end:
        time.sleep(1)
    return found


def grown(before: dict[str, int], after: dict[str, int]) -> list[str]:
    most: dict[str, Any] = {"MB": GROWTH_MB, "files": GROWTH_FILES, "threads": GROWTH_THREADS}
    return [f"{name} grew from {before[name]} to {after[name]}" for name in most if after[name] - before.get(name, 0) > most[name]]


def open_many_files() -> None:
    """Hundreds of connections need as many files, here and in the studio, which takes over the limit."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(hard, 8192)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
