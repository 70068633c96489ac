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
from pipelines.cluster.home import KEPT, OWN_FOLDER, OWN_MODELS
from pipelines.cluster.node import PORT, is_reached, member
from pipelines.cluster.probe import check_code, looked_at
from pipelines.cluster.secret import given_token, own_token
from pipelines.cluster.told import HERE

TRIES = 3.0  # seconds between tries to find the studio
JOINS = 5.0  # seconds after which a node that has not ended is one
DRAWS = "This computer draws for the studio at {}. Press Ctrl+C here to end it."
WAITS = "No studio answers at {} yet. This computer joins as soon as one does; check the address if you expect one there."
GONE = "The studio has gone, or cannot be reached. This computer waits for it."
NOT_JOINED = "This computer could not join, and tries again. Ray says: {}"
NO_FILE = (
    "The studio's token is needed: the file .ray/token in its folder of pictures, which its start names. Copy it to this computer, make it "
    "yours alone (chmod 600), and name it with --token-file."
)


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(0))
    try:
        token = token_of(options)
        os.environ[OWN_FOLDER] = str(options.folder.expanduser().resolve())
        os.environ[OWN_MODELS] = os.pathsep.join(str(each.expanduser().resolve()) for each in options.models_dir)
        with tempfile.TemporaryDirectory(prefix="atelier-log-") as folder:
            draw(options.ray, token, Path(folder) / "node.log")
    except UserError as error:
        print(f"\n{error}\n", file=sys.stderr)
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


def draw(address: str, token: str, log: Path) -> None:
    """Joins, and joins again whenever the studio was away. Raises `UserError` where it may not."""
    while True:
        wait_for(address)
        check_code(address, looked_at(address, token))
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
