"""Checks: what any picture file says of how it came to be, in plain words, and what of that is proven. Nothing of it is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from models.errors import UserError
from pipelines.credentials.judged import Credential, judged
from pipelines.gallery.formats import FORMATS
from pipelines.images.source_type import SAYS, source_in
from pipelines.metadata.picture_settings import Reading, of_texts
from pipelines.metadata.picture_texts import look
from pipelines.services.answers import CheckedFact, CheckNews
from pipelines.services.reading_news import shown_value, sound

AT_ONCE = 2  # files that are looked at at the same time
MIMES = {found.says.upper(): found.mime for found in FORMATS.values()}
BASIC = ("negative_prompt", "steps", "sampler", "guidance_scale", "seed", "width", "height")  # fields that people look for first
LONGEST = 2_000  # characters of a value
NO_LABEL = "It carries no label that says how it came to be."
NO_CREDENTIAL = "It carries no content credential, so nothing in it is signed."
UNREAD = (
    "It carries a content credential. To see whether the signature holds, the owner of this studio adds one package: "
    "see “Content credentials” in the guide."
)
BROKEN = (
    "Its content credential does not hold: the picture was changed after it was signed, or the signature is damaged. "
    "Nothing that it says can be believed."
)
OURS = "Its content credential holds: this installation signed it, and nothing was changed since."


class Checks:
    """Safe to call from any thread."""

    def __init__(self, anchors: Callable[[], str] = str) -> None:
        """`anchors`: the certificates, in PEM, by which this installation knows what it signed."""
        self._anchors = anchors
        self._turn = threading.Semaphore(AT_ONCE)

    def of(self, data: bytes) -> CheckNews:
        """Raises `UserError` for what is no picture."""
        with self._turn:
            looked, label = look(data), source_in(data)
            reading, note = _read(looked.texts, looked.size)
            credential = judged(data, MIMES[looked.format], self._anchors())
        return {
            "format": looked.format,
            "width": looked.size[0],
            "height": looked.size[1],
            "verdict": _verdict(label, reading, credential),
            "label": SAYS.get(label, NO_LABEL),
            "labelled": bool(label),
            "program": sound(" ".join(filter(None, (reading.program or "An unknown program", reading.version)))) if reading else "",
            "prompt": sound(reading.request.words[:LONGEST]) if reading else "",
            "facts": list(_facts(reading)) if reading else [],
            "note": sound(note),
            "credential": credential.state,
            "ours": credential.ours,
            "signed": sound(_signed(credential)),
        }


def _read(texts: dict[str, str], size: tuple[int, int]) -> tuple[Reading | None, str]:
    """What was read, or why nothing was."""
    try:
        return of_texts(texts, size), ""
    except UserError as error:
        return None, str(error)


def _verdict(label: str, reading: Reading | None, credential: Credential) -> str:
    if credential.state == "broken":
        return "It was changed after it was signed"
    if credential.ours:
        return "This studio made it"
    if label:
        return {"trained": "It says that AI made it", "composi": "It says that AI drew on it"}.get(
            label[:7], "It says that it was enlarged"
        )
    return f"It has settings of {reading.program or 'a studio'}" if reading else "It says nothing of its making"


def _facts(reading: Reading) -> Iterator[CheckedFact]:
    if model := reading.made_with.get("Model"):
        yield {"title": "Model", "shown": sound(model[:LONGEST])}
    declared = type(reading.request).__dataclass_fields__
    for name in BASIC:
        if name in reading.told and (shown := shown_value(getattr(reading.request, name, ""))):
            yield {"title": declared[name].metadata["title"], "shown": sound(shown[:LONGEST])}


def _signed(credential: Credential) -> str:
    match credential.state:
        case "none":
            return NO_CREDENTIAL
        case "unread":
            return UNREAD
        case "broken":
            return BROKEN
        case "holds":
            states = "state" if credential.before == 1 else "states"
            before = f" It tells of {credential.before} earlier {states} of the picture, too." if credential.before else ""
            return (OURS if credential.ours else _another(credential)) + before


def _another(credential: Credential) -> str:
    by = f"“{credential.signer}”" if credential.signer else "somebody"
    tool = f" with “{credential.tool}”" if credential.tool else ""
    return f"Its content credential holds: nothing was changed since {by} signed it{tool}. Who is behind that name this studio cannot tell."
