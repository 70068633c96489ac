"""The safety checker: what it says, compared with diffusers' own, and what a link shows of pictures that it objects to."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

from models.errors import UserError
from pipelines import Studio
from pipelines.gallery.person import Person
from pipelines.images.source_type import TRAINED
from pipelines.job_book import verdicts
from pipelines.people.records import Checker
from pipelines.people.rules import Maker, Wanted
from pipelines.preprocessors.annotators import Annotator, Annotators
from pipelines.preprocessors.safety import is_near
from pipelines.services.safety import KEY, Safety, blurred_url, board_veiled, instead
from tests.support import annotator_toys
from tests.support.doors import example_page
from tests.support.gallery_files import drawn_in
from tests.support.toys import toy_studio
from ui.server import Door, create_app

CPU = torch.device("cpu")
OWNER = Maker("owner", "owner")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("safety")
    annotator_toys.write(root, KEY)
    return root


@pytest.fixture(scope="module")
def annotator(folder: Path) -> Annotator:
    return Annotators([folder], folder).load(KEY, CPU, torch.float32)


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 56, 3), dtype=np.uint8))


# ------------------------------------------------------------------------------------------------ what it says


def test_the_verdict_is_that_of_diffusers_own_module(annotator: Annotator) -> None:
    checker: Any = cast(Any, annotator.networks[0]).checker
    said: list[bool] = []
    for seed in range(40):
        picture, chance = noise(seed), torch.Generator().manual_seed(seed)
        values = annotator.processor(images=picture, return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            seen = torch.nn.functional.normalize(checker.visual_projection(checker.vision_model(values)[1]))
            for embeds, weights, above in (
                (checker.concept_embeds, checker.concept_embeds_weights, 0.016),
                (checker.special_care_embeds, checker.special_care_embeds_weights, 0.002),
            ):  # thresholds so near to where this picture is that special care makes the difference for many
                at = (seen @ torch.nn.functional.normalize(embeds).T)[0]
                weights.copy_(at + above + 0.004 * torch.randn(at.shape, generator=chance))
            _, [theirs] = checker(values, [np.zeros((1, 1, 3))])
        said.append(is_near(picture, annotator))
        assert said[-1] == theirs, seed
    assert 5 < sum(said) < 35, "both verdicts occur"


def test_it_is_found_in_its_folder_counted_and_told_where_to_put(folder: Path, tmp_path: Path, annotator: Annotator) -> None:
    here, nowhere = Annotators([folder], folder), Annotators([tmp_path / "models" / "weights"], tmp_path)
    assert here.missing(KEY) == "" and here.size(KEY) > annotator.bytes / 2 > 0
    place = "CompVis/stable-diffusion-safety-checker into models/weights/annotators/safety_checker"
    assert f"model.safetensors of {place}" in nowhere.missing(KEY)


# ------------------------------------------------------------------------------------------------ who sees what


@dataclass
class FakeRunner:
    """Lends the toy checker, whose thresholds a test sets."""

    lent: Annotator
    asked: list[str] = field(default_factory=list[str])

    @contextmanager
    def annotator(self, key: str) -> Generator[Annotator]:
        self.asked.append(key)
        yield self.lent


class FakeWorker:
    """Does errands at once, or never."""

    def __init__(self, runner: FakeRunner, works: bool = True) -> None:
        self.runner, self.works = runner, works

    def between_jobs(self, person: str, work: Any) -> None:
        if self.works:
            work(self.runner)


def says(annotator: Annotator, near: bool) -> None:
    cast(Any, annotator.networks[0]).checker.concept_embeds_weights.data.fill_(-2 if near else 2)
    cast(Any, annotator.networks[0]).checker.special_care_embeds_weights.data.fill_(2)


@dataclass
class House:
    """A studio and its door; a page takes seconds, so there is one for all tests."""

    studio: Studio
    app: Any
    worker: FakeWorker

    @property
    def safety(self) -> Safety:
        return self.studio.safety

    @property
    def asked(self) -> list[str]:
        return self.worker.runner.asked


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory, folder: Path, annotator: Annotator) -> Iterator[House]:
    made = toy_studio(tmp_path_factory.mktemp("studio"), start=False)
    worker = FakeWorker(FakeRunner(annotator))
    made.safety = Safety(made.book, made.people, Annotators([folder], folder), made.uploads.inputs, lambda: cast(Any, worker))
    made.uploads.adopted = made.safety.adopted
    yield House(made, create_app(made, example_page, Door()), worker)
    made.close()


@pytest.fixture
def house(open_house: House) -> House:
    """With no link, and nothing asked yet."""
    people = open_house.studio.people
    for link in list(people.register.links.values()):
        people.care.take_back(OWNER, link.id)
    open_house.worker.works = True
    open_house.asked.clear()
    return open_house


@dataclass
class Guest:
    """Who came by a link to a board, through the whole door."""

    client: TestClient
    user: str

    def get(self, path: str) -> Any:
        return self.client.get(path)


def guest(house: House, checker: Checker, board: str = "") -> Guest:
    people = house.studio.people
    _, token = people.care.make(OWNER, Wanted("x", "artist", board, checker=checker))
    client = TestClient(house.app, "http://localhost", client=("10.0.0.9", 1), follow_redirects=False)
    cookie = people.enter(token, "Ada")
    client.cookies.set("atelier_user", cookie)
    return Guest(client, people.user(cookie))


def shown(house: House, *words: str) -> tuple[str, list[str]]:
    """A board of the owner's, and the pictures on it."""
    owner, gallery = Person("owner"), house.studio.gallery
    ids = [drawn_in(house.studio.book, word, "owner", seed, noise(seed)).id for seed, word in enumerate(words, 1)]
    board = gallery.boards.create(owner, f"shown {ids[0]}")
    gallery.boards.add(board, ids, owner)
    return board, ids


