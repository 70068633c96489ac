"""A studio with what others keep for themselves, and a guest of every role who wants it: by a link to the studio, to a board, by none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from pipelines.people.roles import LINKED, RANK, Role
from tests.support.doors import Answer, RunningDoor, running_door
from tests.support.toys import png
from ui.door.body_guard import FILE_ROUTES
from ui.routes.addresses import Address

OWNER = {"Cookie": "atelier_user=" + "o" * 22}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SECRET = "zanzibar"  # stands in all that others keep for themselves
FOR_ALL = "quagga"  # in all that is shared with who came by a link to the studio, and not with who came by one to another board
COMMON = "wombat"  # in both, to search for: what is searched for is said back
SMALL = {"steps": 1, "width": 64, "height": 64}
STRANGER, STUDIO, BOARD = "a stranger", "by a link to the studio", "by a link to a board"
WAYS = [STRANGER, *(f"{role} {way}" for way in (STUDIO, BOARD) for role in LINKED)]
ACTIONS = {
    "board_id": ("rename", "delete", "restore", "share", "desk", "add", "remove"),
    "": ("rate", "favourite", "hide", "note", "delete", "restore"),
}  # what is done to what the address names before; "": to pictures
RUN, FUNCTION = "/gradio_api/run/predict", "/gradio_api/component_server"
APART = ("/join/{token}", "/login", "/logout")  # ways in and out: they have tests of their own


@dataclass
class Guest:
    """Somebody who came, or did not: what their browser sends each time."""

    name: str
    role: Role
    headers: dict[str, str]
    token: str = ""  # of the link
    link: str = ""  # its id

    @property
    def draws(self) -> bool:
        return RANK[self.role] >= RANK["artist"]

    @property
    def of_a_board(self) -> bool:
        return self.name.endswith(BOARD)

    @property
    def unseen(self) -> list[str]:
        """Words that stand in nothing that this guest may see."""
        return [SECRET, FOR_ALL] if self.of_a_board or self.role == "anyone" else [SECRET]

    @property
    def shut(self) -> int:
        """The status of what this one may not."""
        return 401 if self.role == "anyone" else 403

    def answered(self, least: Role, status: int) -> int:
        """The status that this guest is to see where who may sees `status`."""
        return status if RANK[self.role] >= RANK[least] else self.shut


@dataclass
class House:
    """A running studio. `kept`: ids of others' things by the names that addresses have for them; `shared`: those of a board that is shared
    with everybody but who came by a link to another one.
    """

    door: RunningDoor
    canary: Path
    other: Guest = field(default_factory=lambda: Guest("", "anyone", {}))
    guests: dict[str, Guest] = field(default_factory=dict[str, Guest])
    kept: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    shared: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])  # of the page, each with its body
    own: str = ""  # the board that links to a board show
    shown: str = ""  # the picture on it

    def lan(self, **more: str) -> dict[str, str]:
        return {"Host": f"lan.test:{self.door.port}"} | more

    def post(self, path: str, value: Any, who: Mapping[str, str] = OWNER) -> Any:
        answer = self.door.post_json(path, value, dict(who))
        assert answer.status == 200, (path, answer.text)
        return answer.json()

    def get(self, path: str, who: Mapping[str, str] = OWNER) -> Any:
        return self.door.ask("GET", path, headers=dict(who)).json()

    def come(self, role: Role, name: str, board: str = "", **order: Any) -> Guest:
        """Somebody comes by a new link."""
        made = self.post("/people/links", {"role": role, "board": board, "name": f"{SECRET} {name}", **order})
        token = made["address"].rpartition("/")[2]
        entered = self.door.ask("POST", "/login", urlencode({"name": name}), self.lan(Cookie=f"atelier_link={token}") | FORM)
        assert entered.status == 303, entered.text
        return Guest(name, role, self.lan(Cookie=f"atelier_user={entered.cookies['atelier_user']}"), token, made["id"])

    def draw(self, words: str, who: Mapping[str, str] = OWNER) -> str:
        """The id of the picture."""
        outcome, said = self.door.run({"prompt": words} | SMALL, dict(who))
        assert outcome == "complete", said
        return self.door.finish(said[0], dict(who))["pictures"][0]["id"]

    def board(self, name: str, pictures: list[str], who: Mapping[str, str] = OWNER) -> str:
        made = self.post("/library/boards", {"name": name}, who)["id"]
        self.post(f"/library/boards/{made}/add", {"ids": pictures}, who)
        return made

    def upload(self, path: str, data: bytes, who: Mapping[str, str]) -> Answer:
        return self.door.ask("POST", path, data, dict(who) | {"Content-Type": "application/octet-stream"})

    def secrets_of(self, guest: Guest) -> dict[str, list[str]]:
        """Ids of what this guest may not see."""
        hidden = self.shared if FOR_ALL in guest.unseen else {}
        return {name: [*ids, *hidden.get(name, [])] for name, ids in self.kept.items()}

    def seen_by_others(self) -> str:
        """All that the owner and the other guest see of their own things, apart from what moves by itself."""
        paths = [f"/library/pictures/{each}" for each in (*self.kept["picture_id"], *self.shared["picture_id"])]
        paths += [f"/picture/{each}/comments" for each in self.kept["picture_id"]]
        paths += [
            "/library",
            "/library/boards",
            "/library/bin",
            "/queue?wait=0",
            "/finishes",
            "/presets",
            "/grids",
            "/people",
            "/folders",
            "/signing",
        ]
        told = [self.get(path, who) for path, who in product(paths, (OWNER, self.other.headers))]
        return re.sub(r'"(version|seen|library|here|browsers|seconds|starts_in|ahead)": [^,}]+', "", json.dumps(told))


@contextmanager
def running_house(folder: Path) -> Iterator[House]:
    """With everybody in, and things of others to look for."""
    with running_door(folder, "ui:page", hosts="lan.test", guests=False) as door:
        house = House(door, folder / "canary.png")
        house.canary.write_bytes(png((201, 17, 93), 8) + SECRET.encode())
        for each in ("cwd", "home", "tmp", "outputs", "outputs/.uploads"):
            (folder / each / "canary.txt").write_text(SECRET)
        (folder / "outputs" / "canary.html").write_text(f"<script>{SECRET}</script>")
        house.calls = _calls(house.get("/config"))
        _furnish(house)
        _invite(house)
        yield house


def _calls(config: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every handler and every function of components of the page."""
    base = {"session_hash": "s"}
    found = [(RUN, base | {"fn_index": each["id"], "data": [None] * len(each["inputs"])}) for each in config["dependencies"]]
    served = ((part["id"], name) for part in config["components"] for name in part["props"].get("server_fns") or [])
    return found + [(FUNCTION, base | {"component_id": number, "fn_name": name}) for number, name in served]


