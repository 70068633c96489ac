"""Signing: pictures of ours get a content credential by this installation's own chain, where the owner wants it.

    outputs/.credentials/chain.pem      key and certificates, which the owner of the folder alone can read (mode 600); made once
    outputs/.credentials/on             is there while pictures are signed

A credential says that this installation made the picture, with a model (`digitalSourceType`), and from which one, if any. It says nothing
of a person, and neither words nor settings. See C2PA 2.4, 18.15 (actions) and 18.16 (ingredients).
"""

from __future__ import annotations

import datetime
import io
import logging
import threading
from pathlib import Path

from models.errors import UserError
from pipelines.credentials.chain import Chain, keep, kept_chain, new_chain
from pipelines.credentials.judged import library, mime_of, settings
from pipelines.images.source_type import TRAINED, VOCABULARY

log = logging.getLogger(__name__)
FOLDER = ".credentials"  # beside the book
TOOL = "Atelier"
BEFORE = "What it was made from"
MISSING = "Signing needs one package more. See “Content credentials” in the guide; then start Atelier again."
UNWRITTEN = "The key cannot be kept in the outputs folder ({why}). Make room there, or allow writing, then try again."
DAMAGED = "The key in the outputs folder (.credentials/chain.pem) is damaged. Move it away, and a new one is made."


class Signing:
    """Safe to call from any thread."""

    def __init__(self, folder: Path) -> None:
        """`folder`: that of the book."""
        self._chain_file, self._switch = folder / FOLDER / "chain.pem", folder / FOLDER / "on"
        self._lock = threading.Lock()
        self._chain: Chain | None = None

    @property
    def available(self) -> bool:
        """Whether the package is there that it needs."""
        return library() is not None

    @property
    def on(self) -> bool:
        return self._switch.is_file() and self.available

    def switch(self, on: bool) -> None:
        """Raises `UserError` where the package is missing, or the key cannot be kept."""
        if not on:
            self._switch.unlink(missing_ok=True)
            return
        if not self.available:
            raise UserError(MISSING)
        self._kept(make=True)
        try:
            self._switch.touch(mode=0o600)
        except OSError as error:
            raise UserError(UNWRITTEN.format(why=error.strerror)) from error

    def anchors(self) -> str:
        """The root in PEM, by which signatures of this installation are known; "" while there is none, or it cannot be read."""
        try:
            chain = self._kept() if self.available else None
        except UserError:
            return ""
        return chain.root.decode() if chain else ""

    def signed(self, data: bytes, mime: str, source: str, parent: bytes = b"") -> bytes:
        """The file with a credential. `source`: its label; `parent`: the picture that it was made from, whose
        own credential goes along. As it was where it cannot be signed."""
        c2pa, chain, file = library(), self._kept(), io.BytesIO()
        if c2pa is None or chain is None:
            return data
        try:
            info = c2pa.C2paSignerInfo(alg=b"es256", sign_cert=chain.pem, private_key=chain.key, ta_url=None)
            with (
                c2pa.Context(settings(c2pa, chain.root.decode())) as context,
                c2pa.Signer.from_info(info) as signer,
                c2pa.Builder(manifest(source, bool(parent)), context) as builder,
            ):
                if parent:
                    builder.add_ingredient(PARENT, mime_of(parent), io.BytesIO(parent))
                builder.sign(signer, mime, io.BytesIO(data), file)
        except c2pa.C2paError as error:
            log.warning("A picture leaves without a credential: %s", error)
            return data
        return file.getvalue()

    def _kept(self, make: bool = False) -> Chain | None:
        with self._lock:
            try:
                self._chain = self._chain or kept_chain(self._chain_file)
                if self._chain is None and make:
                    self._chain = new_chain(datetime.datetime.now(datetime.UTC))
                    keep(self._chain, self._chain_file)
            except ValueError as error:
                raise UserError(DAMAGED) from error
            except OSError as error:
                self._chain = None
                raise UserError(UNWRITTEN.format(why=error.strerror)) from error
            return self._chain


PARENT = {"title": BEFORE, "relationship": "parentOf", "label": "parent"}


def manifest(source: str, edited: bool) -> dict[str, object]:
    """What is claimed. An edit begins with the opening of its parent (C2PA 2.4, 18.15.4.2); all else was created."""
    by = {"digitalSourceType": f"{VOCABULARY}{source or TRAINED}", "softwareAgent": {"name": TOOL}}
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["parent"]}}
    actions = [opened, {"action": "c2pa.edited", **by}] if edited else [{"action": "c2pa.created", **by}]
    made = {"label": "c2pa.actions.v2", "data": {"actions": actions}}
    return {"claim_generator_info": [{"name": TOOL}], "assertions": [made]}
