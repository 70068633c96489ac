"""The tables of docs/who-may-what.md: every address and every handler of the page in words, with the roles that it serves.

.venv/bin/python -m docs.who_may
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipelines.people.roles import ROLES, Role, admits
from tests.support.toys import toy_studio
from ui import page
from ui.door.gradio_part import UPLOAD, UPLOADS
from ui.door.login import LoginRoutes
from ui.door.reach import Reach
from ui.door.roles import callables, declared
from ui.routes.addresses import addresses

PAGE = Path(__file__).parent / "who-may-what.md"
Acts = tuple[tuple[str, str], ...]  # what is done, and where: addresses, and handlers as `module.function`, with spaces between
ROOMS: tuple[tuple[str, Acts], ...] = (
    ("Coming in", (
        ("Open a link, say a name, log in by the password", "GET/join/{token} GET/login POST/login"),
        ("Read what the browser's warning means, fetch the certificate", "GET/certificate GET/certificate/studio.crt"),
        ("See that the studio answers, and nothing of it", "GET/healthz"),
        ("Go out again", "POST/logout"),
        ("Come in on another device as the same person", "POST/people/move"),
    )),
    ("Pictures and boards", (
        ("See pictures, large and small, search and sort them, see boards and the bin",
         "GET/picture/{picture_id}.png GET/thumb/{picture_id} GET/library POST/library GET/library/headings POST/library/headings "
         "GET/library/offers GET/library/boards GET/library/bin GET/library/pictures/{picture_id}"),
        ("Read how a picture was made, walk its lineage, compare pictures",
         "GET/picture/{picture_id}/details GET/picture/{picture_id}/lineage GET/compare"),
        ("See a picture's steps, one by one or as a film",
         "GET/picture/{picture_id}/steps GET/picture/{picture_id}/steps/{leg:int}/{step:int}.jpg GET/picture/{picture_id}/steps.webp"),
        ("See a clip frame by frame, and play it in the library",
         "GET/picture/{picture_id}/frames/{number:int}.jpg GET/picture/{picture_id}/frames/{number:int}.png GET/thumb/{picture_id}/moving"),
        ("Branch from a step of a picture, keep a step as a picture",
         "POST/picture/{picture_id}/steps/branch POST/picture/{picture_id}/steps/keep"),
        ("Look inside a picture: see what was worked out of it, stop what one began",
         "GET/inside/{picture_id} GET/inside/{picture_id}/{part} GET/inside/{picture_id}/{part}/{name} POST/inside/stop"),
        ("Have something worked out of a picture, to look inside it", "POST/inside/{picture_id}/{part}"),
        ("Download them, alone or as a ZIP", "POST/library/zip GET/library/zip/{zip_id}"),
        ("See a picture that the safety checker has blurred, after a press", "POST/picture/{picture_id}/reveal"),
        ("Check any file for what it says of its making", "POST/check"),
        ("Stars, hearts, notes, hidden settings, the bin and back", "POST/library/pictures/{action}"),
        ("Empty the bin", "POST/library/bin/empty"),
        ("Make boards, share them, draw onto them, put pictures on them", "POST/library/boards POST/library/boards/{board_id}/{action}"),
    )),
    ("Together", (
        ("See who is at a board, what forms there, what they have open; follow them", "GET/together/{board_id} POST/together/{board_id}"),
        ("Read comments", "GET/picture/{picture_id}/comments"),
        ("Comment on a picture or a spot of it, answer, settle a thread",
         "POST/picture/{picture_id}/comments POST/comments/{comment_id}/settle"),
        ("Take back a comment", "POST/comments/{comment_id}/delete"),
        ("Fill a form with somebody's settings", "send.send send.send_map"),
    )),
    ("Drawing", (
        ("See the page: forms, models that there are, notes under a prompt, sizes and plans",
         "canvas.fit canvas.plan choices.lists choices.refresh control_units.fit control_units.preprocessors depth_driver.reading "
         "depth_map.estimators detailers.detectors sections.about guiding.cost turn_dial.seen library.details library.devices "
         "library.listed picture_list.owns reading.owns stage.attach stage.count stage.kept stage.last_seed stage.use_seed send.example "
         "POST/tokens GET/cards/{model_id}/picture GET/example/{checkpoint_id}/{number:int}"),
        ("Generate", "stage.generate"),
        ("Put pictures in, masks and depth maps; paint on them; have details and maps found",
         f"POST/input POST{UPLOAD} canvas.adopt control_units.preview depth_driver.drive depth_map.estimate detailers.find "
         "POST/depth/view"),
        ("See what one has put in", "GET/input/{picture_id}.png"),
        ("Read settings of files and texts into a form", "POST/reading send.read"),
        ("Presets, finishes, completion, the prompts of before",
         "GET/presets POST/presets POST/presets/delete POST/presets/parts POST/presets/one POST/presets/look POST/presets/file "
         "GET/presets/file POST/presets/picture GET/presets/{preset_id}/picture presets.fill GET/finishes POST/finishes "
         "POST/finishes/delete POST/finishes/step POST/finishes/plan POST/finishes/apply finish.fill POST/complete GET/prompts"),
        ("Grids: say what varies, begin them, go on with them, look at a cell first",
         "POST/grids POST/grids/ways POST/grids/axes POST/grids/plan POST/grids/{grid_id}/go-on POST/grids/{grid_id}/change "
         "POST/grids/{grid_id}/again POST/grids/{grid_id}/look"),
        ("See one's own grids, stop them, take them away, keep them as a picture or a page",
         "GET/grids GET/grids/{grid_id} GET/grids/{grid_id}/sheet.png GET/grids/{grid_id}/page.html "
         "POST/grids/{grid_id}/stop POST/grids/{grid_id}/remove"),
        ("Have folders looked through for new models", "library.rescan"),
    )),
    ("Jobs", (
        ("See one's own jobs, how they form, and how long the queue is", "GET/current GET/live/{job_id} GET/queue"),
        ("Stop, skip, cancel and pause one's own", "POST/jobs/{job_id}/stop POST/jobs/{job_id}/skip POST/queue/cancel POST/queue/pause "
         "POST/queue/give_back"),
        ("Move, change, copy and bring them back", "POST/queue/move POST/queue/undo POST/queue/duplicate POST/queue/take "
         "POST/queue/put_back queue.fill queue.put_back queue.take"),
    )),
    ("Sharing", (
        ("Make links for less than one is, see who came by them, change them, thank, take back",
         "GET/people POST/people/links POST/people/links/{link_id}/address POST/people/links/{link_id}/change "
         "POST/people/links/{link_id}/thank POST/people/links/{link_id}/take-back"),
        ("Make one of these people less, or pause them", "POST/people/persons/{person:int}/role POST/people/persons/{person:int}/hold"),
        ("Hold all guests", "POST/people/hold"),
        ("Where the studio is reached; open and close a tunnel", "GET/reach POST/reach/tunnel POST/reach/tunnel/close"),
        ("Whether pictures that leave are signed", "GET/signing POST/signing"),
        ("How clips are kept", "GET/clips POST/clips"),
    )),
    ("The machine", (
        ("Download, convert and look through models, say what they are, give them pictures, put them out of memory; pause a device",
         "library.cancel library.convert library.download library.downloads library.hash library.override library.pause library.unload "
         "POST/cards/picture preprocessor_weights.fetch_weights preprocessor_weights.stop_weights preprocessor_weights.weights_state"),
        ("Name folders of the machine: bring pictures in, draw a folder's pictures",
         "GET/folders POST/folders POST/folders/stop POST/folders/go-on picture_list.folder"),
    )),
)  # fmt: skip
HEAD = """# Who may do what