def _invite(house: House) -> None:
    house.shown = house.draw("a blue ball")
    house.own = house.board("Sea", [house.shown])
    house.guests[STRANGER] = Guest(STRANGER, "anyone", house.lan())
    for way, role in product((STUDIO, BOARD), LINKED):
        came = house.come(role, f"{role} {way}", house.own if way == BOARD else "")
        house.guests[came.name] = came


def _furnish(house: House) -> None:
    """Of everything that has an id there is one of the owner's or of another guest's."""
    house.other = other = house.come("artist", f"{SECRET} Zoe")
    theirs, hers = house.draw(f"{COMMON} {SECRET} land"), house.draw(f"{COMMON} {SECRET} sky", other.headers)
    for picture, who in ((theirs, OWNER), (hers, other.headers)):
        house.post("/library/pictures/note", {"ids": [picture], "note": f"{SECRET} note"}, who)
    boards = [house.board(f"{COMMON} {SECRET}", [theirs]), house.board(f"{SECRET} hers", [hers], other.headers)]
    house.post("/queue/pause", {"paused": True}, other.headers)
    waits = house.door.run({"prompt": f"{SECRET} waits"} | SMALL, other.headers)[1][0]
    seen = house.draw(f"{COMMON} {FOR_ALL}")
    open_board = house.board(FOR_ALL, [seen])
    house.post(f"/library/boards/{open_board}/share", {"on": True})
    house.kept = {
        "picture_id": [theirs, hers],
        "board_id": boards,
        "job_id": [waits],
        "comment_id": [house.post(f"/picture/{each}/comments", {"text": f"{SECRET} said"}, who)["id"]
                       for each, who in ((theirs, OWNER), (hers, other.headers))],
        "zip_id": [house.post("/library/zip", {"ids": [hers]}, other.headers)["id"]],
        "preset_id": [house.post("/presets", {"name": f"{SECRET} preset", "prompt": SECRET}, other.headers)["id"]],
        "grid_id": [house.post("/grids", {"kind": "txt2img", "values": {"prompt": f"{SECRET} grid"} | SMALL,
                                          "axes": [{"name": "seed", "typed": "1, 2"}]}, other.headers)["id"]],
        "finish": [house.post("/finishes", {"name": f"{SECRET} finish", "steps": [ENLARGE]}, other.headers)["id"]],
        "input": [house.upload("/input?as=picture", png((9, 9, 9), 64), other.headers).json()["id"]],
        "upload": [house.door.upload("mine.png", png((8, 8, 8), 16), other.headers).json()[0]],
        "link_id": [other.link],
        "person": [str(_number_of(house, other))],
    }  # fmt: skip
    house.shared = {"picture_id": [seen], "board_id": [open_board], "comment_id": [
        house.post(f"/picture/{seen}/comments", {"text": FOR_ALL})["id"]]}  # fmt: skip