def pixels(answer: Any) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB").resize((56, 40)), dtype=float)


def far(answer: Any, seed: int) -> float:
    return float(np.abs(pixels(answer) - np.asarray(noise(seed), dtype=float)).mean())


@pytest.mark.parametrize("checker", ["blur", "block"])
def test_what_it_objects_to_is_hidden_on_every_way_out_and_all_else_is_shown(house: House, checker: Checker) -> None:
    board, [bad, good] = shown(house, "bad", "good")
    verdicts.put(house.studio.book.file, bad, True)
    verdicts.put(house.studio.book.file, good, False)
    me, other = guest(house, checker, board), guest(house, "", board)
    ways = [f"/picture/{bad}.png{more}" for more in ("", "?download=1", "?as=png", "?settings=0")]
    steps = [f"/picture/{bad}/steps/0/1.jpg", f"/picture/{bad}/steps.webp"]
    for path in (*ways, *steps, f"/thumb/{bad}"):
        answer = me.get(path)
        assert (answer.status_code, answer.headers["content-type"], answer.headers["cache-control"]) == (200, "image/webp", "no-store")
        assert far(answer, 1) > 40 and b"bad" not in answer.content, path
    assert far(me.get(ways[2].replace(bad, good)), 2) == 0 and far(other.get(ways[2]), 1) == 0
    ready = me.client.post("/library/zip", json={"ids": [bad, good]}).json()
    names = zipfile.ZipFile(io.BytesIO(me.get(f"/library/zip/{ready['id']}").content)).namelist()
    assert len(names) == 1 and "good" in names[0]
    assert me.client.post("/library/zip", json={"ids": [bad]}).status_code == 422
    told = [me.get(f"/picture/{each}/details").json() for each in (bad, good)]
    assert [bool(each["hidden"]) for each in told] == [True, False] and told[0]["reveals"] is (checker == "blur")
    revealed = me.client.post(f"/picture/{bad}/reveal", json={})
    assert revealed.status_code == (200 if checker == "blur" else 422)
    assert (far(me.get(ways[2]), 1) == 0) is (checker == "blur")
    again = guest(house, checker, board)
    assert far(again.get(ways[2]), 1) > 40, "one person's reveal is nobody else's"
    restarted = Safety(
        house.studio.book, house.studio.people, Annotators([], Path()), house.studio.uploads.inputs, lambda: cast(Any, house.worker)
    )
    assert restarted.veil(bad, me.user, checker) == ("" if checker == "blur" else checker), "and outlives a restart"


