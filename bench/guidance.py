"""A job whose guidance acts in 60 % of its steps against the same job with guidance throughout, on the starter model."""

from __future__ import annotations

from dataclasses import replace

from bench.engine import job_seconds, starter_request, studio
from bench.paired import Row, Timed, compare, take_turns
from pipelines.prompts.asked import share_of_work

FROM, UNTIL = 0.2, 0.8


def measure(rounds: int) -> list[Row]:
    with studio() as (atelier, _):
        plain = starter_request(atelier.checkpoints()[0])
        within = replace(plain, guidance_from=FROM, guidance_until=UNTIL)
        variants: dict[str, Timed] = {
            "guidance throughout": lambda: job_seconds(atelier, plain),
            "in 60 % of the steps": lambda: job_seconds(atelier, within),
        }
        times = take_turns(variants, rounds)
        print(f"   calls of the network: {share_of_work(within):.2f} of guidance throughout")
    return compare(times, "guidance throughout", {"in 60 % of the steps": 0.85})