# What of a picture an address names besides its id.
PARTS = {"leg": ["0"], "step": ["1"], "part": ["latents", "words"], "name": ["x"]}
ENLARGE = {"request": {"kind": "enlarge", "factor": 2.0}, "own": False, "keep": True}


def _number_of(house: House, guest: Guest) -> int:
    rows = house.get("/people")["links"]
    return next(each["people"][0]["person"] for each in rows if each["id"] == guest.link)


def addresses_of(table: list[Address], ids: Mapping[str, list[str]]) -> Iterator[tuple[str, str, Role]]:
    """Every address of the studio, with the ids of somebody's things in it: method, path and the least role. A name in an address of which
    `ids` has none is a mistake, apart from those of models and examples, which are everybody's.
    """
    known = dict(ids) | {"model_id": ["x"], "checkpoint_id": ["x"], "number": ["1"]} | PARTS
    for method, path, least, _ in table:
        if path in APART:
            continue
        names = re.findall(r"{(\w+)(?::int)?}", path)
        ways = [ACTIONS["board_id" if "board_id" in names else ""] if name == "action" else known[name] for name in names]
        for filled in product(*ways):
            said = iter(filled)
            yield method, re.sub(r"{[^}]+}", lambda _, said=said: quote(next(said)), path), least


def order_with(ids: Mapping[str, list[str]]) -> dict[str, Any]:
    """A body that names them under every name that an order has for one."""
    picture, job, board = ids["picture_id"], ids["job_id"], ids["board_id"]
    return {
        "ids": picture, "id": picture[0], "picture": picture[0], "image": picture[-1], "job": job[0], "jobs": job, "before": job[0],
        "board": board[0], "parent": ids["comment_id"][0], "rating": 5, "favourite": True, "hidden": True, "note": "x", "on": True,
        "name": "x", "text": "", "settled": True, "held": True, "whole": True, "paused": True, "lane": "now", "role": "owner", "follows": 1,
        "user": "o" * 22, "owner": True, "hours": 1, "query": f"like:{picture[0]}", "once": "x", "to": "", "of": 1, "kind": "txt2img",
    }  # fmt: skip


def asked(house: House, method: str, path: str, order: object, who: Mapping[str, str]) -> Answer:
    """An address is asked; one that takes files is sent a text."""
    if method == "GET":
        return house.door.ask("GET", path + ("&" if "?" in path else "?") + "wait=0", headers=dict(who))
    if path in FILE_ROUTES:
        return house.upload(path, json.dumps(order).encode(), who)
    return house.door.post_json(path, order, dict(who))


def holds(answer: Answer, *words: str) -> bool:
    """Whether an answer has one of these words, in its body or its headers."""
    return any(word.encode(code) in answer.body or word in str(answer.headers) for word in words for code in ("utf-8", "utf-16-be"))
