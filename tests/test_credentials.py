"""Content credentials: what leaves is signed by this installation's own chain, and whoever changes it afterwards is found."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from models.errors import UserError
from pipelines.credentials.judged import judged, library
from pipelines.credentials.signing import MISSING, Signing
from pipelines.gallery.formats import FORMATS, MIMES, given_out
from pipelines.gallery.gallery import Gallery
from pipelines.images.source_type import COMPOSITE, TRAINED
from pipelines.images.store import INPUTS, Inputs
from pipelines.job_book.book import JobBook
from pipelines.metadata.picture_settings import inspect
from pipelines.requests.request import ImageToImage
from pipelines.services.checks import OURS, Checks
from pipelines.services.guests import DiskQuota
from pipelines.services.uploads import Uploads
from tests.support.gallery_files import ADA, drawn_in, gallery_in, put_in
from tests.support.picture_files import blocks, saved

c2pa: Any = pytest.importorskip("c2pa", reason="c2pa-python is not installed: no credential is signed or judged in these tests")
Opened = tuple[JobBook, Gallery]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    with gallery_in(tmp_path) as both:
        yield both


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Signing:
    made = Signing(tmp_path_factory.mktemp("signing"))
    made.switch(True)
    return made


def picture(wanted: str) -> tuple[bytes, str]:
    found = FORMATS[wanted]
    return saved(blocks(), found.says.upper()), found.mime


def claims(data: bytes, mime: str) -> list[dict[str, Any]]:
    """The actions of the active manifest, as the library's own reader tells them."""
    with c2pa.Reader(mime, io.BytesIO(data)) as reader:
        told = json.loads(reader.json())
    made = told["manifests"][told["active_manifest"]]["assertions"]
    return next(each["data"]["actions"] for each in made if each["label"].startswith("c2pa.actions"))


@pytest.mark.parametrize("wanted", FORMATS)
def test_what_is_signed_holds_in_every_format_is_ours_and_keeps_its_pixels(signing: Signing, wanted: str) -> None:
    data, mime = picture(wanted)
    signed = signing.signed(data, mime, TRAINED)
    found = judged(signed, mime, signing.anchors())
    assert (found.state, found.ours, found.signer, found.before) == ("holds", True, "Atelier", 0)
    assert Image.open(io.BytesIO(signed)).tobytes() == Image.open(io.BytesIO(data)).tobytes()
    assert len(signed) - len(data) < 6_000, "no small version of the picture goes along"
    [made] = claims(signed, mime)
    assert made["action"] == "c2pa.created" and made["digitalSourceType"].endswith(f"/{TRAINED}")


@pytest.mark.parametrize("wanted", FORMATS)
def test_one_changed_bit_is_found_and_nothing_of_the_claim_is_told_then(signing: Signing, wanted: str) -> None:
    data, mime = picture(wanted)
    signed = bytearray(signing.signed(data, mime, TRAINED))
    place = bytes(signed).rindex(data[-40:-20]) + 10  # behind the manifest or before it: of the picture's own bytes
    signed[place] ^= 1
    found = judged(bytes(signed), mime, signing.anchors())
    assert (found.state, found.ours, found.signer) == ("broken", False, "")


def test_another_installation_sees_that_it_holds_and_that_it_is_not_its_own(signing: Signing, tmp_path: Path) -> None:
    data, mime = picture("png")
    signed, other = signing.signed(data, mime, TRAINED), Signing(tmp_path)
    assert judged(signed, mime).ours is False
    other.switch(True)
    news = Checks(other.anchors).of(signed)
    assert (news["credential"], news["ours"]) == ("holds", False) and "“Atelier” signed it" in news["signed"]
    mine = Checks(signing.anchors).of(signed)
    assert (mine["verdict"], mine["signed"]) == ("This studio made it", OURS)


