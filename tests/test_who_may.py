"""The page that says who may do what is made of the tables by which the studio decides, and is as they are now."""

from __future__ import annotations

import pytest

from docs.who_may import PAGE, ROOMS, found, rows, written
from pipelines.people.roles import Role


@pytest.fixture(scope="module")
def least() -> dict[str, Role]:
    return found()


def test_the_page_is_as_the_tables_are() -> None:
    assert PAGE.read_text("utf-8") == written(), "make it anew: python -m docs.who_may"


def test_every_address_and_every_handler_has_its_words_once(least: dict[str, Role]) -> None:
    assert len(list(rows(least))) == sum(len(acts) for _, acts in ROOMS)
    tomorrow: dict[str, Role] = {"GET/of tomorrow": "owner"}
    with pytest.raises(ValueError, match="of tomorrow"):
        list(rows(least | tomorrow))
    with pytest.raises(ValueError, match=r"stage\.generate"):
        list(rows({name: role for name, role in least.items() if name != "stage.generate"}))


def test_an_act_is_open_to_the_same_people_wherever_it_is_done(least: dict[str, Role]) -> None:
    changed: dict[str, Role] = {"POST/queue/undo": "owner"}
    with pytest.raises(ValueError, match=r"several roles.*POST/queue/undo"):
        list(rows(least | changed))
