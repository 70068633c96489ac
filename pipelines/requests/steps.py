"""Steps that a denoising strength leaves, by A1111's rule (1.10, modules/sd_samplers_common.py `setup_img2img_steps`).

    N steps at strength s:   t = int(min(s, 0.999) * N), and the last t + 1 of N steps run

    20 steps:  1.0 -> 20,  0.75 -> 16,  0.5 -> 11,  0.1 -> 3

diffusers runs int(N * s): one fewer below strength 1. With "run exactly the steps I asked for" the noise levels of
int(N / min(s, 0.999)) steps are planned and the last N of them run. Strength 0 runs none: the picture comes back. The rule is the
same for every sampler; A1111 starts DDIM one level further down. Imports no torch: the page shows the number before a run.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.requests.request import Drawing, FromPicture, ImageToImage, Wordless
from pipelines.samplers import SAMPLERS

NEARLY_ALL = 0.999
MOST_PLANNED = 1000  # training steps of the models: a finer plan says nothing new


@dataclass(frozen=True, slots=True)
class Steps:
    """`planned` noise levels, of which the first `skipped` do not run."""

    planned: int
    skipped: int = 0

    @property
    def run(self) -> int:
        return self.planned - self.skipped


def steps_of(request: Drawing | Wordless) -> Steps:
    """The steps of one run of this request; of the first round, where there are several."""
    if isinstance(request, FromPicture):
        return steps_at(request.steps, request.denoising_strength, request.exact_steps)
    return Steps(request.steps)


def steps_at(steps: int, strength: float, exact: bool = False) -> Steps:
    if strength <= 0:
        return Steps(steps, steps)
    share = min(strength, NEARLY_ALL)
    if exact:
        planned = max(steps, min(int(steps / share), MOST_PLANNED))
        return Steps(planned, planned - steps)
    return Steps(steps, steps - min(int(share * steps) + 1, steps))


def steps_in_all(request: Drawing) -> int:
    """Of all rounds of one picture."""
    if not isinstance(request, ImageToImage):
        return steps_of(request).run
    return sum(steps_at(request.steps, request.strength_of(turn), request.exact_steps).run for turn in range(request.loops))


def calls_in_all(request: Drawing) -> int:
    """Of the network, for one picture that is drawn whole."""
    spec = SAMPLERS[request.sampler]
    more = spec.calls_per_step - 1  # not at the end of a run
    rounds = request.loops if isinstance(request, ImageToImage) else 1
    steps = steps_in_all(request)
    return steps + more * max(0, steps - rounds) + spec.more_calls * min(rounds, steps)
