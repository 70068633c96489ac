"""A drawing: what every request has that a diffusion model draws. The kinds of drawings stand in `pipelines.requests.request`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from models.errors import UserError
from models.families import PIXELS_PER_LATENT
from pipelines.requests.added import EMBEDDINGS, HYPERNETWORKS, LORAS, EmbeddingUse, HypernetworkUse, LoraUse
from pipelines.requests.as_made import DecodeUse, Understanding
from pipelines.requests.branch import Branch
from pipelines.requests.control_unit import MOST_UNITS, ControlUse
from pipelines.requests.fields import Choice, Flag, Range, Several, Text
from pipelines.requests.groups import BRANCH, COMPUTED, CONTROL, GUIDANCE, MODEL, PICTURE, REGIONS, SAMPLING, WORDS
from pipelines.requests.guidance import Guided
from pipelines.requests.region import REGIONS_OF_ONE, Region, acting, check_regions
from pipelines.requests.second_pass import SAMPLER_NAMES, SCHEDULE_NAMES
from pipelines.requests.sizes import LONGEST, MEGAPIXELS, SHORTEST
from pipelines.requests.tiles import TILED_MEGAPIXELS, UNTILED, InWindows, in_tiles
from pipelines.requests.wording import SEEDS, WEIGHTS_ALONE, WHOLE_LANGUAGE, WORDINGS, Wording, worded, wording_of
from pipelines.samplers.own_levels import HIGHEST

OWN_VAE = "own"  # the checkpoint's own VAE, whatever was chosen for it
MOST_DECODES = 2000  # an outpainted picture has one for each of its windows


@dataclass(frozen=True, kw_only=True)
class Drawing(Guided):
    """A drawing: the fields that every way of drawing with a diffusion model shares."""

    pixels_per_latent: ClassVar[int] = PIXELS_PER_LATENT  # along one side, of the models that draw this kind

    prompt: str = WORDS("", Text(100_000), "Prompt")
    negative_prompt: str = WORDS("", Text(100_000), "Negative prompt")
    second_prompt: str = WORDS("", Text(100_000), "Second prompt", "For the second text encoder of SDXL models; empty: it reads the prompt")
    prompt_template: str = WORDS("", Text(100_000), "Template", "What the prompt was drawn of by the seed", derived=True)
    negative_template: str = WORDS("", Text(100_000), "Negative template", "What the negative prompt was drawn of", derived=True)
    second_template: str = WORDS("", Text(100_000), "Second template", "What the second prompt was drawn of", derived=True)
    regions: tuple[Region, ...] = REGIONS((), REGIONS_OF_ONE, "Regions")
    base_share: float = REGIONS(0.2, Range(0, 1, 0.05), "Share of the prompt", "In the regions; an empty prompt has none")
    region_ratios: str = REGIONS("", Text(200), "Ratios", "Of regions written in the prompt: 1,2 for columns, 1;2 for rows")
    checkpoint: str = MODEL("starter", Choice(), "Checkpoint")
    sampler: str = SAMPLING("DPM++ 2M", Choice(SAMPLER_NAMES), "Sampler", "How each step moves from noise towards the picture")
    schedule: str = SAMPLING("Automatic", Choice(SCHEDULE_NAMES), "Schedule", "How the noise levels are spread over the steps")
    steps: int = SAMPLING(20, Range(1, 150), "Steps", "More steps refine; 20 to 30 is usual")
    guidance_scale: float = SAMPLING(5.0, Range(0, 30, 0.1), "Guidance", "How closely the prompt is followed; 1 ignores the negative one")
    width: int = PICTURE(256, Range(SHORTEST, LONGEST, PIXELS_PER_LATENT, snap=True), "Width")
    height: int = PICTURE(256, Range(SHORTEST, LONGEST, PIXELS_PER_LATENT, snap=True), "Height")
    seed: int = PICTURE(-1, Range(-1, SEEDS - 1), "Seed", "-1 rolls the dice; the seed that was used is kept with the picture")
    variation_strength: float = PICTURE(0.0, Range(0, 1, 0.01), "Variation", "How far to go from the seed's picture towards another one")
    variation_seed: int = PICTURE(-1, Range(-1, SEEDS - 1), "Variation seed", "The seed of the other picture; -1 rolls the dice")
    vae: str = MODEL("", Choice(), "VAE", "Turns latents into pixels. Automatic: the one chosen for the checkpoint, else its own")
    clip_skip: int = MODEL(1, Range(1, 12, clamp=True), "Clip skip", "Layers of the text encoder to leave out: 1 none, 2 the last one")
    loras: tuple[LoraUse, ...] = MODEL((), LORAS, "LoRAs")
    hypernetworks: tuple[HypernetworkUse, ...] = MODEL((), HYPERNETWORKS, "Hypernetworks")
    embeddings: tuple[EmbeddingUse, ...] = MODEL((), EMBEDDINGS, "Embeddings", derived=True)
    controls: tuple[ControlUse, ...] = CONTROL((), Several(ControlUse, MOST_UNITS), "Control")
    refiner: str = MODEL("", Choice(), "Refiner", "A second checkpoint that draws the last steps")
    refiner_start: float = MODEL(0.8, Range(0, 1, 0.01), "Refiner from", "Share of the steps after which the refiner takes over")
    guidance_rescale: float = GUIDANCE(0.0, Range(0, 1, 0.05), "Guidance rescale", "Tames strong contrast; 0.7 suits zero-SNR models")
    eta: float = SAMPLING(1.0, Range(0, 1, 0.01), "Eta", "Share of fresh noise after each step; 0 adds none")
    ddim_eta: float = SAMPLING(0.0, Range(0, 1, 0.01), "Eta of DDIM", "Share of fresh noise after each step; 1 is DDPM")
    gamma: float = SAMPLING(0.3, Range(0, 1, 0.01), "Gamma", "Share of fresh noise after each step; less keeps more, more invents")
    s_noise: float = SAMPLING(1.0, Range(0, 2, 0.001), "Sigma noise", "Factor of the noise that is added on the way")
    s_churn: float = SAMPLING(0.0, Range(0, 100, 0.1), "Sigma churn", "Noise added before the steps, over all of them")
    s_tmin: float = SAMPLING(0.0, Range(0, 1000, 0.01), "Churn from", "The lowest noise level at which it is added")
    s_tmax: float = SAMPLING(0.0, Range(0, 20_000, 0.01), "Churn up to", "The highest one; 0 for all")
    sigma_min: float = SAMPLING(0.0, Range(0, 1000, 0.001), "Lowest noise level", "Before the last step; 0 for the model's")
    sigma_max: float = SAMPLING(0.0, Range(0, HIGHEST, 0.001), "Highest noise level", "Of the first step; 0 for the model's")
    rho: float = SAMPLING(0.0, Range(0, 100, 0.1), "Rho", "More: shorter steps at the end; 0 for the schedule's own")
    beta_alpha: float = SAMPLING(0.6, Range(0.01, 5, 0.01), "Beta: alpha", "Less: shorter steps at the beginning")
    beta_beta: float = SAMPLING(0.6, Range(0.01, 5, 0.01), "Beta: beta", "Less: shorter steps at the end")
    sigmas: str = SAMPLING("", Text(4000), "Noise levels", "One a step, the highest first. With another number of steps: between them")
    branch: tuple[Branch, ...] = BRANCH((), Several(Branch, 1), "Branch", "Goes on from a step of another picture", derived=True)
    language: int = COMPUTED(WHOLE_LANGUAGE, Range(WEIGHTS_ALONE, WHOLE_LANGUAGE), "Language of the prompts", derived=True)
    as_made: str = COMPUTED("", Text(64), "Made again", derived=True)  # the seal under which the decisions below are obeyed
    understood: tuple[Understanding, ...] = COMPUTED((), Several(Understanding, 2), "Understanding of the checkpoints", derived=True)
    decodes: tuple[DecodeUse, ...] = COMPUTED((), Several(DecodeUse, MOST_DECODES), "Ways of the VAE", derived=True)
    threads: int = COMPUTED(0, Range(0, 4096), "Threads", "Of the processor; 0: as many as the studio has", derived=True)
    batch_count: int = PICTURE(1, Range(1, 100), "Batch count", "Batches drawn one after another")
    batch_size: int = PICTURE(1, Range(1, 16), "Batch size", "Pictures drawn side by side")
    all_combinations: bool = PICTURE(False, Flag(), "All combinations", "Of the choices in the prompts, each as often as pictures")
    wordings: tuple[Wording, ...] = COMPUTED((), WORDINGS, "Words of the pictures", derived=True)  # of a job alone

    def check(self) -> None:
        super().check()
        check_regions(self.regions, [use.region for use in self.loras])
        if isinstance(self, InWindows):
            self.check_tiles(self.width, self.height)
        most = TILED_MEGAPIXELS if in_tiles(self) else MEGAPIXELS
        if self.width * self.height > most * 1e6:
            area = self.width * self.height / 1e6
            size = f"{self.width} x {self.height} is {area:.2f} megapixels"
            tiles = isinstance(self, InWindows) and self.tiling == UNTILED
            raise UserError(f"{size}; {most} is the most. Choose a smaller size{', or draw it in tiles' if tiles else ''}.")

    @property
    def words(self) -> str:
        return self.prompt or ", ".join(region.prompt for region in self.regions)

    @property
    def divided(self) -> dict[int, Region]:
        """The regions that act, by their numbers."""
        return acting(self.regions, {use.region for use in self.loras if use.region and (use.unet or use.text_encoder)})

    @property
    def dressed(self) -> tuple[int, ...]:
        """The numbers of those with LoRAs of their own."""
        return tuple(place for place in self.divided if any(use.region == place and (use.unet or use.text_encoder) for use in self.loras))

    @property
    def other_vae(self) -> str:
        """The id of the VAE that takes the place of the checkpoint's own, if one does."""
        return "" if self.vae == OWN_VAE else self.vae

    @property
    def batch_total(self) -> int:
        return self.batches_each * (len(self.wordings) if self.all_combinations and self.wordings else 1)

    @property
    def batches_each(self) -> int:
        """Batches of the words alone, or of each combination of words."""
        return self.batch_count * self.batch_size // self.pictures_a_batch

    @property
    def pictures_a_batch(self) -> int:
        """Pictures that may have other words than their neighbours are drawn one by one."""
        return 1 if self.wordings else self.batch_size

    def single(self, index: int) -> Self:
        """The request that makes picture `index` of this one alone. The seeds must be settled (not -1)."""
        combination, place = divmod(index, self.batches_each * self.pictures_a_batch)
        alone = replace(self.placed(place), batch_count=1, batch_size=1, all_combinations=False, wordings=())
        return worded(alone, wording_of(self, combination, place)) if self.wordings else alone

    def placed(self, index: int) -> Self:
        """With the seeds of picture `index`: seed + i, or with a variation one seed and variation seed + i (A1111 1.10)."""
        if self.variation_strength > 0:
            return replace(self, variation_seed=(self.variation_seed + index) % SEEDS)
        return replace(self, seed=(self.seed + index) % SEEDS)
