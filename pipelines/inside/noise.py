"""Forward diffusion: a finished picture in more and more noise, the noise of its own seed, up to what its drawing began with."""

from __future__ import annotations

import torch
from torch import Tensor

from models.diffusion_model import DiffusionModel
from pipelines.denoising.vae_encode import encode
from pipelines.inside.answers import InsideLevel, NoiseFound
from pipelines.inside.desk import Desk, Found, Looking, Seen, jpeg
from pipelines.inside.schedules import numbers, short
from pipelines.inside.shown import decoded, is_quick
from pipelines.jobs.events import retold
from pipelines.jobs.runner import Runner
from pipelines.samplers.noise_schedule import schedule_of
from pipelines.tasks.img2img import on_grid
from pipelines.tasks.sampling import noise_of

LEVELS = 25  # the first of them without noise


def look(desk: Desk, runner: Runner) -> Looking:
    """What the network would read of the picture at each level, even in the training steps: (x0 + sigma * noise) / sqrt(1 + sigma^2),
    the forward process of Ho et al. 2020 (arXiv:2006.11239, formula 4).
    """
    request = desk.request
    with runner.lent(request) as model, torch.inference_mode():
        clean = yield from retold(encode(model, on_grid(desk.picture(), model.family.latent.pixels)), lambda _: Seen(0, LEVELS))
        noise = noise_of([request], tuple(clean.shape[1:]), model).first()
        exact = is_quick(model, LEVELS * clean[0, 0].numel() * model.family.latent.pixels**2)
        levels, files = list[InsideLevel](), dict[str, bytes]()
        for number, (sigma, timestep) in enumerate(levels_of(model)):
            share = (1 + sigma**2) ** -0.5
            picture = yield from decoded(model, noised(clean, noise, sigma), exact, Seen(number, LEVELS))
            files[f"noise-{number}.jpg"] = jpeg(picture)
            levels.append({"sigma": short(sigma), "timestep": short(timestep), "signal": short(share), "noise": short(sigma * share)})
            yield Seen(number + 1, LEVELS)
    return Found(NoiseFound(levels=levels, exact=exact), files)


def noised(clean: Tensor, noise: Tensor, sigma: float) -> Tensor:
    """Latents with a share of noise, of the same variance whatever the share."""
    return (clean + sigma * noise) * (1 + sigma**2) ** -0.5


def levels_of(model: DiffusionModel) -> list[tuple[float, float]]:
    """(sigma, timestep) of each level, from none to the most that the model was trained on."""
    schedule = schedule_of(model)
    timesteps = torch.linspace(0, len(schedule) - 1, LEVELS - 1)
    return [(0.0, 0.0), *zip(numbers(schedule.t_to_sigma(timesteps)), numbers(timesteps), strict=True)]
