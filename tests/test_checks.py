"""Checking a picture: what any file says of how it came to be, in plain words, and what of that is proven."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

import pipelines.credentials.judged as judging
from models.errors import UserError
from pipelines.credentials.judged import MANIFESTS, has_credential
from pipelines.gallery.formats import FORMATS, given_out
from pipelines.images.source_type import COMPOSITE, ENHANCED, TRAINED, packet
from pipelines.jobs.outputs import Outputs
from pipelines.requests.request import TextToImage
from pipelines.services.checks import NO_CREDENTIAL, NO_LABEL, UNREAD, Checks
from tests.support.foreign_files import A1111, WORDS, png
from tests.support.picture_files import blocks, saved

REQUEST = TextToImage(prompt="a secret house", negative_prompt="rain", seed=77, steps=9)


@pytest.mark.parametrize("wanted", FORMATS)
@pytest.mark.parametrize("settings", [True, False])
def test_a_picture_of_ours_says_what_it_is_in_every_format_and_its_settings_if_any(tmp_path: Path, wanted: str, settings: bool) -> None:
    path = Outputs(tmp_path).save(Image.new("RGB", (64, 48)), REQUEST, {"Model": "Dream", "Atelier": "0.1"})
    with path.open("rb") as file:
        data = b"".join(given_out(file, path.name, wanted, settings)[1])
    news = Checks().of(data)
    assert (news["format"], news["width"], news["height"]) == (FORMATS[wanted].says.upper(), 64, 48)
    assert (news["verdict"], news["labelled"], news["credential"]) == ("It says that AI made it", True, "none")
    assert (news["program"], news["prompt"]) == (("Atelier 0.1", "a secret house") if settings else ("", ""))
    facts = {fact["title"]: fact["shown"] for fact in news["facts"]}
    assert (facts.get("Model"), facts.get("Seed"), facts.get("Steps")) == (("Dream", "77", "9") if settings else (None, None, None))
    assert bool(news["note"]) is not settings


def test_a_picture_of_another_program_has_its_name_and_one_of_none_says_so() -> None:
    news = Checks().of(png({"parameters": f"{A1111}v1.10.1"}, (64, 96)))
    assert news["verdict"] == "It has settings of AUTOMATIC1111" and news["label"] == NO_LABEL and WORDS in news["prompt"]
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "JPEG")
    news = Checks().of(plain.getvalue())
    assert (news["verdict"], news["program"], news["signed"]) == ("It says nothing of its making", "", NO_CREDENTIAL)
    assert "carries no settings" in news["note"]


@pytest.mark.parametrize(("label", "verdict"), [(TRAINED, "AI made it"), (COMPOSITE, "AI drew on it"), (ENHANCED, "was enlarged")])
def test_each_label_is_said_in_plain_words(label: str, verdict: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "WEBP", xmp=packet(label).encode())
    assert verdict in Checks().of(file.getvalue())["verdict"]


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" + b"\0" * 40, b"words", b"\xff\xd8\xff" + MANIFESTS])
def test_what_is_no_picture_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        Checks().of(data)


def test_a_credential_is_found_where_nothing_can_judge_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "library", lambda: None)
    data = saved(blocks()) + MANIFESTS
    assert has_credential(data) and not has_credential(data[:-1])
    news = Checks().of(data)
    assert (news["credential"], news["ours"], news["signed"]) == ("unread", False, UNREAD)
