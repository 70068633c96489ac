"""A content credential, judged: whether a file has one, whether its signature holds, and who signed it.

C2PA 2.4, https://spec.c2pa.org: a signed manifest within the file, in a JUMBF box (ISO 19566-5) that PNG, JPEG, WebP and AVIF each have
a place for. What judges it is c2pa-python, an optional package (`requirements-credentials.txt`); without it a credential is found only.
"""

from __future__ import annotations

import importlib
import io
import json
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from models.json_values import listed, table

State = Literal["none", "unread", "holds", "broken"]
# The kind of a JUMBF box that holds C2PA manifests (C2PA 2.4, 11.1.4.2); no compressed pixels spell out sixteen bytes.
MANIFESTS = b"c2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71"
LONGEST = 100  # characters of a name
MOST_MANIFESTS = 1_000
NETWORK_OFF = {"remote_manifest_fetch": False, "ocsp_fetch": False}  # a file that is looked at sends nobody anywhere


@dataclass(frozen=True, slots=True)
class Credential:
    """`state`: "none", "unread" where what reads it is not installed, "holds", or "broken": the file was changed since, or damaged.

    `ours`: this installation signed it. `signer`: as the certificate says, `tool`: as the manifest does. `before`: how many manifests of
    pictures it holds that this one was made from. Of what does not hold nothing is told.
    """

    state: State
    ours: bool = False
    signer: str = ""
    tool: str = ""
    before: int = 0


def has_credential(data: bytes) -> bool:
    return MANIFESTS in data


def mime_of(data: bytes) -> str:
    """The media type of a picture file that may hold a credential, by its first bytes; that of PNG for anything else."""
    head = data[:16]
    if head[:2] == b"\xff\xd8":
        return "image/jpeg"
    if head[4:8] == b"ftyp":
        return "image/avif"
    return "image/webp" if head[8:12] == b"WEBP" else "image/png"


def judged(data: bytes, mime: str, anchors: str = "") -> Credential:
    """`anchors`: certificates, in PEM, whose signatures are this installation's. Never raises for what the file holds."""
    if not has_credential(data):
        return Credential("none")
    c2pa = library()
    if c2pa is None:
        return Credential("unread")
    try:
        with c2pa.Context(settings(c2pa, anchors)) as context, c2pa.Reader(mime, io.BytesIO(data), context=context) as reader:
            return _told(table(json.loads(reader.json())), anchors)
    except (c2pa.C2paError, ValueError) as error:
        return Credential("none" if "ManifestNotFound" in str(error) else "broken")


def settings(c2pa: ModuleType, anchors: str) -> object:
    """As the library takes them: no small versions of pictures, no network, and whom to trust."""
    trust = {"trust": {"trust_anchors": anchors}} if anchors else dict[str, object]()
    return c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": False}}, "verify": {"verify_trust": True, **NETWORK_OFF}, **trust})


def library() -> ModuleType | None:
    """c2pa-python; None where it is not installed, or not for this system."""
    try:
        return importlib.import_module("c2pa")
    except (ImportError, OSError, RuntimeError):
        return None


def _told(store: dict[str, object], anchors: str) -> Credential:
    state = store.get("validation_state")
    if state not in ("Valid", "Trusted"):
        return Credential("broken")
    manifests = table(store.get("manifests"))
    active = table(manifests.get(str(store.get("active_manifest"))))
    signed = table(active.get("signature_info"))
    tools = [str(table(tool).get("name", "")) for tool in listed(active.get("claim_generator_info"))]
    signer = str(signed.get("issuer") or signed.get("common_name") or "")
    before = min(max(len(manifests) - 1, 0), MOST_MANIFESTS)
    return Credential("holds", state == "Trusted" and bool(anchors), signer[:LONGEST], " ".join(tools)[:LONGEST], before)