def test_what_was_not_looked_at_is_hidden_until_it_is(house: House, annotator: Annotator) -> None:
    board, [first, second] = shown(house, "one", "two")
    me = guest(house, "block", board)
    worker = house.worker
    worker.works = False
    assert far(me.get(f"/picture/{first}.png?as=png"), 1) > 40
    worker.works = True
    for picture, near in ((first, False), (second, True)):
        says(annotator, near)
        assert far(me.get(f"/picture/{picture}.png?as=png"), 1) > 40, "this look is what has it looked at"
    says(annotator, False)
    assert far(me.get(f"/picture/{first}.png?as=png"), 1) == 0
    assert far(me.get(f"/picture/{second}.png?as=png"), 2) > 40, "a verdict stands"
    assert house.asked == [KEY, KEY]


def test_it_looks_at_finished_pictures_only_while_an_open_link_asks_for_it(house: House, annotator: Annotator) -> None:
    book = house.studio.book
    records = [drawn_in(house.studio.book, "x", "owner", seed, noise(seed)) for seed in (1, 2, 3)]
    house.safety.entered(records[0], cast(Any, house.worker.runner))
    assert house.asked == []
    says(annotator, True)
    link, _ = house.studio.people.care.make(OWNER, Wanted("x", "viewer", checker="blur"))
    house.safety.entered(records[1], cast(Any, house.worker.runner))
    assert house.asked == [KEY] and verdicts.known(house.studio.book.file, records[1].id)
    assert verdicts.cleared(house.studio.book.file, [records[1].id]) == set()
    house.studio.people.care.take_back(OWNER, link.id)
    house.safety.entered(records[2], cast(Any, house.worker.runner))
    assert not verdicts.known(house.studio.book.file, records[2].id)
    with book.file.transaction() as db:
        db.execute("delete from picture where id = ?", (records[1].id,))
    assert not book.file.rows("select 1 from verdict where picture not in (select number from picture)", ())


def test_previews_of_who_came_by_such_a_link_are_blurred(house: House) -> None:
    file = io.BytesIO()
    noise(1).resize((64, 64)).save(file, "PNG")
    frame = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    strict, free = guest(house, "blur"), guest(house, "")
    told = [house.safety.frames(user, [frame]) == [frame] for user in (strict.user, free.user, "owner")]
    assert told == [False, True, True]
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(blurred_url(frame).partition(",")[2]))), dtype=float)
    assert seen.shape == (64, 64, 3) and seen.std() < 15 < np.asarray(noise(1), dtype=float).std()


def test_a_link_below_is_as_strict_and_a_damaged_row_the_strictest(house: House) -> None:
    people = house.studio.people
    _, token = people.care.make(OWNER, Wanted("x", "co-owner", checker="blur"))
    bo = people.standing(people.enter(token, "Bo"))
    assert bo and bo.checker == "blur"
    maker = Maker(bo.user, bo.role, "", bo.link.number)
    found = [people.standing(people.enter(people.care.make(maker, Wanted("x", "viewer", checker=each))[1], "Cy")) for each in ("", "block")]
    assert [each.checker for each in found if each] == ["blur", "block"]
    with house.studio.book.file.transaction() as db:
        db.execute("update link set checker = 'none of ours'")
    people.register._read_of = None
    people.register.refresh()
    assert {link.checker for link in people.register.links.values()} == {"block"}
    with house.studio.book.file.transaction() as db:
        db.execute("update link set checker = ''")
    people.register._read_of = None


