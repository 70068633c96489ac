"""This computer as a node of a Ray cluster: `ray start`, in a process that ends with this one."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from models.errors import UserError
from pipelines.cluster.home import OWN_THREADS, THREADS
from pipelines.cluster.told import CODE, HERE, STUDIO, code

PORT = 6379  # Ray's own
REACHED = 5.0  # seconds in which a head answers that is there
BEGINS, ENDS = 60.0, 6.0  # seconds
SESSION = "atelier-ray-"
NAME = re.compile(r"[\w.:-]*\w[\w.:-]*")  # of a computer, or its number
STORE = 256 * 2**20  # bytes of what is on its way; Ray would take a third of the memory
# Who does not answer is found to be gone after some ten seconds instead of a minute. No call home, no counting, no page of its own.
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "4",
    "RAY_worker_niceness": "0",  # a device is as good as one beside the studio
    "RAY_memory_monitor_refresh_ms": "0",  # what may lie in memory is the manager's to know
    "RAY_enable_metrics_collection": "0",
    "RAY_task_events_report_interval_ms": "0",
}

TAKEN = "No cluster can be begun at port {}: a program answers there already. Name another one with --ray local:PORT."
NOT_BEGUN = "No cluster could be begun at port {}; what Ray says of it is in .ray/node.log, in the folder of pictures."


def surroundings(token: str) -> dict[str, str]:
    """The environment of all that speaks with the cluster. `token`: its file, "" for a cluster without."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    told = {**QUIET, "PYTHONPATH": str(HERE), OWN_THREADS: os.environ.get(THREADS, "")}
    auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": token} if token else {"RAY_AUTH_MODE": "disabled"}
    return {**kept, **told, **auth}


def split(address: str) -> tuple[str, int]:
    """Host and port of what people write. Raises `UserError`."""
    host, _, port = address.removeprefix("ray://").rpartition(":") if ":" in address else (address, "", str(PORT))
    if not _is_name(host.strip("[]")) or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UserError(f"“{address}” is no address of a cluster. It looks like 192.168.1.20:{PORT}.")
    return host.strip("[]"), int(port)


def _is_name(host: str) -> bool:
    """Of parts that whoever looks names up takes."""
    with suppress(UnicodeError):
        return NAME.fullmatch(host) is not None and bool(host.encode("idna"))
    return False


def is_reached(address: str) -> bool:
    with suppress(OSError), socket.create_connection(split(address), REACHED):
        return True
    return False


def own_address(towards: str) -> str:
    """This computer's, as the other one sees it. Nothing is sent: a datagram's socket is only told where to."""
    host, port = split(towards)
    try:
        family, _, _, _, there = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(there)
            return str(probe.getsockname()[0])
    except OSError as error:
        raise UserError(f"There is no way to {host} from this computer. Check the address and the network.") from error


class Started:
    """`ray start`, which ends with what it has started when this process ends or says so."""

    def __init__(self, arguments: list[str], env: Mapping[str, str], log: Path) -> None:
        self._note = log.with_name("session")
        self._folder = fresh_session(self._note)
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", f"--temp-dir={self._folder}", *arguments]
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                command, env=env, cwd=HERE, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
                preexec_fn=_ends_with_parent if sys.platform == "linux" else None,
            )  # fmt: skip

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.has_ended

    def close(self) -> None:
        self._process.terminate()
        self.wait(ENDS)
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)  # also what it has left behind
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._note.unlink(missing_ok=True)


def fresh_session(note: Path) -> Path:
    """A folder for a session. What a kill has left of the one before, which the note names, goes."""
    before = Path(note.read_text()).name if note.exists() else ""
    if before.startswith(SESSION):
        shutil.rmtree(Path(tempfile.gettempdir()) / before, ignore_errors=True)
    found = Path(tempfile.mkdtemp(prefix=SESSION))  # short: the names of sockets have at most 107 letters
    note.write_text(found.name)
    return found


def _ends_with_parent() -> None:
    """Linux: asked to end when the process that has begun it ends, in whatever way."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def head(address: str, token: str, log: Path, cards: str, draws: bool) -> Started:
    """A cluster that begins here, at this computer's address. Raises `UserError` where it does not."""
    own, port = split(address)
    if is_reached(address):
        raise UserError(TAKEN.format(port))
    arguments = ["--head", "--include-dashboard=false", f"--port={port}", f"--node-ip-address={own}", *_common(cards, draws, studio=True)]
    begun = Started(arguments, _seeing(cards, token), log)
    end = time.monotonic() + BEGINS
    while not begun.wait(0.2) and time.monotonic() < end:
        if is_reached(address):
            return begun
    begun.close()
    raise UserError(NOT_BEGUN.format(port))


def member(address: str, token: str, log: Path, cards: str | None = None, draws: bool = True, studio: bool = False) -> Started:
    """This computer joins. `cards`: by their numbers; None for all that Ray finds."""
    arguments = [f"--address={address}", f"--node-ip-address={own_address(address)}", *_common(cards, draws, studio)]
    return Started(arguments, _seeing(cards, token), log)


def _common(cards: str | None, draws: bool, studio: bool) -> list[str]:
    labels = f"{CODE}={code()}" + f",{STUDIO}=yes" * studio
    count = [] if cards is None else [f"--num-gpus={len(cards.split(',')) if cards else 0}"]
    quiet = ["--include-log-monitor=false", "--disable-usage-stats", f"--object-store-memory={STORE}"]
    return [f"--num-cpus={int(draws)}", *count, f"--labels={labels}", *quiet]


def _seeing(cards: str | None, token: str) -> dict[str, str]:
    return surroundings(token) | ({"CUDA_VISIBLE_DEVICES": cards} if cards else {})