def test_the_key_is_made_once_for_the_owner_alone_and_outlives_a_restart(tmp_path: Path) -> None:
    first = Signing(tmp_path)
    assert not first.on and first.anchors() == ""
    first.switch(True)
    [kept] = [path for path in (tmp_path / ".credentials").iterdir() if path.name != "on"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    again = Signing(tmp_path)
    assert again.on and again.anchors() == first.anchors()
    again.switch(False)
    assert not first.on
    again.switch(True)
    assert Signing(tmp_path).anchors() == first.anchors()
    kept.write_bytes(kept.read_bytes()[:200])
    with pytest.raises(UserError, match="damaged"):
        Signing(tmp_path).switch(True)
    assert Signing(tmp_path).anchors() == ""


def test_without_the_package_nothing_is_signed_and_the_switch_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Signing(tmp_path)
    made.switch(True)
    monkeypatch.setattr("pipelines.credentials.signing.library", lambda: None)
    data, mime = picture("png")
    assert not made.on and made.signed(data, mime, TRAINED) == data and made.anchors() == ""
    with pytest.raises(UserError) as refused:
        made.switch(True)
    assert str(refused.value) == MISSING
    assert library() is not None


def test_a_download_is_signed_after_all_else_was_written_and_only_while_the_owner_wants_it(opened: Opened) -> None:
    book, gallery = opened
    record = drawn_in(book, "a house")
    assert gallery.leaving.sign(record.id) is None
    gallery.leaving.signing.switch(True)
    anchors = gallery.leaving.signing.anchors()
    for wanted, settings in (("", True), ("", False), ("jpeg", True), ("avif", False)):
        with record.path.open("rb") as file:
            name, pieces = given_out(file, record.path.name, wanted, settings, gallery.leaving.sign(record.id))
            data = b"".join(pieces)
        assert judged(data, MIMES[Path(name).suffix], anchors).ours, (wanted, settings)
        assert (inspect(data).request == record.request) if settings else b"a house" not in data
    ready = gallery.downloads.prepare([record.id], ADA, True)
    with zipfile.ZipFile(io.BytesIO(b"".join(gallery.downloads.open(ready["id"], ADA)))) as whole:
        assert judged(whole.read(whole.namelist()[0]), "image/png", anchors).ours
    assert judged(record.path.read_bytes(), "image/png", anchors).state == "none", "what is kept stays as it was"


def test_an_edit_says_so_and_carries_what_it_was_made_from(opened: Opened) -> None:
    book, gallery = opened
    gallery.leaving.signing.switch(True)
    inputs = Inputs(book.folder / INPUTS)
    for before, label in (("", COMPOSITE), (TRAINED, TRAINED)):
        image = inputs.keep(blocks() if before else blocks().rotate(90), before)
        request = ImageToImage(prompt="x", image=image)
        sign = gallery.leaving.sign(put_in(book, request).id)
        assert sign
        opened_, edited = claims(sign(saved(blocks()), "image/png"), "image/png")
        assert (opened_["action"], edited["action"]) == ("c2pa.opened", "c2pa.edited")
        assert opened_["parameters"]["ingredients"] and edited["digitalSourceType"].endswith(f"/{label}")


def test_a_signed_parent_stays_in_the_file_with_its_own_manifest(signing: Signing) -> None:
    data, mime = picture("png")
    parent = signing.signed(data, mime, TRAINED)
    found = judged(signing.signed(data, mime, COMPOSITE, parent), mime, signing.anchors())
    assert (found.state, found.before) == ("holds", 1)


@pytest.mark.parametrize("wanted", FORMATS)
def test_an_edit_carries_the_credential_of_the_file_that_was_put_in(opened: Opened, signing: Signing, wanted: str) -> None:
    book, gallery = opened
    gallery.leaving.signing.switch(True)
    data, mime = picture(wanted)
    came = signing.signed(data, mime, TRAINED)  # by another installation
    uploads = Uploads(Inputs(book.folder / INPUTS), book)
    image = uploads.picture(came, ADA.user).id
    sign = gallery.leaving.sign(put_in(book, ImageToImage(prompt="x", image=image)).id)
    assert sign
    news = Checks(gallery.leaving.signing.anchors).of(sign(saved(blocks()), "image/png"))
    assert news["ours"] and "1 earlier state" in news["signed"]
    uploads.inputs.signed_path(image).write_bytes(came[:-9] + b"something")  # changed since: then it is the pixels alone
    assert judged(sign(saved(blocks()), "image/png"), "image/png").before == 0


def test_an_edit_of_an_edit_of_ours_carries_both_when_they_were_taken_from_the_library(opened: Opened) -> None:
    book, gallery = opened
    uploads = Uploads(Inputs(book.folder / INPUTS), book)
    uploads.signs = gallery.leaving.sign
    record = drawn_in(book, "a house")
    plain = uploads.adopt(record, ADA.user).id
    assert not uploads.inputs.signed(plain), "nothing is signed where the owner does not want it"
    gallery.leaving.signing.switch(True)
    for before in (1, 2):
        record = put_in(book, ImageToImage(prompt="x", image=uploads.adopt(record, ADA.user).id, seed=before))
        Image.new("RGB", (16, 16), (before, 0, 0)).save(record.path)
        sign = gallery.leaving.sign(record.id)
        assert sign
        found = judged(sign(record.path.read_bytes(), "image/png"), "image/png", gallery.leaving.signing.anchors())
        assert (found.state, found.ours, found.before) == ("holds", True, before)


def test_the_room_of_a_file_with_a_credential_is_counted_and_it_goes_with_its_picture(opened: Opened, signing: Signing) -> None:
    book, _ = opened
    inputs = Inputs(book.folder / INPUTS)
    data, mime = picture("png")
    came = signing.signed(data, mime, TRAINED)
    image = Uploads(inputs, book).picture(came, ADA.user).id
    sizes = [path.stat().st_size for path in (inputs.path(image), inputs.signed_path(image))]
    assert sizes[1] == len(came)
    disk = DiskQuota(book, inputs, most=sum(sizes))
    disk.check(ADA.user)
    with pytest.raises(UserError, match="no room"):
        disk.check(ADA.user, 1)
    assert inputs.sweep((), age=-1) == 2 and not inputs.signed(image)


def test_what_another_program_made_is_claimed_by_nobody(opened: Opened) -> None:
    book, gallery = opened
    gallery.leaving.signing.switch(True)
    record = drawn_in(book, "x")
    assert gallery.leaving.sign(record.id)
    with book.file.transaction() as db:
        db.execute("update picture set program = 'Fooocus' where id = ?", (record.id,))
    assert gallery.leaving.sign(record.id) is None


def test_a_damaged_or_strange_file_with_a_credential_is_judged_without_an_error(signing: Signing) -> None:
    data, mime = picture("jpeg")
    signed = signing.signed(data, mime, TRAINED)
    claim = TRAINED.encode()
    for bad in (signed[:3000], signed[:-10], signed.replace(claim, claim[::-1]), signed[:2] + signed[600:], signed + b"more"):
        assert bad != signed and judged(bad, mime, signing.anchors()).state in ("broken", "none")
    assert judged(signed.replace(claim, claim[::-1]), mime, signing.anchors()).state == "broken"
    assert signing.signed(b"no picture", mime, TRAINED) == b"no picture"
