"""A short round through the studio in Firefox (Debian's firefox-esr), on the toy studio."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.support.browser_round import (
    guest,
    test_a_page_that_is_loaded_again_in_mid_job_follows_the_job_on,
    test_a_stroke_of_the_pointer_is_the_mask_of_the_job,
    test_what_is_typed_is_drawn_and_seen,
)
from tests.support.other_browsers import Firefox, firefox
from tests.support.page_fixtures import house, open_house

pytestmark = pytest.mark.browser
__all__ = [
    "guest",
    "house",
    "open_house",
    "test_a_page_that_is_loaded_again_in_mid_job_follows_the_job_on",
    "test_a_stroke_of_the_pointer_is_the_mask_of_the_job",
    "test_what_is_typed_is_drawn_and_seen",
]


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Generator[Firefox]:
    with firefox(tmp_path_factory.mktemp("firefox")) as browser:
        yield browser
