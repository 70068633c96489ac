"""How the studio comes into the cluster that `--ray` names, and what of its own computer it leaves to it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from models.errors import UserError
from pipelines.cluster.node import PORT, is_reached, split
from pipelines.cluster.probe import looked_at
from pipelines.cluster.secret import FOLDER, given_token, own_token
from pipelines.cluster.told import Entry

LOCAL = "local"
NO_RAY = "Ray is not installed here. Start by “python run.py”, with all that stood behind it, which fetches it."
NO_SYSTEM = "Ray joins computers with Linux. On this one Atelier draws by itself: start it by “python run.py”."


def entry_of(
    asked: str,
    outputs: Path,
    token_file: Path | None,
    without_token: bool,
    own: Sequence[str],
) -> Entry:
    """`asked`: what stands behind `--ray`. `own`: addresses of this computer, the likeliest first.

    Raises `UserError` where the cluster may not be come into.
    """
    check_system()
    begun = asked.partition(":")[0] == LOCAL
    token = "" if without_token else str(given_token(token_file or own_token(outputs)))
    folder = outputs / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if begun:
        _, port = split(f"{LOCAL}:{asked.partition(':')[2] or PORT}")
        return Entry(f"{own[0] if own else '127.0.0.1'}:{port}", True, token, str(folder))
    host, port = split(asked)
    address = f"{host}:{port}"
    if is_reached(address):  # else it is waited for
        looked_at(address, token)
    return Entry(address, False, token, str(folder))


def check_system() -> None:
    """Raises `UserError` where this computer cannot be in a cluster."""
    if platform.system() != "Linux":
        raise UserError(NO_SYSTEM)
    if find_spec("ray") is None:
        raise UserError(NO_RAY)
