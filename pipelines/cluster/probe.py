"""Looks at a cluster from outside, in a process of its own: `python -m pipelines.cluster.probe ADDRESS`. One line of JSON."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from importlib import import_module
from typing import Any

from models.errors import UserError
from models.json_values import is_row, table
from pipelines.cluster.node import is_reached, surroundings
from pipelines.cluster.told import CODE, HERE, STUDIO, code

NO_ANSWER = "Nothing answers at {}. Is Atelier running there with --ray local, and do both computers let each other through?"
NO_CLUSTER = "What answers at {} is no cluster, or not one yet. Its address is what the studio says at its start; its page has another one."
NO_TOKEN = "The cluster wants another token. Copy the file from the computer of the studio anew, and name it with --token-file."
OPEN = (
    "This cluster asks for no token, so anybody in its network could run programs on this computer. Begin it with "
    "RAY_AUTH_MODE=token, or join it as it is with --ray-without-token."
)
OTHER_CODE = "The studio at {} has another version of Atelier than this computer. Bring both to the same one, then start again."
PATIENCE = 60.0  # seconds


class NotThere(UserError):
    """There may be a cluster later."""


def main() -> None:
    """Says the labels of all nodes, or that it may not know them."""
    raylet: Any = import_module("ray._raylet")  # Any: an optional package, which the checker does not see
    refused: Any = import_module("ray.exceptions").AuthenticationError  # Any: as above
    try:
        nodes = raylet.GcsClient(address=sys.argv[1]).get_all_node_info(timeout=10)
        print(json.dumps({"labels": [dict(node.labels) for node in nodes.values() if node.state == 0]}))
    except refused:
        print(json.dumps({"refused": True}))


def looked_at(address: str, token: str) -> list[dict[str, object]]:
    """The labels of all nodes. `token`: its file, or "" where none is meant to be asked for. Raises `UserError`."""
    if not is_reached(address):
        raise NotThere(NO_ANSWER.format(address))
    if token and "labels" in _said(address, {**surroundings(""), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}):
        raise UserError(OPEN)
    said = _said(address, surroundings(token))
    rows = said.get("labels")
    if said.get("refused"):
        raise UserError(NO_TOKEN)
    if not is_row(rows):
        raise NotThere(NO_CLUSTER.format(address))
    return [table(row) for row in rows]


def check_code(address: str, labels: list[dict[str, object]]) -> None:
    """Raises `UserError` where a studio is there that is another."""
    if any(STUDIO in each and each.get(CODE) != code() for each in labels):
        raise UserError(OTHER_CODE.format(address))


def _said(address: str, env: dict[str, str]) -> dict[str, object]:
    command = [sys.executable, "-m", "pipelines.cluster.probe", address]
    try:
        said = subprocess.run(command, env=env, cwd=HERE, capture_output=True, text=True, timeout=PATIENCE, check=False).stdout
        return table(json.loads(said.splitlines()[-1])) if said.strip() else {}
    except (subprocess.TimeoutExpired, ValueError):
        return {}


if __name__ == "__main__":
    main()
