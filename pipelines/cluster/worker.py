"""This computer draws for a studio elsewhere: `python run.py worker --ray ADDRESS`, until Ctrl+C."""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

from models.errors import UserError
from pipelines.cluster.entry import check_system
from pipelines.cluster.home import KEPT, OWN_FOLDER, OWN_MODELS
from pipelines.cluster.node import PORT, is_reached, member
from pipelines.cluster.probe import NotThere, check_code, looked_at
from pipelines.cluster.secret import given_token, own_token
from pipelines.cluster.told import HERE

TRIES = 3.0  # seconds between tries to find the studio
JOINS = 5.0  # seconds after which a node that has not ended is one
DRAWS = "This computer draws for the studio at {}. Press Ctrl+C here to end it."
WAITS = "No studio answers at {} yet. This computer joins as soon as one does; check the address if you expect one there."
GONE = "The studio has gone, or cannot be reached. This computer waits for it."
NOT_JOINED = "This computer could not join, and tries again. Ray says: {}"
NO_ROOM = "This computer cannot write what it needs to join ({}). Make room on its disk, then start again."
NO_MODELS = "There is no folder {}. Name one that is there behind --models-dir, or leave that away: what is needed is sent."
NOT_KEPT = "What the studio sends cannot be kept in {} ({}). Make room there, or name another folder with --folder."
NO_FILE = (
    "The studio's token is needed: the file .ray/token in its folder of pictures, which its start names. Copy it to this computer, make it "
    "yours alone (chmod 600), and name it with --token-file."
)


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(0))
    try:
        check_system()
        token = token_of(options)
        os.environ |= folders_of(options)
        with tempfile.TemporaryDirectory(prefix="atelier-log-") as folder:
            draw(options.ray, token, Path(folder) / "node.log")
    except UserError as error:
        print(f"\n{error}\n", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\n{NO_ROOM.format(error.strerror)}\n", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThis computer draws for the studio no more.")
    return 0


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="python run.py worker", description="Draws for a studio on another computer.")
    result.add_argument("--ray", required=True, metavar="ADDRESS", help=f"of the studio's cluster, as 192.168.1.20:{PORT}")
    result.add_argument("--token-file", type=Path, metavar="FILE", help="the token of the cluster, copied from the studio's computer")
    result.add_argument("--models-dir", type=Path, action="append", default=[], metavar="FOLDER", help="a folder of models; may repeat")
    folder = "where what the studio sends is kept; outputs/.for-others, in this folder of Atelier, if none is given"
    result.add_argument("--folder", type=Path, default=KEPT, metavar="FOLDER", help=folder)
    without = "join a cluster that asks for no token: anybody in its network can run programs on this computer then"
    result.add_argument("--ray-without-token", action="store_true", help=without)
    return result


def token_of(options: argparse.Namespace) -> str:
    """The token's file; "" where none is wanted. Raises `UserError`."""
    if options.ray_without_token:
        return ""
    own = HERE / "outputs" / ".ray" / "token"  # where the studio of this very folder has it
    if options.token_file is None and not own.exists():
        raise UserError(NO_FILE)
    return str(given_token(options.token_file or own_token(HERE / "outputs")))


def folders_of(options: argparse.Namespace) -> dict[str, str]:
    """Of this computer, as what draws here reads them. Raises `UserError` for one that is not there, or cannot be written."""
    models, kept = [each.expanduser().resolve() for each in options.models_dir], options.folder.expanduser().resolve()
    for folder in models:
        if not folder.is_dir():
            raise UserError(NO_MODELS.format(folder))
    try:
        kept.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=kept).close()
    except OSError as error:
        raise UserError(NOT_KEPT.format(kept, error.strerror)) from error
    return {OWN_FOLDER: str(kept), OWN_MODELS: os.pathsep.join(map(str, models))}


def draw(address: str, token: str, log: Path) -> None:
    """Joins, and joins again whenever the studio was away. Raises `UserError` where it may not."""
    while True:
        check_code(address, labels_at(address, token))
        joined = member(address, token, log)
        try:
            if joined.wait(JOINS):
                print(NOT_JOINED.format(said_last(log)), flush=True)
            else:
                print(DRAWS.format(address), flush=True)
                joined.wait()
                print(GONE, flush=True)
        finally:
            joined.close()
        time.sleep(TRIES)


def labels_at(address: str, token: str) -> list[dict[str, object]]:
    """Of all nodes, as soon as a cluster is there. Raises `UserError` where it may not be joined."""
    said = ""
    while True:
        wait_for(address)
        try:
            return looked_at(address, token)
        except NotThere as error:
            if str(error) != said:
                print(said := str(error), flush=True)
        time.sleep(TRIES)


def said_last(log: Path) -> str:
    """What Ray had to say in the end, without its times and places."""
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    return re.sub(r"^.*? -- ", "", lines[-1]) if lines else "nothing"


def wait_for(address: str) -> None:
    if is_reached(address):
        return
    print(WAITS.format(address), flush=True)
    while not is_reached(address):
        time.sleep(TRIES)


if __name__ == "__main__":
    sys.exit(main())
