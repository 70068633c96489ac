"""Options of samplers and schedules as fields of a request: neutral until they are touched, told, kept, and changed by a branch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from models.errors import UserError
from models.memory.forecast import Machine
from pipelines.metadata import infotext
from pipelines.programs.names import schedule_of
from pipelines.requests.request import SAMPLER_NAMES, TextToImage, describe
from pipelines.requests.sampling import NEUTRAL, OPTIONS, acting, acting_in, sampler_options, schedule_options
from pipelines.resolving.details import details
from pipelines.resolving.model_names import ModelNames
from pipelines.resolving.resolve import resolve
from pipelines.samplers import SAMPLERS, SCHEDULES
from pipelines.samplers.options import USUAL, USUAL_SCHEDULE
from pipelines.steps.content import content_of
from tests.support.card_toys import GB, given, write_library
from tests.support.kept import Drawings, branched, runner_with
from tests.support.toy_weights import CPU

MADE_WITH = {"Model hash": "0123456789"}


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawings]:
    folder = tmp_path_factory.mktemp("options")
    yield Drawings(runner_with(write_library(folder).runner(CPU, Machine(host=GB)), folder / "outputs"))


def drawn(drawings: Drawings, **values: Any) -> bytes:
    [picture] = drawings.of(resolve(TextToImage(**given(steps=3, **values)), drawings.runner.catalog), keep=False)
    return picture.image.tobytes()


# ---- pictures of before --------------------------------------------------------------------------------------------------------


def test_a_request_that_says_nothing_of_them_tells_samplers_and_schedules_nothing() -> None:
    """So pictures of before are the same, bit for bit."""
    for sampler in SAMPLER_NAMES:
        request = TextToImage(sampler=sampler)
        assert sampler_options(request) == USUAL and schedule_options(request) == USUAL_SCHEDULE
    assert set(NEUTRAL) == set(OPTIONS)
    assert {name for spec in (*SAMPLERS.values(), *SCHEDULES.values()) for name in spec.options} == set(OPTIONS), "and each is read"


def test_steps_that_were_kept_before_there_were_any_are_found() -> None:
    """What stands at its neutral value is as if it were not there."""
    old = {name: value for name, value in describe(TextToImage()).items() if name not in OPTIONS}
    assert content_of(TextToImage.admit({name: value for name, value in old.items() if name != "kind"}), MADE_WITH) == (
        "b36f2ad91c44289b5c4e6b48af6aa003"
    )
    assert content_of(TextToImage(eta=0.5), MADE_WITH) != content_of(TextToImage(), MADE_WITH)


# ---- what they do --------------------------------------------------------------------------------------------------------------

EACH = [
    ("Euler a", "Automatic", {"eta": 0.3}), ("Euler a", "Automatic", {"s_noise": 1.1}), ("DDIM", "Automatic", {"ddim_eta": 0.7}),
    ("TCD", "Automatic", {"gamma": 0.8}), ("Euler", "Normal", {"s_churn": 2.0}), ("Euler", "Karras", {"rho": 1.0}),
    ("Euler", "Karras", {"sigma_min": 0.4}), ("Euler", "Normal", {"sigma_max": 5.0}), ("Euler", "Beta", {"beta_alpha": 1.0}),
    ("Euler", "Beta sigma", {"beta_beta": 1.0}),
]  # fmt: skip


@pytest.mark.parametrize(("sampler", "schedule", "option"), EACH)
def test_each_changes_the_picture_where_it_acts_and_is_told(
    sampler: str, schedule: str, option: dict[str, Any], drawings: Drawings
) -> None:
    chosen: dict[str, Any] = {"sampler": sampler, "schedule": schedule}
    assert set(option) <= set(acting(sampler, schedule))
    assert (
        drawn(drawings, **chosen, **option)
        != drawn(drawings, **chosen)
        == drawn(drawings, **chosen, **{name: NEUTRAL[name] for name in option})
    )
    told = details(TextToImage(**chosen, **option), {}, ModelNames(drawings.runner.catalog, {}), {})
    assert {name for values in told.values() for value in values for name in value.fields} >= set(option)


def test_churn_acts_between_its_levels_alone(drawings: Drawings) -> None:
    without, everywhere = (drawn(drawings, sampler="Euler", s_churn=churn) for churn in (0.0, 2.0))
    low = drawn(drawings, sampler="Euler", s_churn=2.0, s_tmax=5.0)
    assert len({without, everywhere, low}) == 3
    assert drawn(drawings, sampler="Euler", s_churn=2.0, s_tmin=100.0) == without


def test_own_noise_levels_draw_what_the_schedule_that_has_them_draws(drawings: Drawings) -> None:
    karras = ", ".join(repr(sigma) for sigma in (14.614641189575195, 1.6167812347412, 0.02916753850877285))
    own = drawn(drawings, schedule="Own levels", sigmas=karras)
    assert own != drawn(drawings, schedule="Own levels", sigmas="14.6, 5, 1")
    assert own == drawn(drawings, schedule="Own levels", sigmas=f"[{karras}, 0]")


def test_what_does_not_act_is_not_told(drawings: Drawings) -> None:
    assert acting_in(TextToImage(sampler="DPM++ 2M", schedule="Simple")) == set()
    assert acting_in(TextToImage(sampler="LMS", schedule="Simple", hires=True, hires_sampler="Euler a")) == {"eta", "s_noise"}
    told = details(TextToImage(sampler="LMS", schedule="Simple", eta=0.3), {}, ModelNames(drawings.runner.catalog, {}), {})
    assert not {name for values in told.values() for value in values for name in value.fields} & set(OPTIONS)


@pytest.mark.parametrize(
    ("values", "says"),
    [({"schedule": "Own levels"}, "Write some"), ({"schedule": "Own levels", "sigmas": "3, 5"}, "5 comes after 3"),
     ({"sampler": "DDIM", "schedule": "Karras"}, "DDIM does not work"),
     ({"hires": True, "hires_schedule": "Own levels"}, "Write some")],
)  # fmt: skip
def test_what_cannot_be_drawn_is_said_when_it_is_asked_for(values: dict[str, Any], says: str, drawings: Drawings) -> None:
    with pytest.raises(UserError, match=says):
        resolve(TextToImage(**given(**values)), drawings.runner.catalog)


# ---- a branch ------------------------------------------------------------------------------------------------------------------


def test_a_branch_takes_other_options_of_its_sampler_and_leaves_its_levels(drawings: Drawings) -> None:
    drawings.forget()
    catalog = drawings.runner.catalog
    [picture] = drawings.of(TextToImage(**given(sampler="Euler a", steps=4)))
    [calm] = drawings.of(resolve(branched(picture, 2, eta=0.0), catalog), keep=False)
    assert len(drawings.steps_made) == 2, "only what is left is drawn"
    whole = replace(picture.request, eta=0.0, as_made="")  # pyright: ignore[reportArgumentType]
    [other] = drawings.of(resolve(whole, catalog), keep=False)
    assert calm.image.tobytes() not in (picture.image.tobytes(), other.image.tobytes())
    changed: list[tuple[dict[str, Any], str]] = [
        ({"rho": 2.0}, "Rho"),
        ({"sigma_max": 9.0}, "Highest noise level"),
        ({"sigmas": "3, 2"}, "Noise levels"),
    ]
    for changes, named in changed:
        with pytest.raises(UserError, match=named):
            resolve(branched(picture, 2, **changes), catalog)


def test_a_branch_takes_other_levels_of_its_own_after_the_step(drawings: Drawings) -> None:
    """Where there is one a step: what was drawn is what a run over both beginnings would have drawn."""
    drawings.forget()
    catalog = drawings.runner.catalog
    own: dict[str, Any] = {"sampler": "Euler", "schedule": "Own levels", "steps": 4}
    [picture] = drawings.of(TextToImage(**given(**own, sigmas="14, 6, 2, 0.5")))
    [other] = drawings.of(resolve(branched(picture, 2, sigmas="14 6 2 1.2"), catalog), keep=False)
    [whole] = drawings.of(TextToImage(**given(**own, sigmas="14, 6, 2, 1.2")), keep=False)
    assert other.image.tobytes() == whole.image.tobytes() != picture.image.tobytes()
    for levels in ("14, 6, 3, 1.2", "14, 6, 2, 1.2, 0.4", "14, 6"):
        with pytest.raises(UserError, match="Noise levels"):
            resolve(branched(picture, 2, sigmas=levels), catalog)


# ---- in the words of others ----------------------------------------------------------------------------------------------------


A1111 = """a red house
Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 5, Seed: 7, Size: 256x256, Eta: 0.67, Sigma churn: 4, Sigma tmin: 0.3, \
Sigma tmax: 9, Sigma noise: 1.02, Schedule min sigma: 0.1, Schedule max sigma: 10, Schedule rho: 3, Beta schedule alpha: 0.7, \
Beta schedule beta: 0.8, Eta DDIM: 0.5, Version: v1.10.1"""


def test_the_keys_of_a1111_are_read_and_written() -> None:
    found = infotext.parse(A1111.replace("\\\n", ""))
    told = {
        "eta": 0.67, "ddim_eta": 0.5, "s_churn": 4, "s_tmin": 0.3, "s_tmax": 9, "s_noise": 1.02,
        "sigma_min": 0.1, "sigma_max": 10, "rho": 3, "beta_alpha": 0.7, "beta_beta": 0.8,
    }  # fmt: skip
    assert told.items() <= found.values.items() and not found.leftovers and not found.notes
    written = infotext.write(TextToImage.admit(found.values), {})
    assert all(pair in written for pair in A1111.replace("\\\n", "").splitlines()[-1].split(", ")[:-1])
    assert "Eta" not in infotext.write(TextToImage(seed=1), {})


def test_a_schedule_that_the_other_program_did_not_read_is_not_read_here_either() -> None:
    """A1111 writes Karras for Restart, which has its own, and lets one choose Karras for DDIM."""
    for sampler in ("Restart", "DDIM"):
        found = infotext.parse(f"x\nSteps: 20, Sampler: {sampler}, Schedule type: Karras, Seed: 1").values
        assert (found["sampler"], found["schedule"]) == (sampler, "Automatic")


def test_polyexponential_with_its_rho_is_exponential_with_one() -> None:
    assert schedule_of("Polyexponential").name == "Exponential" and "rho" in SCHEDULES["Exponential"].options
