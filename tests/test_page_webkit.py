"""A short round through the studio in WebKit (WebKitGTK's small browser), on the toy studio."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.support.browser_round import (
    guest,
    test_a_page_that_is_loaded_again_in_mid_job_follows_the_job_on,
    test_a_stroke_of_the_pointer_is_the_mask_of_the_job,
    test_what_is_typed_is_drawn_and_seen,
)
from tests.support.other_browsers import KEEPS, WebKit, webkit
from tests.support.page_fixtures import House, free_port, house, opened

pytestmark = pytest.mark.browser
__all__ = [
    "guest",
    "house",
    "test_a_page_that_is_loaded_again_in_mid_job_follows_the_job_on",
    "test_a_stroke_of_the_pointer_is_the_mask_of_the_job",
    "test_what_is_typed_is_drawn_and_seen",
]


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Generator[WebKit]:
    with webkit(tmp_path_factory.mktemp("webkit")) as browser:
        yield browser


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    with opened(House(tmp_path_factory.mktemp("house"), free_port(), head=KEEPS)) as house:
        yield house
