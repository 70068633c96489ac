"""Roles, the one table: who there is, from the least to the most, and the one thing that each may do besides what those before it may.

    anyone       comes to the door                                       viewer      looks at what is shared, and at what is one's own
    commenter    says something about a picture                          artist      draws, puts pictures in, sorts one's own
    co-owner     makes links for less, and cares for who comes by them   owner       the machine, its models, everybody's queue

Every handler of the page and every address asks for the least role that it serves (`ui/door/roles.py`, `ui/routes/addresses.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeGuard, get_args

Role = Literal["anyone", "viewer", "commenter", "artist", "co-owner", "owner"]
ROLES: tuple[Role, ...] = get_args(Role)
RANK: Mapping[Role, int] = {role: rank for rank, role in enumerate(ROLES)}
ADDS: Mapping[Role, str] = {
    "anyone": "enter", "viewer": "look", "commenter": "comment", "artist": "draw", "co-owner": "share", "owner": "own",
}  # fmt: skip
LINKED: tuple[Role, ...] = ("viewer", "commenter", "artist", "co-owner")  # what a link may make somebody
REFUSALS: Mapping[Role, str] = {
    "anyone": "",
    "viewer": "Come in first: open the link that you were given, or log in.",
    "commenter": "Your link lets you look here, not say something. Ask who gave it to you for another one.",
    "artist": "Your link lets you look here, not draw. Ask who gave it to you for one that lets you draw.",
    "co-owner": "Only the owner of this studio, and who owns it with them, can do that.",
    "owner": "Only the owner of this studio can do that.",
}


def admits(least: Role, who: Role) -> bool:
    """Whether what asks for the role `least` is open to `who`."""
    return RANK[who] >= RANK[least]


def may(who: Role) -> list[str]:
    """All that somebody of this role may do."""
    return [ADDS[role] for role in ROLES if admits(role, who)]


def only(least: Role) -> str:
    """What somebody is told who may not."""
    return REFUSALS[least]


def lesser(one: Role, other: Role) -> Role:
    return min(one, other, key=lambda role: RANK[role])


def is_role(value: object) -> TypeGuard[Role]:
    return value in ROLES
