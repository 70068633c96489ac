"""The studio's process in a cluster: `python -m pipelines.cluster.bridge`. Ray ends a process that loses its cluster; the studio goes on.

Its standard input is a socket of the studio's: there it says who is in the cluster, and is told which device to open, with a further
socket for what that device is told and says. All of that goes over as it is.
"""

from __future__ import annotations

import json
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from models.errors import UserError
from models.json_values import is_table
from pipelines.cluster.by_ray import ByRay, Cluster, Far
from pipelines.cluster.node import Started, head, member, own_address, split
from pipelines.cluster.probe import looked_at
from pipelines.cluster.told import Entry, line, nodes_line

log = logging.getLogger(__name__)

LOOKS = 1.0  # seconds between looks at who is in the cluster
AT_ONCE = 2**20  # bytes of a chunk


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the studio
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    control, entry = socket.socket(fileno=0), Entry(**json.loads(sys.argv[1]))
    try:
        started = come_in(entry)
    except UserError as error:
        with suppress(OSError):
            control.sendall(line({"trouble": str(error)}))
        return
    try:
        own = split(entry.address)[0] if entry.begun else own_address(entry.address)
        serve(control, ByRay(entry.address, own), lambda: started.has_ended)
    finally:
        started.close()


def come_in(entry: Entry) -> Started:
    """Raises `UserError`."""
    log_file = Path(entry.folder) / "node.log"
    if entry.begun:
        return head(entry.address, entry.token, log_file, entry.cards, entry.draws)
    looked_at(entry.address, entry.token)
    return member(entry.address, entry.token, log_file, entry.cards, entry.draws, studio=True)


def serve(control: socket.socket, cluster: Cluster, has_ended: Callable[[], bool], looks: float = LOOKS) -> None:
    """Until the studio has gone, or this computer is no part of the cluster any more."""
    gone, told = threading.Event(), b""
    threading.Thread(target=_listen, args=(control, cluster, gone), name="asked", daemon=True).start()
    try:
        while not gone.wait(looks) and not has_ended():
            now = nodes_line(cluster.nodes())
            if now != told:
                told = now
                control.sendall(now)
    finally:
        with suppress(OSError):
            control.shutdown(socket.SHUT_RDWR)


def _listen(control: socket.socket, cluster: Cluster, gone: threading.Event) -> None:
    """A line is an order, and has one socket with it."""
    with suppress(OSError):
        while True:
            said, handles, _, _ = socket.recv_fds(control, AT_ONCE, 1)
            if not said:
                break
            order: object = json.loads(said)
            if is_table(order) and handles:
                open_one(cluster, str(order["node"]), bool(order["card"]), socket.socket(fileno=handles[0]))
    gone.set()


def open_one(cluster: Cluster, node: str, card: bool, line: socket.socket) -> None:
    """A device; what is told and said goes over `line`, until either side has ended."""
    try:
        far = cluster.begin(node, card)
    except Exception:
        log.exception("a device could not be begun")
        line.close()
        return
    threading.Thread(target=_told, args=(line, far), name="told", daemon=True).start()
    threading.Thread(target=_said, args=(line, far), name="said", daemon=True).start()


def _told(line: socket.socket, far: Far) -> None:
    try:
        while chunk := line.recv(AT_ONCE):
            far.put(chunk)
    except OSError:
        pass  # as good as an end
    finally:
        far.end()
        line.close()


def _said(line: socket.socket, far: Far) -> None:
    try:
        for chunk in far.said():
            line.sendall(chunk)
    except Exception as error:  # noqa: BLE001  whatever it is, the device is lost
        log.info("a device has gone: %s", error)
    finally:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    main()
