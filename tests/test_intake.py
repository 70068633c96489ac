"""What people put in is kept for them alone, and a request is refused in a sentence when something it begins with is missing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.errors import UserError
from pipelines.images.store import Inputs
from pipelines.job_book.book import Job, JobBook, PictureRecord
from pipelines.requests.request import ImageToImage, Inpaint, Outpaint, PictureUse, TextToImage
from pipelines.services.request_pictures import check_pictures, without_missing
from pipelines.services.uploads import Uploads

ME, YOU = "me", "you"


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(Inputs(tmp_path / "inputs"), JobBook(tmp_path / "book.db", tmp_path))


def noise(size: tuple[int, int] = (40, 30), seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8))


def saved(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def black_and_white(size: tuple[int, int], share: float) -> bytes:
    mask = Image.new("L", size)
    mask.paste(255, (0, 0, round(size[0] * share), size[1]))
    return saved(mask)


def put(uploads: Uploads, size: tuple[int, int] = (40, 30), user: str = ME) -> str:
    return uploads.picture(saved(noise(size)), user).id


def refused(uploads: Uploads, request: Any, user: str = ME) -> str:
    with pytest.raises(UserError) as told:
        check_pictures(uploads, request, user)
    return str(told.value)


def finished(uploads: Uploads, tmp_path: Path, request: Any) -> PictureRecord:
    """A picture that was drawn for me, with its file."""
    noise().save(tmp_path / "1.png")
    job = Job("job", ME, request, "done", "", 0, 0, 0)
    return uploads._book.add_picture(job, tmp_path / "1.png", request, (40, 30))


def test_a_picture_is_kept_as_it_is_for_who_put_it_in(uploads: Uploads) -> None:
    taken = uploads.picture(saved(noise()), ME)
    assert (taken.width, taken.height, taken.notes, taken.mask) == (40, 30, (), "")
    assert np.array_equal(np.asarray(uploads.inputs.open(taken.id)), np.asarray(noise()))
    assert uploads.find(taken.id, ME) == uploads.inputs.path(taken.id)
    assert uploads.find(taken.id, YOU) is None
    assert uploads.size(taken.id) == (40, 30)


def test_two_people_may_put_in_the_same(uploads: Uploads) -> None:
    assert put(uploads, user=ME) == put(uploads, user=YOU)
    assert uploads.find(put(uploads), YOU) is not None


def test_what_is_transparent_is_what_the_mask_has_painted(uploads: Uploads) -> None:
    picture = noise().convert("RGBA")
    picture.paste((255, 0, 0, 0), (0, 0, 10, 30))
    picture.putpixel((20, 20), (1, 2, 3, 55))
    taken = uploads.picture(saved(picture), ME)
    mask = uploads.inputs.open(taken.mask, "L")
    expected = np.zeros((30, 40), int)
    expected[:, :10], expected[20, 20] = 255, 200
    assert np.array_equal(np.asarray(mask), expected)
    assert uploads.find(taken.mask, ME)
    assert np.asarray(uploads.inputs.open(taken.id))[0, 0].tolist() == [255, 255, 255]


def test_a_mask_is_scaled_to_its_picture_and_that_is_told(uploads: Uploads) -> None:
    taken = uploads.mask(black_and_white((80, 60), 0.5), (40, 30), ME)
    assert (taken.width, taken.height) == (40, 30)
    assert taken.notes == ("The mask, 80 × 60, was scaled to the picture.",)
    values = np.asarray(uploads.inputs.open(taken.id, "L"))
    assert (values[:, :18] == 255).all() and (values[:, 22:] == 0).all()
    assert uploads.mask(black_and_white((40, 30), 0.5), (40, 30), ME).notes == ()


@pytest.mark.parametrize("data", [b"", b"hello", saved(noise())[:400]])
def test_what_is_no_picture_is_refused_as_a_picture_and_as_a_mask(uploads: Uploads, data: bytes) -> None:
    for take in (lambda: uploads.picture(data, ME), lambda: uploads.mask(data, (8, 8), ME)):
        with pytest.raises(UserError, match=r"picture.*\.$"):
            take()


def test_a_request_that_has_all_it_needs_passes(uploads: Uploads) -> None:
    image, mask = put(uploads), uploads.mask(black_and_white((40, 30), 0.5), (40, 30), ME).id
    for request in (
        TextToImage(), ImageToImage(image=image), ImageToImage(images=(PictureUse(id=image),)), Inpaint(image=image, mask=mask),
        Inpaint(image=image, mask=mask, inverted=True), Outpaint(image=image, left=8),
    ):  # fmt: skip
        check_pictures(uploads, request, ME)


@pytest.mark.parametrize("request_", [ImageToImage(), Inpaint(mask="0" * 64), Outpaint(left=64)])
def test_b14_without_a_picture_it_says_how_to_put_one_in(uploads: Uploads, request_: Any) -> None:
    assert "There is no picture to start from" in refused(uploads, request_)


@pytest.mark.parametrize(("share", "inverted", "fine"), [(0, False, False), (0, True, True), (1, False, True), (1, True, False)])
def test_b14_a_mask_that_leaves_nothing_to_draw_is_told(uploads: Uploads, share: float, inverted: bool, fine: bool) -> None:
    mask = uploads.mask(black_and_white((40, 30), share), (40, 30), ME).id
    request = Inpaint(image=put(uploads), mask=mask, inverted=inverted)
    if fine:
        check_pictures(uploads, request, ME)
    else:
        assert "leaves nothing to draw" in refused(uploads, request)


def test_b14_without_a_mask_or_with_one_of_another_size_it_says_so(uploads: Uploads) -> None:
    image, other = put(uploads), uploads.mask(black_and_white((30, 40), 0.5), (30, 40), ME).id
    assert "Nothing is masked yet" in refused(uploads, Inpaint(image=image))
    assert "another size" in refused(uploads, Inpaint(image=image, mask=other))


def test_what_belongs_to_somebody_else_counts_as_not_there(uploads: Uploads) -> None:
    image, mask = put(uploads, user=YOU), uploads.mask(black_and_white((40, 30), 0.5), (40, 30), YOU).id
    mine = put(uploads, (8, 8))
    for request in (
        ImageToImage(image=image), ImageToImage(images=(PictureUse(id=mine), PictureUse(id=image))), Outpaint(image=image, left=8),
        Inpaint(image=image, mask=mask), Inpaint(image=mine, mask=mask), ImageToImage(image=mine, images=(PictureUse(),)),
        ImageToImage(image="f" * 64),
    ):  # fmt: skip
        assert "not stored here any more" in refused(uploads, request)


def test_a_picture_whose_file_is_gone_is_told(uploads: Uploads) -> None:
    image = put(uploads)
    uploads.inputs.path(image).unlink()
    assert "not stored here any more" in refused(uploads, ImageToImage(image=image))
    with pytest.raises(UserError, match="not stored here any more"):
        uploads.size(image)


def test_an_extension_must_add_something_but_not_too_much(uploads: Uploads) -> None:
    image, large = put(uploads), put(uploads, (3000, 10))
    assert "nothing to add" in refused(uploads, Outpaint(image=image))
    assert "5,048 × 10" in refused(uploads, Outpaint(image=large, left=2048))
    assert "windows" in refused(uploads, Outpaint(image=put(uploads, (1, 1)), left=2040, right=2040, top=2040, bottom=2040))
    check_pictures(uploads, Outpaint(image=large, left=1096, width=64, height=64), ME)


def test_a_request_comes_back_without_what_is_not_this_persons(uploads: Uploads) -> None:
    mine, yours = put(uploads, user=ME), put(uploads, (8, 8), YOU)
    whole = ImageToImage(image=mine, images=(PictureUse(id=mine), PictureUse(id=yours)))
    left, notes = without_missing(uploads, whole, ME)
    assert (left.image, left.images) == (mine, (PictureUse(id=mine),))
    assert notes == ("The picture it was made from is not among yours; put it in again.",)
    masked = Inpaint(image=yours, mask=yours, mask_blur=9)
    assert without_missing(uploads, masked, ME)[0] == Inpaint(mask_blur=9)
    assert without_missing(uploads, masked, YOU) == (masked, ())
    assert without_missing(uploads, TextToImage(), ME) == (TextToImage(), ())


def test_the_pictures_of_a_folder_come_by_name_and_broken_ones_are_told(uploads: Uploads, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for seed, name in enumerate(("b.png", "a.PNG", "c.webp")):
        (folder / name).write_bytes(saved(noise(seed=seed), "WEBP" if name.endswith("webp") else "PNG"))
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xffjunk")
    (folder / "notes.txt").write_text("no picture")
    (folder / "folder.png").mkdir()
    uses, notes = uploads.folder(folder, ME, 10)
    assert [use.name for use in uses] == ["a.PNG", "b.png", "c.webp"]
    assert all(uploads.find(use.id, ME) for use in uses)
    assert len(notes) == 1 and notes[0].startswith("bad.jpg: ")
    assert [use.name for use in uploads.folder(folder, ME, 1)[0]] == ["a.PNG"]


def test_a_folder_that_cannot_be_read_or_has_no_pictures_is_told(uploads: Uploads, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.png").write_bytes(b"")
    for folder, said in (("nowhere", "cannot be read"), ("empty", "no picture in"), ("broken", "x.png: "), ("a\0b", "cannot be read")):
        with pytest.raises(UserError, match=said):
            uploads.folder(tmp_path / folder, ME, 10)


def test_a_finished_picture_becomes_an_input_unless_its_file_is_gone(uploads: Uploads, tmp_path: Path) -> None:
    record = finished(uploads, tmp_path, TextToImage(seed=1))
    taken = uploads.adopt(record, ME)
    assert np.array_equal(np.asarray(uploads.inputs.open(taken.id)), np.asarray(noise()))
    record.path.unlink()
    with pytest.raises(UserError, match="not in the outputs folder"):
        uploads.adopt(record, ME)


def test_a_finished_picture_can_name_what_it_was_made_from_and_that_is_kept(uploads: Uploads, tmp_path: Path) -> None:
    """Also a picture of a loopback round before, which nobody has put in."""
    between = uploads.inputs.keep(noise(seed=5))
    request = ImageToImage(image=between, seed=1)
    finished(uploads, tmp_path, request)
    assert without_missing(uploads, request, ME) == (request, ())
    assert uploads.find(between, YOU) is None
    assert uploads._book.inputs.used() == {between}


def test_what_waits_keeps_its_pictures(uploads: Uploads) -> None:
    image, mask = put(uploads), uploads.mask(black_and_white((40, 30), 0.5), (40, 30), ME).id
    other = put(uploads, (9, 9))
    put(uploads, (8, 8))
    uploads._book.submit(Inpaint(image=image, mask=mask), ME)
    uploads._book.submit(ImageToImage(images=(PictureUse(id=other),)), ME)
    uploads._book.submit(TextToImage(prompt="a" * 64), ME)
    assert uploads._book.inputs.used() == {image, mask, other}
