"""Kills and cuts in a cluster while jobs are drawn, again and again, and counts what came: `.venv/bin/python -m bench.ray_faults`.

Three computers are network namespaces of this one, joined by cables: the studio with the head of the cluster, and two that draw. Faults
are a worker that is killed, the head that is killed, and the cable of a worker that is out for a while. Every job that was taken up must
come to its end with each of its pictures once, and no picture that was told may be missing on the disk. The studio's own device pauses.

It needs Linux, root, `ip` and Ray (`packages/ray.lock`). A worker's turn takes some 15 seconds, a head's and a cable's about a minute.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from bench.engine import HERE, starter_request, until
from models.library.catalog import Catalog
from pipelines.cluster.room import Room
from pipelines.cluster.secret import own_token
from pipelines.cluster.told import Entry
from pipelines.images.store import INPUTS, Inputs
from pipelines.job_book.book import ENDED, JobBook
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.spoken import VERSION, Setup
from pipelines.jobs.worker import Worker
from pipelines.requests.request import TextToImage
from pipelines.runtime.runner import open_runner
from pipelines.steps.store import KeptSteps

BUDGET, PICTURES, LONGEST = 10**9, 3, 240.0  # bytes of kept steps; of a job; seconds
WITHIN, OUT = 0.3, 25.0  # seconds after a picture within which the fault comes; that a cable is out
BRIDGE, NET, PORT = "atelier0", "10.77.9", 6390
FAULTS = ("worker", "head", "cable")
IP = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "ip"


@dataclass
class Row:
    fault: str
    times: int = 0
    lost: int = 0  # jobs that did not end well
    missing: int = 0  # pictures that were told and are not there
    twice: int = 0  # pictures that are there more than once
    seconds: list[float] = field(default_factory=list)  # from the fault to the end of the job

    @property
    def told(self) -> str:
        middle = sorted(self.seconds)[len(self.seconds) // 2] if self.seconds else 0.0
        longest = max(self.seconds, default=0.0)
        return f"| {self.fault} | {self.times} | {self.lost} | {self.missing} | {self.twice} | {middle:.0f} / {longest:.0f} s |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, help="of each fault")
    parser.add_argument("--faults", nargs="*", choices=FAULTS, default=FAULTS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if sys.platform != "linux" or os.geteuid() or find_spec("ray") is None:
        print("It needs Linux, root and Ray: .venv/bin/python -m pip install --no-deps --require-hashes -r packages/ray.lock")
        return 1
    with tempfile.TemporaryDirectory() as name, ExitStack() as after:
        rows = Faults(Path(name), after, random.Random(options.seed)).rows(options.faults, options.times)
    print("| fault | times | jobs lost | told pictures missing | pictures twice | until the job's end, median / longest |")
    print("| --- | --- | --- | --- | --- | --- |")
    print("\n".join(row.told for row in rows))
    return int(any(row.lost or row.missing or row.twice for row in rows))


class Cables:
    """The studio's computer is this one; two others are namespaces, at a bridge."""

    def __init__(self, after: ExitStack) -> None:
        after.callback(self._away)
        self._away()
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{NET}.1/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        for number in (2, 3):
            space = f"atelier{number}"
            _ip("netns", "add", space)
            _ip("link", "add", f"cable{number}", "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("link", "set", f"cable{number}", "master", BRIDGE, "up")
            _ip("-n", space, "addr", "add", f"{NET}.{number}/24", "dev", "eth0")
            for link in ("eth0", "lo"):
                _ip("-n", space, "link", "set", link, "up")

    def plug(self, number: int, is_in: bool) -> None:
        _ip("link", "set", f"cable{number}", "up" if is_in else "down")

    def _away(self) -> None:
        for what in (["netns", "del", "atelier2"], ["netns", "del", "atelier3"], ["link", "del", BRIDGE]):
            subprocess.run([IP, *what], capture_output=True, check=False)


class Faults:
    def __init__(self, outputs: Path, after: ExitStack, dice: random.Random) -> None:
        self._outputs, self._dice, self._told, self._drawn = outputs, dice, set[Path](), 0
        self._cables = Cables(after)
        folder, steps = HERE / "models" / "starter", KeptSteps(outputs, BUDGET)
        self._catalog, self._book = Catalog(folder), JobBook(outputs / "studio.db", outputs)
        here = open_runner(self._catalog, "cpu", Inputs(outputs / INPUTS), steps=steps)
        self._worker = Worker(self._book, Outputs(outputs), lambda: here, steps=steps)
        setup = Setup(VERSION, "cpu", str(folder), [], str(outputs), BUDGET, 0, 0, 1, False)
        address, token = f"{NET}.1:{PORT}", str(own_token(outputs))
        entry = Entry(address, True, token, str(Path(token).parent))
        room = Room(entry, self._catalog, lambda *_: (setup, None), self._worker.welcome)
        after.callback(self._book.close)
        after.callback(room.close)
        after.callback(self._worker.close)
        self._worker.start()
        until(LONGEST, lambda: self._worker.devices == 1)
        self._worker.pause(0, True)
        room.start([], draws=False)
        for number, name in ((2, "cellar"), (3, "kitchen")):
            self._join(number, name, address, token, after)
        self._all_there()

    def _join(self, number: int, name: str, address: str, token: str, after: ExitStack) -> None:
        command = [sys.executable, "-m", "pipelines.cluster.worker", "--ray", address, "--token-file", token]
        called = ["unshare", "--uts", "sh", "-c", f'hostname {name}; exec "$@"', "sh"]
        quiet = subprocess.DEVNULL
        joined = subprocess.Popen([IP, "netns", "exec", f"atelier{number}", *called, *command], cwd=HERE, stdout=quiet, stderr=quiet)
        after.callback(joined.wait)
        after.callback(joined.terminate)

    def _all_there(self) -> None:
        until(LONGEST, lambda: sum(hand.draws for hand in self._worker.hands[1:]) == 2)

    def rows(self, faults: Sequence[str], times: int) -> list[Row]:
        found = [Row(fault) for fault in faults]
        for number in range(times):
            for row in found:
                self._once(row, number * len(FAULTS) + FAULTS.index(row.fault))
        return found

    def _once(self, row: Row, seed: int) -> None:
        self._all_there()
        job = self._worker.submit(self._request(seed * 10), "somebody")
        drawn = self._dice.randrange(PICTURES)
        until(LONGEST, lambda: (live := self._worker.live(job)) is not None and live.step is not None and live.drawn >= drawn)
        time.sleep(self._dice.random() * WITHIN)
        told, began = {record.path for record in self._book.pictures_of(job)}, time.monotonic()
        self._fault(row.fault, job)
        until(LONGEST, lambda: (found := self._book.job(job)) is not None and found.state in ENDED)
        row.seconds.append(time.monotonic() - began)
        self._mend(row.fault, began)
        row.times += 1
        self._count(row, job, seed * 10, told)
        print(row.told, flush=True)

    def _request(self, seed: int) -> TextToImage:
        checkpoint = starter_request(self._catalog.checkpoints()[0]).checkpoint
        asked = TextToImage(checkpoint=checkpoint, prompt="a red house", seed=seed, batch_count=PICTURES)
        return replace(asked, steps=6, width=128, height=128)

    def _count(self, row: Row, job: str, seed: int, told: set[Path]) -> None:
        self._told |= told
        self._drawn += PICTURES
        seeds = [record.seed for record in self._book.pictures_of(job)]
        row.lost += not {*range(seed, seed + PICTURES)} <= {*seeds}
        row.twice += len(seeds) - len({*seeds})
        files = set(self._outputs.rglob("*.png")) - set((self._outputs / INPUTS).rglob("*"))
        row.twice += max(0, len(files) - self._drawn)
        row.missing += sum(not path.is_file() for path in self._told) + max(0, self._drawn - len(files))

    # ------------------------------------------------------------------------------------------ the faults

    def _fault(self, fault: str, job: str) -> None:
        if fault == "head":
            for process in _processes(lambda words: "gcs_server" in words[0] and f"{NET}.1" in " ".join(words)):
                os.kill(process, signal.SIGKILL)
            return
        self._struck = self._of(job)
        if fault == "cable":
            self._cables.plug(self._struck, False)
            return
        for process in _processes(lambda words: words[0].startswith("ray::Actor")):
            if os.stat(f"/proc/{process}/ns/net").st_ino == os.stat(f"/run/netns/atelier{self._struck}").st_ino:
                os.kill(process, signal.SIGKILL)

    def _of(self, job: str) -> int:
        """Which computer draws it."""
        live = self._worker.live(job)
        hand = next((hand for hand in self._worker.hands if live and hand.live is live), None)
        return {"cellar": 2, "kitchen": 3}[hand.machine] if hand else 2

    def _mend(self, fault: str, began: float) -> None:
        if fault == "cable":
            time.sleep(max(0.0, OUT - (time.monotonic() - began)))
            self._cables.plug(self._struck, True)
            time.sleep(OUT)  # a computer that was not missed yet is told now that it was


def _processes(matches: Callable[[list[str]], bool]) -> list[int]:
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if words[0] and matches(words):
            found.append(int(path.parent.name))
    return found


def _ip(*what: str) -> None:
    subprocess.run([IP, *what], check=True)


if __name__ == "__main__":
    sys.exit(main())
