"""What may be done with guidance, against diffusers or a closed form; and networks that are as they were, bit for bit, afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance
from diffusers.guiders.classifier_free_zero_star_guidance import cfg_zero_star_scale
from diffusers.hooks.smoothed_energy_guidance_utils import _gaussian_blur_2d  # pyright: ignore[reportPrivateUsage]
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.families import FAMILIES, SD1, SDXL
from models.families.prediction import PREDICTIONS
from models.memory.forecast import Machine
from models.patches.perturbed import middle, with_blurred_queries
from pipelines.denoising.guidance import Answers, Guidance
from pipelines.denoising.pushes import Meaning
from pipelines.inside.guidance import Predictions
from pipelines.inside.watch import Watch
from pipelines.metadata import infotext
from pipelines.metadata.text_request import request_of
from pipelines.requests.guidance import LOOKS
from pipelines.requests.request import ImageToImage, TextToImage
from pipelines.samplers import SAMPLERS, plan, sample
from pipelines.samplers.noise_schedule import NoiseSchedule
from pipelines.services.guidance_cost import AS_EVER, cost_of
from tests.support.card_toys import GB, given, write_library
from tests.support.drawing import first_noise, off_by
from tests.support.kept import Drawings, runner_with
from tests.support.toy_weights import CPU, SCHEDULER, load_toy_model, write_toy_model
from tests.test_guidance import REQUEST, STEPS, answer

Answered = tuple[Answers, Meaning]


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawings]:
    folder = tmp_path_factory.mktemp("techniques")
    yield Drawings(runner_with(write_library(folder).runner(CPU, Machine(host=GB)), folder / "outputs"))


@pytest.fixture(scope="module")
def model(drawings: Drawings) -> Iterator[DiffusionModel]:
    with drawings.runner.lent(TextToImage()) as lent:
        yield lent


def drawn(request: TextToImage, drawings: Drawings) -> bytes:
    [picture] = drawings.of(request, keep=False)
    return picture.image.tobytes()


@pytest.fixture(params=["epsilon", "v_prediction"])
def answered(request: pytest.FixtureRequest) -> Answered:
    """Random answers of a network for two pictures."""
    source = torch.Generator().manual_seed(1)
    x, positive, negative, empty = (torch.randn(2, 4, 8, 8, generator=source) for _ in range(4))
    level = torch.tensor([3.0, 0.7]).view(-1, 1, 1, 1)
    meaning = Meaning(PREDICTIONS[request.param], x * (level**2 + 1).sqrt(), level)
    return Answers([(1.0, positive)], negative, empty), meaning


def combined(answers: Answers, meaning: Meaning, scale: float = 6.0, **fields: Any) -> Tensor:
    return Guidance(TextToImage(**fields)).combine(answers, scale, meaning)


def plainly(answers: Answers, scale: float = 6.0) -> Tensor:
    assert answers.negative is not None
    return answers.negative + scale * (answers.positive - answers.negative)


# ---- with the two answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "limit"), [(1.0, 0.0), (0.4, 0.0), (0.0, 5.0), (1.0, 5.0)])
def test_adaptive_projected_guidance_is_that_of_diffusers(share: float, limit: float, answered: Answered) -> None:
    answers, meaning = replace(answered[0], empty=None), answered[1]
    assert answers.negative is not None
    both = meaning.clean(answers.positive), meaning.clean(answers.negative)
    # its scale is that beyond the prompt alone, as in the paper's formula
    theirs: Any = normalized_guidance(*both, 6.0 - 1, eta=1 - share, norm_threshold=limit, use_original_formulation=True)
    ours = meaning.clean(combined(answers, meaning, projection=share, push_limit=limit))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("share", "limit"), [(0.0, 0.0), (1.0, 5.0)])
def test_momentum_takes_along_the_pushes_before_as_that_of_diffusers(share: float, limit: float, answered: Answered) -> None:
    answers, meaning = replace(answered[0], empty=None), answered[1]
    buffer: Any = MomentumBuffer(-0.5)
    guidance, before = Guidance(TextToImage(projection=share, push_limit=limit, momentum=-0.5)), None
    for turn in range(3):
        now = replace(answers, negative=torch.roll(answers.base, turn, 3))
        assert now.negative is not None
        before = guidance.gathered(now, 6.0, meaning, before)
        ours = meaning.clean(guidance.combine(replace(now, gathered=before), 6.0, meaning))
        both = meaning.clean(now.positive), meaning.clean(now.negative)
        theirs: Any = normalized_guidance(*both, 5.0, buffer, eta=1 - share, norm_threshold=limit, use_original_formulation=True)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert guidance.gathered(now, None, meaning, before) is None, "where guidance is off nothing is pushed"


def test_cfg_zero_star_is_that_of_diffusers(answered: Answered) -> None:
    answers, meaning = replace(answered[0], empty=None), answered[1]
    assert answers.negative is not None
    nearer = answers.negative * cfg_zero_star_scale(answers.positive.flatten(1), answers.negative.flatten(1)).view(-1, 1, 1, 1)
    torch.testing.assert_close(combined(answers, meaning, zero_star=True), nearer + 6 * (answers.positive - nearer), rtol=1e-4, atol=1e-4)


def test_perp_neg_takes_away_only_what_stands_upright_on_the_prompt(answered: Answered) -> None:
    """As ComfyUI's node works it out, in double precision and picture by picture."""
    answers, meaning = answered
    assert answers.negative is not None and answers.empty is not None
    ours = combined(answers, meaning, perp_negative=1.5, negative_prompt="fog")
    for picture in range(2):
        base, positive, against = (each[picture].double().flatten() for each in (answers.empty, answers.positive, answers.negative))
        push, other = positive - base, against - base
        upright = other - (other @ push / (push @ push)) * push
        assert abs(upright @ push) < 1e-9
        expected = base + 6 * (push - 1.5 * upright)
        torch.testing.assert_close(ours[picture].double().flatten(), expected, rtol=1e-4, atol=1e-4)


