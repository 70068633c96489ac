"""Steps on the disk: every bit comes back, and of a file that is cut or damaged what is whole."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import numpy as np
import pytest

from models.errors import UserError
from pipelines.jobs.keeping import StepKeeper
from pipelines.requests.request import Controlled, LoraUse, TextToImage
from pipelines.steps.begun import Begun
from pipelines.steps.content import content_of
from pipelines.steps.state import Numbers, StepState, together
from pipelines.steps.store import KeptSteps, StepFile

STEPS = 4
SHAPE = (4, 3, 5)
MADE_WITH = {"Model": "Toy", "Model hash": "0123456789", "Lora hashes": "ink: 0123456789ab", "Device": "cpu"}


def numbers(pictures: int, seed: int) -> Numbers:
    """Also those that no drawing should have."""
    drawn = np.random.default_rng(seed).standard_normal((pictures, *SHAPE)).astype(np.float32) * 10.0 ** (seed % 7 - 3)
    drawn[:, 0, 0, :4] = np.array([np.inf, -0.0, 1e-42, 3.4e38], np.float32)
    return drawn


def state(index: int, leg: int = 0, pictures: tuple[int, ...] = (0,)) -> StepState:
    count = len(pictures)
    remembered = (None, numbers(count, index + 50)) if index else ()
    return StepState(
        leg, index, STEPS, 14.6 / (index + 1), 2 * index, numbers(count, index), numbers(count, index + 20), remembered, pictures
    )


def same(one: StepState, other: StepState) -> bool:
    def bits(values: StepState) -> list[bytes | None]:
        return [each if each is None else each.tobytes() for each in (values.x, values.x0, *values.remembered)]

    told = ("leg", "index", "count", "sigma", "draws", "pictures")
    return bits(one) == bits(other) and all(getattr(one, name) == getattr(other, name) for name in told)


def store_with(folder: Path, pictures: tuple[int, ...] = (0,)) -> KeptSteps:
    store = KeptSteps(folder, 10**9)
    for leg in range(2):
        for index in range(STEPS):
            store.add("job", "order", state(index, leg, pictures))
    return store


def going(store: KeptSteps, picture: int = 0) -> StepFile:
    file = store.going("job", picture)
    assert file
    return file


def test_every_bit_comes_back_for_each_picture_of_a_batch(tmp_path: Path) -> None:
    store = store_with(tmp_path, (3, 4, 5))
    for leg in range(2):
        for index in range(STEPS):
            read = [going(store, picture).state(leg, index) for picture in (3, 4, 5)]
            assert all(same(each, state(index, leg, (3, 4, 5)).of(picture)) for picture, each in zip((3, 4, 5), read, strict=True))
            assert same(together(read), state(index, leg, (3, 4, 5)))


def test_of_a_file_that_is_cut_anywhere_all_whole_steps_are_read(tmp_path: Path) -> None:
    data = going(store_with(tmp_path)).path.read_bytes()
    ends = [place.at + sum(filter(None, place.parts)) + 4 for place in going(store_with(tmp_path / "again")).places.values()]
    chance, cut = random.Random(1), tmp_path / "cut.steps"
    for length in sorted(chance.sample(range(10, len(data)), 60)):
        cut.write_bytes(data[:length])
        assert len(StepFile(cut).places) == sum(end <= length for end in ends)


def test_a_job_goes_on_behind_what_a_kill_left_half_written(tmp_path: Path) -> None:
    store = KeptSteps(tmp_path, 10**9)
    for index in range(3):
        store.add("job", "order", state(index))
    going(store).path.write_bytes(going(store).path.read_bytes()[:-7])
    store.begin("job", "order")
    assert not store.came_on("job")
    store.add("job", "order", state(2))
    assert store.came_on("job")
    assert all(same(going(store).state(0, index), state(index)) for index in range(3))


def test_who_reads_while_a_file_begins_finds_its_first_step_or_nothing(tmp_path: Path) -> None:
    store, jobs, found = KeptSteps(tmp_path, 10**9), [f"job{number}" for number in range(200)], list[int]()

    def read(job: str) -> None:
        while not (file := store.going(job, 0)):
            pass
        found.append(len(file.places))

    for job in jobs:
        reader = threading.Thread(target=read, args=(job,))
        reader.start()
        store.add(job, "order", state(0))
        reader.join(10)
    assert found == [1] * len(jobs)


def test_a_job_whose_steps_take_more_than_all_may_take_keeps_none(tmp_path: Path) -> None:
    store = KeptSteps(tmp_path, 2_000)
    keeper = StepKeeper(store)
    keeper.begin("job", TextToImage())
    for index in range(STEPS):
        keeper.step("job", lambda index=index: state(index))
    keeper.close()
    assert not list(store.folder.glob("*"))


def test_whatever_is_damaged_is_a_sentence_and_never_other_numbers(tmp_path: Path) -> None:
    data = going(store_with(tmp_path)).path.read_bytes()
    chance, odd = random.Random(2), tmp_path / "odd.steps"
    told = 0
    for _ in range(300):
        place, length = chance.randrange(len(data)), chance.choice((1, 4, 40))
        odd.write_bytes(data[:place] + chance.randbytes(length) + data[place + length :])
        try:
            file = StepFile(odd)
            for leg, index in file.places:
                assert same(file.state(leg, index), state(index, leg))
        except UserError as error:
            told += str(error).startswith("The steps of this picture")
    assert told > 100


def test_steps_of_another_version_say_so(tmp_path: Path) -> None:
    path = going(store_with(tmp_path)).path
    path.write_bytes(path.read_bytes().replace(b"ATELSTEP\x01", b"ATELSTEP\x02"))
    with pytest.raises(UserError, match="another version"):
        _ = StepFile(path).places


def test_a_batch_goes_on_from_the_last_step_that_all_of_its_pictures_have(tmp_path: Path) -> None:
    store = KeptSteps(tmp_path, 10**9)
    for index in range(3):
        store.add("job", "order", state(index, pictures=(0, 1)))
    going(store, 1).path.write_bytes(going(store, 1).path.read_bytes()[:-7])  # a kill in the middle of it
    begun = Begun(lambda picture: store.going("job", picture))
    found = begun.at(0, (0, 1))
    assert found and same(found, state(1, pictures=(0, 1)))
    alone = begun.at(0, (0,))
    assert alone and alone.index == 2
    assert begun.at(1, (0, 1)) is None and begun.at(0, (0, 2)) is None


def test_ids_that_are_no_ids_name_no_file(tmp_path: Path) -> None:
    store = KeptSteps(tmp_path / "outputs", 10**9)
    for job in ("", "..", "../../etc/passwd", "a.b", "*"):
        store.add(job, "order", state(0))
        store.begin(job, "order")
        store.drop(job)
        assert store.going(job, 0) is None and not store.came_on(job)
    assert not list(tmp_path.rglob("*.going"))


# ---- content -------------------------------------------------------------------------------------------------------------------


def test_content_is_what_makes_the_steps_and_not_where_models_lie() -> None:
    request = TextToImage(prompt="a red house", seed=5, checkpoint="one", loras=(LoraUse(id="ink", unet=0.5),), vae="own")
    content = content_of(request, MADE_WITH)
    moved = TextToImage(
        prompt="a red house", seed=5, checkpoint="another", loras=(LoraUse(id="ink2", name="ink", unet=0.5),), vae="", as_made="0" * 32
    )
    assert content_of(moved, MADE_WITH | {"Device": "cuda"}) == content and len(content) == 32
    others = [
        content_of(TextToImage(prompt="a red ball", seed=5, loras=(LoraUse(id="ink", unet=0.5),)), MADE_WITH),
        content_of(TextToImage(prompt="a red house", seed=6, loras=(LoraUse(id="ink", unet=0.5),)), MADE_WITH),
        content_of(TextToImage(prompt="a red house", seed=5, loras=(LoraUse(id="ink", unet=0.6),)), MADE_WITH),
        content_of(Controlled(prompt="a red house", seed=5, loras=(LoraUse(id="ink", unet=0.5),)), MADE_WITH),
        content_of(request, MADE_WITH | {"Model hash": "9876543210"}),
        content_of(request, MADE_WITH | {"Lora hashes": "ink: ba9876543210"}),
    ]
    assert len({content, *others}) == 7


def test_without_the_hash_of_its_model_a_picture_has_no_content() -> None:
    assert content_of(TextToImage(), {"Model": "Toy"}) == ""
