"""The day that the bench of devices draws: each job once, the same from the same seed, and the studio's way better than the plain one."""

from __future__ import annotations

from dataclasses import replace

from bench.day import LARGE, SMALL, draw, orders
from bench.devices import ALONE, FIRST, OWN, FirstCome, KnowsAll, at, days, plot, told

SHORT = 0.5  # hours


def test_a_day_is_the_same_from_the_same_seed_and_has_the_load_that_is_said() -> None:
    day = orders(SMALL, 3, SHORT)
    assert [(work.user, work.came, work.model) for work in day] == [(work.user, work.came, work.model) for work in orders(SMALL, 3, SHORT)]
    asked = sum(work.batches * work.seconds for work in day) / (SHORT * 3600 * sum(SMALL.speeds))
    assert SMALL.load <= asked < SMALL.load + 0.3


def test_first_come_first_served_on_one_device_is_worked_out_by_hand() -> None:
    one = replace(SMALL, speeds=(2.0,), held=1, reading=10.0)
    first, second, third = [
        replace(work, batches=2, seconds=6.0, came=float(number)) for number, work in enumerate(orders(one, 1, SHORT)[:3])
    ]
    first.model = second.model = "a"
    third.model = "b"
    day = draw(one, [first, second, third], FirstCome())
    assert [work.begun for work in day.work] == [0.0, 16.0, 22.0] and third.ended == 38.0 and day.reads == 2
    again = draw(one, [replace(work, drawn=0, begun=None, ended=None) for work in (first, second, third)], KnowsAll(one))
    assert [work.ended for work in again.work] == [16.0, 22.0, 38.0]


def test_who_comes_fresh_waits_far_less_than_in_one_line_and_fewer_models_are_read_than_without_placing() -> None:
    found = days(LARGE, 7, SHORT)
    own, alone, first = found[OWN], found[ALONE], found[FIRST]
    assert at(own.fresh(), 0.95) < at(first.fresh(), 0.95) / 4
    assert own.reads < 0.7 * alone.reads and sum(own.stays()) < sum(alone.stays())
    assert all(way in plot({LARGE.name: found}) and way in told(LARGE, found) for way in found)