def test_a_prompt_that_says_nothing_pushes_nowhere(answered: Answered) -> None:
    answers, meaning = answered
    assert answers.empty is not None
    silent = replace(answers, pushes=[(1.0, answers.empty)])
    for fields in ({"perp_negative": 1.0}, {"projection": 1.0, "push_limit": 5.0}, {"contrast_as": 3.0}, {"zero_star": True}):
        assert torch.isfinite(combined(silent, meaning, **fields)).all()
    torch.testing.assert_close(combined(replace(silent, negative=answers.empty), meaning, perp_negative=1.0), answers.empty)


def test_a_channel_spreads_no_wider_than_at_the_weaker_guidance_and_keeps_its_mean(answered: Answered) -> None:
    answers, meaning = replace(answered[0], empty=None), answered[1]
    strong, weak = meaning.clean(plainly(answers, 12.0)), meaning.clean(plainly(answers, 4.0))
    ours = meaning.clean(combined(answers, meaning, 12.0, contrast_as=4.0))

    def spread(clean: Tensor) -> Tensor:
        return (clean - clean.mean((2, 3), keepdim=True)).abs().amax((2, 3))

    torch.testing.assert_close(ours.mean((2, 3)), strong.mean((2, 3)), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(spread(ours), torch.minimum(spread(strong), spread(weak)), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(combined(answers, meaning, 4.0, contrast_as=12.0), plainly(answers, 4.0), rtol=1e-3, atol=1e-3)


def test_what_lies_beyond_a_percentile_is_cut_off_as_in_dynamic_thresholding(answered: Answered) -> None:
    """Channel by channel in double precision, as sd-dynamic-thresholding works it out."""
    answers, meaning = replace(answered[0], empty=None), answered[1]
    strong, weak = (meaning.clean(plainly(answers, scale)).double() for scale in (12.0, 4.0))
    ours = meaning.clean(combined(answers, meaning, 12.0, contrast_as=4.0, contrast_percentile=95.0))
    for picture in range(2):
        for channel in range(4):
            values, own = strong[picture, channel], weak[picture, channel]
            middle, wanted = values.mean(), (own - own.mean()).abs().max()
            spread = max(torch.quantile((values - middle).abs().flatten(), 0.95), wanted)
            expected = middle + (values - middle).clamp(-spread, spread) / spread * wanted
            torch.testing.assert_close(ours[picture, channel].double(), expected, rtol=1e-3, atol=1e-3)


NEUTRAL: dict[str, dict[str, Any]] = {
    "blur of no SEG": {"third_look": "PAG", "look_strength": 0.0, "look_blur": 2.0},
    "percentile of no contrast": {"contrast_percentile": 95.0},
    "numbers of no FreeU": {"free_b1": 1.9, "free_s2": 0.5},
    "no momentum": {"momentum": 0.0},
    "no look": {"third_look": "PAG", "look_strength": 0.0},
    "strength of no look": {"look_strength": 9.0},
    "the same contrast": {"contrast_as": 6.0},
    "nothing negative": {"perp_negative": 2.0, "negative_prompt": " "},
    "no share": {"projection": 0.0, "push_limit": 0.0},
}


@pytest.mark.parametrize("name", NEUTRAL)
def test_at_neutral_values_the_very_bits_are_drawn(name: str, drawings: Drawings) -> None:
    request = replace(REQUEST, steps=2, guidance_scale=6.0)
    plain = replace(request, negative_prompt=NEUTRAL[name].get("negative_prompt", REQUEST.negative_prompt))
    assert drawn(replace(request, **NEUTRAL[name]), drawings) == drawn(plain, drawings)


def test_prompts_that_are_joined_are_one_push(answered: Answered) -> None:
    """Of the same prompt twice with half the weight, everything is as of one."""
    answers, meaning = answered
    halves = replace(answers, pushes=[(0.5, answers.positive), (0.5, answers.positive)])
    for fields in ({"projection": 0.7}, {"contrast_as": 2.0}, {"zero_star": True}, {"perp_negative": 1.0}, {"guidance_rescale": 0.6}):
        torch.testing.assert_close(combined(halves, meaning, **fields), combined(answers, meaning, **fields), rtol=1e-3, atol=1e-3)


# ---- a third look --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [SD1, SDXL], ids=lambda family: family.key)
def test_perturbed_attention_guidance_draws_the_picture_of_diffusers(family: Any, tmp_path: Path) -> None:
    import diffusers

    folder = write_toy_model(tmp_path, family=family)
    request = replace(REQUEST, sampler="Euler", steps=4, third_look="PAG", look_strength=2.0, guidance_rescale=0.5)
    library: Any = diffusers
    pipeline = library.AutoPipelineForText2Image.from_pretrained(
        folder, torch_dtype=torch.float32, local_files_only=True, enable_pag=True, pag_applied_layers="mid"
    )
    even = {"timestep_spacing": SCHEDULER["timestep_spacing"], "steps_offset": 1}
    pipeline.scheduler = library.EulerDiscreteScheduler.from_config(dict(pipeline.scheduler.config) | even)
    pipeline.set_progress_bar_config(disable=True)
    asked: dict[str, Any] = {"height": 64, "width": 64, "num_inference_steps": 4, "guidance_scale": request.guidance_scale}
    noise = first_noise(request.seed, 64, 64)
    theirs = pipeline(request.prompt, negative_prompt=request.negative_prompt, latents=noise, pag_scale=2.0, guidance_rescale=0.5, **asked)
    ours = load_toy_model(folder, family=family)
    assert off_by(request, ours, theirs.images[0]) <= 1 < off_by(replace(request, third_look="None"), ours, theirs.images[0])


def test_self_attention_guidance_draws_the_picture_of_diffusers(tmp_path: Path) -> None:
    import diffusers

    folder = write_toy_model(tmp_path)
    library: Any = diffusers
    pipeline = library.StableDiffusionSAGPipeline.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True)
    even = {"timestep_spacing": "leading", "steps_offset": 1, "set_alpha_to_one": False, "clip_sample": False}
    pipeline.scheduler = library.DDIMScheduler.from_config(dict(pipeline.scheduler.config) | even)
    pipeline.set_progress_bar_config(disable=True)
    ours = load_toy_model(folder)
    for network in (ours.unet, pipeline.unet):  # random layers look everywhere alike, so that rounding would decide where more than that is
        middle(network)[0].to_q.weight.data *= 40
    first = plan("DDIM", "Automatic", 4, NoiseSchedule(ours.alphas_cumprod))[0]
    noise = first_noise(REQUEST.seed, 64, 64) * first / (first**2 + 1) ** 0.5  # diffusers begins with the noise alone
    for scale in (6.0, 1.0):
        request = replace(REQUEST, sampler="DDIM", steps=4, third_look="SAG", look_strength=1.0, guidance_scale=scale)
        asked: dict[str, Any] = {"height": 64, "width": 64, "num_inference_steps": 4, "guidance_scale": scale, "sag_scale": 1.0}
        theirs = pipeline(request.prompt, negative_prompt=request.negative_prompt, latents=noise, **asked).images[0]
        assert off_by(request, ours, theirs) <= 4 < 40 < off_by(replace(request, third_look="None"), ours, theirs)


def test_with_one_query_all_places_of_the_middle_see_the_same(model: DiffusionModel) -> None:
    seen: list[Tensor] = []
    layer: Any = middle(model.unet)[0]
    before, hook = layer.processor, layer.register_forward_hook(lambda _, given, answer: seen.append(answer))
    try:
        with torch.inference_mode(), with_blurred_queries(model.unet):
            answer(REQUEST, model)
        answer(REQUEST, model)
    finally:
        hook.remove()
    blind, seeing = seen
    assert (blind - blind.mean(1, keepdim=True)).abs().max() < 1e-5 < (seeing - seeing.mean(1, keepdim=True)).abs().max()
    assert layer.processor is before and not layer.to_q._forward_hooks


@pytest.mark.parametrize("sides", [(8, 8), (4, 12)])
def test_a_blur_of_queries_is_that_of_diffusers(sides: tuple[int, int], model: DiffusionModel) -> None:
    """Its function knows squares alone, and takes any sigma beyond its threshold for one to blur by; others are turned round."""
    layer: Any = middle(model.unet)[0]
    height, width = sides
    given = torch.randn(2, height * width, layer.to_q.in_features, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        plain = layer.to_q(given)
        with with_blurred_queries(model.unet, 0.6, height / width):
            ours = layer.to_q(given)
        with with_blurred_queries(model.unet, 0.6, width / height):
            turned = (
                layer.to_q(given.unflatten(1, sides).transpose(1, 2).flatten(1, 2)).unflatten(1, sides[::-1]).transpose(1, 2).flatten(1, 2)
            )
        torch.testing.assert_close(ours, turned)
        assert (ours - plain).abs().max() > 0.01
        if height == width:
            torch.testing.assert_close(ours, _gaussian_blur_2d(plain.clone(), 5, 0.6, sigma_threshold_inf=-1.0), rtol=1e-4, atol=1e-5)
    assert torch.equal(layer.to_q(given), plain), "it is as it was"


@pytest.mark.parametrize("look", [look for look in LOOKS if look != "None"])
@pytest.mark.parametrize("scale", [1.0, 6.0])
def test_a_third_look_pushes_away_from_itself_and_leaves_the_network_as_it_was(look: str, scale: float, model: DiffusionModel) -> None:
    plain = replace(REQUEST, guidance_scale=scale)
    one, two, none = (answer(replace(plain, third_look=look, look_strength=strength), model) for strength in (1.0, 2.0, 0.0))
    assert torch.equal(none, answer(plain, model)) and not torch.equal(one, none)
    torch.testing.assert_close(two - none, 2 * (one - none), rtol=1e-3, atol=1e-4)


# ---- the networks --------------------------------------------------------------------------------------------------------------


def test_free_u_is_that_of_diffusers_with_the_numbers_of_the_family(drawings: Drawings, model: DiffusionModel) -> None:
    plain = answer(REQUEST, model)
    with drawings.runner.lent(replace(REQUEST, free_u=1.0)) as lent:
        ours = answer(REQUEST, lent)
    assert torch.equal(answer(REQUEST, model), plain), "it is as it was"
    b1, b2, s1, s2 = SD1.free_u
    unet: Any = model.unet
    with drawings.runner.lent(replace(REQUEST, free_u=1.0, free_b2=1.1, free_s1=0.4)) as lent:
        own = answer(REQUEST, lent)
    unet.enable_freeu(s1=0.4, s2=s2, b1=b1, b2=1.1)
    assert torch.equal(own, answer(REQUEST, model)) and not torch.equal(own, ours)
    unet.disable_freeu()
    unet.enable_freeu(s1=s1, s2=s2, b1=b1, b2=b2)
    try:
        assert torch.equal(ours, answer(REQUEST, model)) and not torch.equal(ours, plain)
    finally:
        unet.disable_freeu()
    assert torch.equal(answer(REQUEST, model), plain)
    assert {key: family.free_u[:2] for key, family in FAMILIES.items()}["sdxl"] == (1.3, 1.4)


@pytest.mark.parametrize(("how", "across", "down"), [("Both", True, True), ("X", True, False), ("Y", False, True), ("Off", False, False)])
def test_what_is_seamless_moves_over_its_edges(how: str, across: bool, down: bool, drawings: Drawings) -> None:
    """Through UNet, VAE and preview: moved by 8 latents before is moved by as much afterwards, along the sides that join."""
    x = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    with drawings.runner.lent(replace(REQUEST, seamless=how)) as lent, torch.inference_mode():
        context = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(2))
        unet: Any = lent.unet
        vae: Any = lent.vae
        layers = (lambda z: unet(z, 500, context).sample, lambda z: vae.decode(z).sample, lent.preview)
        for axis, joins in ((3, across), (2, down)):
            for network in layers:
                plain, moved = network(x), network(x.roll(8, axis))
                expected = plain.roll(8 * plain.shape[axis] // 16, axis)
                off = ((moved - expected).abs().max() / plain.abs().max()).item()
                edges = network is not lent.preview or any(p.ndim == 4 for p in lent.preview.parameters())
                assert (off < 1e-4) is (joins or not edges), (how, axis, off, network)


def test_a_seamless_picture_leaves_the_networks_as_they_were_and_large_ones_join_too(drawings: Drawings) -> None:
    plain = drawn(REQUEST, drawings)
    assert drawn(replace(REQUEST, seamless="Both"), drawings) != plain == drawn(REQUEST, drawings)
    wide = replace(REQUEST, width=832, steps=1)  # wider than what the VAE decodes at once
    [picture] = drawings.of(replace(wide, seamless="X"), keep=False)
    assert picture.image.size == (832, 64)


def test_what_is_drawn_in_tiles_is_not_seamless() -> None:
    with pytest.raises(UserError, match="no tile sees both edges"):
        ImageToImage.admit({"tiling": "Windows", "seamless": "X"})
    with pytest.raises(UserError, match="no tile sees both edges"):
        TextToImage.admit({"hires": True, "hires_tiling": "Windows", "seamless": "Both"})


# ---- told ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "text"), [("Both", "Tiling: True"), ("X", "Tiling: X"), ("Y", "Tiling: Y")])
def test_settings_come_back_from_the_text_and_tiling_is_that_of_a1111(how: str, text: str) -> None:
    request = TextToImage(
        prompt="x",
        seed=1,
        seamless=how,
        zero_star=True,
        third_look="SEG",
        free_u=0.5,
        guidance_curve="Late",
        push_limit=15,
        momentum=-0.5,
        look_blur=4.0,
        contrast_percentile=99.0,
        free_s2=0.3,
    )
    written = infotext.write(request, {})
    assert text in written and "CFG-Zero star: True, " in written
    found = request_of(infotext.parse(written))
    assert found.request == request and not found.unknown and not found.notes
    assert "Tiling" not in infotext.write(replace(request, seamless="Off"), {})
    assert infotext.parse("x\nSteps: 20, Seed: 1, Tiling: False").values["seamless"] == "Off"


def test_the_cost_is_said_in_words() -> None:
    assert cost_of(REQUEST) == cost_of(replace(REQUEST, zero_star=True, free_u=1.0)) == AS_EVER
    assert cost_of(replace(REQUEST, third_look="PAG")) == "+50 % calls of the network."
    assert cost_of(replace(REQUEST, guidance_until=0.5)) == "−25 % calls of the network."
    assert cost_of(replace(REQUEST, third_look="PAG", perp_negative=1.0)) == "+100 % calls of the network."


# ---- samplers that need both ---------------------------------------------------------------------------------------------------


class Apart:
    """A denoiser whose two predictions are known: with the prompt 3, without it 1, at guidance g."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        return torch.full_like(x, 1 + self.scale * 2)

    def both(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        return self(x, sigma), torch.ones_like(x)


@pytest.mark.parametrize(("name", "scale", "acts"), [("Euler CFG++", 1.5, 1.5), ("DDIM CFG++", 7.5, 0.6)])
def test_cfg_pp_steps_along_what_is_seen_without_the_prompt(name: str, scale: float, acts: float) -> None:
    """x' - x0' = (x - u) sigma' / sigma: Chung et al. (2024), arXiv:2406.08070, algorithm 2."""
    x, sigmas = torch.full((1, 4, 2, 2), 20.0), torch.tensor([10.0, 4.0, 1.0, 0.0])
    noise: Any = type("Silent", (), {"source": staticmethod(lambda *_: None)})
    value = 20.0
    for moment, (sigma, below) in zip(sample(name, Apart(scale), x, sigmas, noise), [(10.0, 4.0), (4.0, 1.0), (1.0, 0.0)], strict=True):
        value = 1 + 2 * acts + (value - 1) * below / sigma
        torch.testing.assert_close(moment.x, torch.full_like(x, value))
        torch.testing.assert_close(moment.x0, torch.full_like(x, 1 + 2 * acts))


@pytest.mark.parametrize("name", [name for name, spec in SAMPLERS.items() if spec.needs_both])
def test_at_guidance_1_they_still_ask_for_both_and_without_a_negative_answer_are_the_samplers_that_they_come_from(
    name: str, drawings: Drawings
) -> None:
    request = TextToImage(**given(sampler=name, steps=STEPS, guidance_scale=1.0))
    assert cost_of(request) == AS_EVER and drawn(request, drawings) != drawn(replace(request, guidance_from=1.0), drawings)
    off = replace(request, guidance_from=1.0)
    plain = replace(off, sampler=name.removesuffix(" CFG++"))
    [ours], [theirs] = drawings.of(off, keep=False), drawings.of(plain, keep=False)
    differ = torch.frombuffer(bytearray(ours.image.tobytes()), dtype=torch.uint8).int() - torch.frombuffer(
        bytearray(theirs.image.tobytes()), dtype=torch.uint8
    )
    assert differ.abs().max() <= 1


# ---- seen from inside ----------------------------------------------------------------------------------------------------------

SEEN: dict[str, dict[str, Any]] = {
    "a third look": {"third_look": "PAG", "projection": 0.5},
    "at guidance 1": {"third_look": "SEG", "guidance_scale": 1.0},
    "joined": {"prompt": "a red house AND a green tree :0.5", "third_look": "SAG", "perp_negative": 1.0, "contrast_as": 2.0},
}


@pytest.mark.parametrize("name", SEEN)
def test_what_inside_tells_of_a_step_at_its_own_guidance_is_what_was_predicted(name: str, model: DiffusionModel) -> None:
    request = replace(REQUEST, **SEEN[name])
    watch = Watch(request)
    with watch.watching(model):
        predicted = [answer(request, model, index) for index in range(2) if watch.made(index) is None]
    for index, seen in watch.steps.items():
        told = Predictions(model, request, seen).at(request.guidance_scale)
        torch.testing.assert_close(told, predicted[index], rtol=1e-2, atol=1e-2)
    assert len(watch.steps) == 2 == len(predicted)