{places}

Made of the tables by which the studio decides (`python -m docs.who_may`), and compared with them by a test. What the roles are for says
[Sharing the studio](sharing.md#what-a-role-may). *Door*: whoever finds the address and has come in by nothing yet.
"""
TAIL = """
## Whose

A role says what one may do, and never to whose things. Besides it holds, for every row above:

- Pictures are seen that are one's own, or on a board that is shared with one; by a link to a board, on that one alone. The owner sees all.
- Changed is what is one's own. A board is changed by its maker, its sharing also by the owner; who draws puts pictures of their own on a
  shared one.
- A comment is taken back by who wrote it, by whose picture it is, and by the owner.
- Jobs of others are somebody's picture, without words and preview, unless they are for a board that one has open. The owner may move,
  cancel and bring back everybody's, and pause the studio.
- Links are cared for by who made them, or came by the same link as who did; by the owner all.
- Settings that their maker hides are told to nobody else; by a link without settings, those of others neither.
- Who was made less, paused or thanked is refused by the same tables, as what they are then.
"""
LABELS: Mapping[Role, str] = {"anyone": "door"}


def found() -> dict[str, Role]:
    """Every address and every handler of the page, with the least role that it serves."""
    with tempfile.TemporaryDirectory() as name:
        studio = toy_studio(Path(name), start=False)
        table = addresses(studio, LoginRoutes(studio.people), asyncio.Event(), Reach())
        least: dict[str, Role] = {f"{method}{path}": role for method, path, role, _ in table}
        least[f"POST{UPLOAD}"] = UPLOADS
        for _, handler in callables(page(studio)):
            least[f"{handler.__module__.rpartition('.')[2]}.{handler.__name__}"] = declared(handler) or "owner"
        studio.close()
    return least


def rows(least: Mapping[str, Role]) -> Iterator[tuple[str, str, Role]]:
    """Room, act and its least role. Raises `ValueError` for an act of several roles, and for what no act or two name."""
    named = [name for _, acts in ROOMS for _, names in acts for name in names.split()]
    if sorted(named) != sorted(least):
        raise ValueError(f"named once and there: not {sorted(set(named) ^ set(least)) or 'twice'}")
    for room, acts in ROOMS:
        for act, names in acts:
            roles: set[Role] = {least[name] for name in names.split()}
            if len(roles) > 1:
                raise ValueError(f"“{act}” is open to several roles: { ({name: least[name] for name in names.split()}) }")
            [shown] = roles
            yield room, act, shown


def written() -> str:
    """The whole page."""
    acts = list(rows(found()))
    places = [room for room, _ in ROOMS] + ["Whose"]
    parts = [HEAD.format(places=" · ".join(f"[{each}](#{each.lower().replace(' ', '-')})" for each in places))]
    for room, _ in ROOMS:
        head = ["", *(LABELS.get(role, role) for role in ROLES)]
        lines = [head, ["---"] * len(head), *([act, *_open(least)] for place, act, least in acts if place == room)]
        parts.append(f"\n## {room}\n\n" + "".join("|" + "".join(f" {cell} |" if cell else " |" for cell in line) + "\n" for line in lines))
    return "".join(parts) + TAIL


def _open(least: Role) -> list[str]:
    return ["yes" if admits(least, role) else "" for role in ROLES]


if __name__ == "__main__":
    PAGE.write_text(written(), "utf-8")