def test_a_link_asks_for_no_checker_that_is_not_here_and_words_are_read_strictly(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = TestClient(house.app, "http://localhost", client=("127.0.0.1", 1))
    for order, status in (("blur", 200), ("block", 200), ("", 200), (None, 200), ("Block", 422), (7, 422), ([], 200)):
        assert client.post("/people/links", json={"role": "viewer", "checker": order}).status_code == status, order
    assert client.get("/people").json()["no_checker"] == ""
    monkeypatch.setattr(house.safety, "_annotators", Annotators([tmp_path], tmp_path))
    refused = client.post("/people/links", json={"role": "viewer", "checker": "blur"})
    assert refused.status_code == 422 and "CompVis/stable-diffusion-safety-checker" in refused.json()["message"]
    assert "CompVis" in client.get("/people").json()["no_checker"]


def test_what_is_hidden_becomes_no_input_and_inputs_that_a_model_drew_are_looked_at_too(house: House, annotator: Annotator) -> None:
    board, [bad, good] = shown(house, "three", "four")
    for picture, near in ((bad, True), (good, False)):
        verdicts.put(house.studio.book.file, picture, near)
    me, uploads = guest(house, "block", board), house.studio.uploads
    records = [record for each in (bad, good) if (record := house.studio.book.picture(each))]
    with pytest.raises(UserError, match="not shown"):
        uploads.adopt(records[0], me.user)
    taken = uploads.adopt(records[1], me.user)
    assert far(me.get(f"/input/{taken.id}.png"), 2) == 0 and house.asked == [], "it was looked at as a picture"
    says(annotator, True)
    own, drawn = uploads.keep(noise(8), me.user), uploads.keep(noise(9), me.user, TRAINED)
    assert far(me.get(f"/input/{own.id}.png"), 8) == 0
    assert far(me.get(f"/input/{drawn.id}.png"), 9) > 40 < far(me.get(f"/input/{drawn.id}.png"), 9)
    assert house.asked == [KEY]


def test_what_is_drawn_on_a_board_is_seen_blurred(house: House) -> None:
    file = io.BytesIO()
    noise(1).save(file, "PNG")
    frame = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    told = json.loads(board_veiled(json.dumps({"you": 1, "drawing": [{"preview": frame, "step": 3}, {"preview": ""}]}).encode()))
    assert told["you"] == 1 and told["drawing"][0]["step"] == 3 and told["drawing"][1]["preview"] == ""
    assert told["drawing"][0]["preview"] == blurred_url(frame)


@pytest.mark.parametrize("checker", ["blur", "block"])
def test_what_is_shown_instead_has_the_shape_of_the_picture_and_little_of_it(tmp_path: Path, checker: Checker) -> None:
    noise(3).save(tmp_path / "a.png")
    made = Image.open(io.BytesIO(instead(tmp_path / "a.png", checker, (2048, 1024))))
    assert made.size == (1024, 512) and made.format == "WEBP"
    with pytest.raises(UserError):
        (tmp_path / "b.png").write_bytes(b"no picture")
        instead(tmp_path / "b.png", "blur", (8, 8))


def test_its_memory_counts_for_a_job_while_an_open_link_asks_for_looks(house: House, folder: Path) -> None:
    assert house.safety.weight == 0
    guest(house, "blur")
    assert house.safety.weight == Annotators([folder], folder).size("safety_checker") > 0


def test_as_many_reveals_as_are_wanted_are_remembered_the_newest_ones(house: House) -> None:
    file = house.studio.book.file
    for number in range(6):
        verdicts.reveal(file, "somebody", f"picture {number}", most=3)
    assert [verdicts.has_revealed(file, "somebody", f"picture {number}") for number in range(6)] == [False] * 3 + [True] * 3
