"""The finder of details in a studio: what it answers, for whom, and what it says when there is nothing or far too much."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import UserError
from pipelines import Details, Studio
from pipelines.details.detectors import Detectors
from pipelines.requests.details import PAINTED, Detailer
from pipelines.services.detail_finder import DetailFinder
from tests.support.onnx_files import SIDE, red_finder
from tests.support.toys import toy_studio

ME = "me"
RED, SEA = (255, 0, 0), (30, 60, 120)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Generator[Studio]:
    studio = toy_studio(tmp_path_factory.mktemp("studio"))
    yield studio
    studio.close()


@pytest.fixture
def finder(studio: Studio, tmp_path: Path) -> DetailFinder:
    (tmp_path / "detectors").mkdir()
    red_finder(tmp_path / "detectors" / "red.onnx", names="{0: 'ball'}")
    return DetailFinder(studio.uploads, studio._worker, Detectors([tmp_path]))  # pyright: ignore[reportPrivateUsage]


def asked(studio: Studio, *detailers: Detailer, mask: Image.Image | None = None) -> Details:
    picture = Image.new("RGB", (SIDE, SIDE), SEA)
    for box in ((8, 16, 16, 24), (40, 48, 48, 56)):
        picture.paste(RED, box)
    kept = studio.uploads.keep(picture, ME).id
    return Details(image=kept, mask=studio.uploads.keep(mask, ME).id if mask else "", detailers=detailers)


def test_detailers_are_asked_in_order_and_deal_out_their_words(studio: Studio, finder: DetailFinder) -> None:
    by_network = Detailer(detector="red.onnx", prompt="a ball [SEP] [SKIP]", strength=0.6, grow=0, order="Left to right")
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (2, 2, 30, 12))
    found = finder.find(asked(studio, by_network, Detailer(detector=PAINTED, grow=0), mask=mask), ME)
    assert [(each.box, each.prompt, each.strength) for each in found.boxes] == [
        ((8, 16, 16, 24), "a ball", 0.6),
        ((40, 48, 48, 56), "[SKIP]", 0.6),
        ((2, 2, 30, 12), "", 0.0),
    ]
    assert found.labels[0] == "ball 100%" and found.words == "3 boxes found."


def test_nothing_found_and_pictures_of_others_are_sentences(studio: Studio, finder: DetailFinder) -> None:
    with pytest.raises(UserError, match="Nothing was found"):
        finder.find(asked(studio, Detailer(detector="red.onnx", smallest=0.5)), ME)
    with pytest.raises(UserError, match="not stored here any more"):
        finder.find(asked(studio), "somebody else")
    with pytest.raises(UserError, match="no picture to start from"):
        finder.find(Details(), ME)


def test_of_five_hundred_boxes_the_first_hundred_are_taken_and_it_is_said(studio: Studio, finder: DetailFinder) -> None:
    values = np.zeros((400, 400), np.uint8)
    for at in range(500):
        values[at // 25 * 20 : at // 25 * 20 + 6, at % 25 * 16 : at % 25 * 16 + 6] = 255
    picture = studio.uploads.keep(Image.new("RGB", (400, 400)), ME).id
    mask = studio.uploads.keep(Image.fromarray(values), ME).id
    found = finder.find(Details(image=picture, mask=mask, detailers=(Detailer(detector=PAINTED),)), ME)
    assert len(found.boxes) == 100 and found.words.startswith("500 boxes were found, and 100 are the most")


def test_a_job_without_boxes_or_with_one_outside_is_refused_with_a_sentence(studio: Studio) -> None:
    request = asked(studio)
    with pytest.raises(UserError, match="There is no box yet"):
        studio.submit(request, ME)
    for box, words in (
        ({"left": 64, "right": 70, "bottom": 9}, "Box 1 lies outside"),
        ({"right": 9, "bottom": 9, "prompt": "<lora:ink>"}, "LoRA"),
    ):
        with pytest.raises(UserError, match=words):
            studio.submit(Details.admit({"image": request.image, "boxes": [box]}), ME)
