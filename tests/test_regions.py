"""Regions with words of their own: against the closed form of attention, against plain prompts, and judged on the starter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from models.diffusion_model import DiffusionModel, RegionLoras
from models.errors import UserError
from models.families import SDXL
from models.memory.device import mend_torchvision
from models.patches.lora import dressed
from models.patches.lora_files import Lora
from models.patches.regions import divided, word_layers
from models.tensors.lora_names import Target
from pipelines.control.regions import Regions
from pipelines.denoising.areas import mixed
from pipelines.denoising.samples import Samples
from pipelines.denoising.tiled import Tiled
from pipelines.images.masking import Patch
from pipelines.images.store import Inputs
from pipelines.prompts.asked import asked_by
from pipelines.requests.region import Region
from pipelines.requests.request import ImageToImage, LoraUse, TextToImage
from pipelines.requests.steps import Steps
from pipelines.requests.tiles import WINDOWS
from pipelines.tasks.conditioning import Denoisers
from tests.support.toy_weights import load_toy_model, write_toy_model

pytestmark = pytest.mark.smoke

SIDE = 64
LONG = ", ".join(f"word {number}" for number in range(60))  # two chunks
REQUEST = TextToImage(prompt="a street", negative_prompt="mountains", steps=4, seed=5, width=SIDE, height=SIDE, base_share=0.0)
LEFT, RIGHT = Region(prompt="a red house", right=0.5), Region(prompt="a blue tree", left=0.5)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("sd1")))


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("sdxl"), family=SDXL), family=SDXL)


def x0(request: Any, model: DiffusionModel, count: int = 1, inputs: Inputs | None = None, step: int = 0, height: int = SIDE) -> Tensor:
    """What is predicted of the same noise at one step."""
    latents = torch.randn(count, 4, height // 8, request.width // 8, generator=torch.Generator().manual_seed(7)) * 3
    with torch.inference_mode():
        denoise = Denoisers(request, model, inputs=inputs).whole()
        denoise.begin(step, Steps(request.steps))
        return denoise(latents, torch.full((count,), 2.5))


# ---- the closed form -----------------------------------------------------------------------------------------------------------


class OneLayer(nn.Module):
    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        mend_torchvision()
        from diffusers.models.attention_processor import Attention

        torch.manual_seed(1)
        self.attn2 = Attention(query_dim=8, cross_attention_dim=width, heads=heads, dim_head=4)


def by_hand(attn: Any, hidden: Tensor, contexts: list[Tensor], shares: list[Tensor]) -> Tensor:
    """softmax(q k / sqrt(d)) v of each prompt for itself, in float64, mixed place by place."""
    layer = [np.asarray(part.weight.detach(), np.float64) for part in (attn.to_q, attn.to_k, attn.to_v, attn.to_out[0])]
    found = np.zeros((hidden.shape[1], layer[0].shape[0]))
    for context, share in zip(contexts, shares, strict=True):
        query, key, value = (
            hidden[0].double().numpy() @ layer[0].T,
            context[0].double().numpy() @ layer[1].T,
            context[0].double().numpy() @ layer[2].T,
        )
        heads = []
        for first in range(0, query.shape[1], 4):
            part = slice(first, first + 4)
            scores = np.exp(query[:, part] @ key[:, part].T / 2)
            heads.append(scores / scores.sum(1, keepdims=True) @ value[:, part])
        found += np.concatenate(heads, 1) * share[0].double().numpy()
    return torch.as_tensor(found @ layer[3].T + attn.to_out[0].bias.detach().double().numpy())


def test_a_layer_mixes_what_each_prompt_answers_by_what_it_counts_at_each_place() -> None:
    """Prompts of different lengths; the negative branch reads its own."""
    unet: Any = OneLayer(2, 6)
    before = unet.attn2.processor
    hidden, context = torch.randn(2, 9, 8), torch.randn(2, 5, 6)
    others = [torch.randn(1, length, 6) for length in (5, 11)]
    shares = list(torch.rand(3, 1, 9, 1))
    with torch.no_grad():
        plain = unet.attn2(hidden, context)
        with divided(unet, others, lambda places: shares, 2):
            found = unet.attn2(hidden, context)
    assert torch.equal(found[0], plain[0])
    expected = by_hand(unet.attn2, hidden[1:], [context[1:], *others], shares)
    assert (found[1] - expected).abs().max() < 1e-6
    assert unet.attn2.processor is before


@pytest.mark.parametrize("base", [0.0, 0.2, 1.0])
def test_shares_add_up_to_one_and_stand_as_weights_to_the_share_of_the_prompt(base: float) -> None:
    """Places: none, the first alone, half of it, both."""
    prompt, first, second = mixed(torch.tensor([[0.0, 1.0, 0.5, 1.0], [0.0, 0.0, 0.0, 1.0]]), (2.0, 0.5), base)
    assert torch.allclose(prompt + first + second, torch.ones(4))
    alone = 2 * (1 - base) / (base + 2 * (1 - base))
    both = base + (1 - base) * 1.25
    assert torch.allclose(first, torch.tensor([0, alone, alone / 2, (1 - base) * 1.0 / both]))
    assert torch.allclose(second, torch.tensor([0, 0, 0, (1 - base) * 0.25 / both]))


# ---- against plain prompts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "negative"), [("a red house", "mountains"), ("a red house", LONG), (LONG, LONG), ("[a red house:a boat:0.5]", "mountains")]
)
def test_one_region_over_all_is_the_plain_prompt_bit_for_bit(words: str, negative: str, model: DiffusionModel) -> None:
    """The negative prompt is as long as the prompt asks for, whatever regions say, so words that are longer than both say the same beside
    another negative one.
    """
    request = replace(REQUEST, negative_prompt=negative)
    for step in (0, 3):
        ours = x0(replace(request, regions=(Region(prompt=words),)), model, 2, step=step)
        assert torch.equal(ours, x0(replace(request, prompt=words), model, 2, step=step))


def test_one_region_over_all_speaks_for_the_whole_picture_to_sdxl_too(sdxl: DiffusionModel) -> None:
    ours = x0(replace(REQUEST, regions=(Region(prompt="a red house"),)), sdxl)
    assert torch.equal(ours, x0(replace(REQUEST, prompt="a red house"), sdxl))


@pytest.mark.parametrize("silent", [Region(prompt="a boat", weight=0), Region(prompt=" "), Region(prompt="a boat", right=0.0001)])
def test_a_region_that_says_nothing_or_lies_nowhere_changes_nothing(silent: Region, model: DiffusionModel) -> None:
    ours = x0(replace(REQUEST, regions=(silent,)), model)
    assert (ours - x0(REQUEST, model)).abs().max() < 1e-3


def test_the_share_of_the_prompt_goes_from_the_regions_to_the_prompt(model: DiffusionModel) -> None:
    divided = replace(REQUEST, regions=(LEFT, RIGHT))
    plain = x0(REQUEST, model)
    far = [(x0(replace(divided, base_share=share), model) - plain).abs().mean() for share in (0.0, 0.5, 1.0)]
    assert far[0] > far[1] > far[2] == 0
    silent = replace(divided, prompt="")
    assert torch.equal(x0(replace(silent, base_share=0.9), model), x0(silent, model)), "an empty prompt has no share"


def test_painted_masks_are_rectangles_of_the_same_shape_and_swapped_masks_swap(model: DiffusionModel, tmp_path: Path) -> None:
    inputs = Inputs(tmp_path)
    half = Image.new("L", (200, 120))
    half.paste(255, (0, 0, 100, 120))
    left, right = inputs.keep(half), inputs.keep(half.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    laid = x0(replace(REQUEST, regions=(LEFT, RIGHT)), model)
    house, tree = Region(prompt=LEFT.prompt, mask=left), Region(prompt=RIGHT.prompt, mask=right)
    assert torch.equal(x0(replace(REQUEST, regions=(house, tree)), model, inputs=inputs), laid)
    swapped = (replace(house, mask=right), replace(tree, mask=left))
    there = x0(replace(REQUEST, regions=swapped), model, inputs=inputs)
    words_swapped = (replace(LEFT, prompt=RIGHT.prompt), replace(RIGHT, prompt=LEFT.prompt))
    assert torch.equal(there, x0(replace(REQUEST, regions=words_swapped), model))
    assert not torch.allclose(there, laid)


def test_pictures_of_a_batch_are_those_drawn_alone(model: DiffusionModel) -> None:
    request = replace(REQUEST, regions=(LEFT, RIGHT), base_share=0.3)
    assert (x0(request, model, 3)[:1] - x0(request, model)).abs().max() < 1e-5


def test_what_regions_say_changes_from_step_to_step(model: DiffusionModel) -> None:
    changing = replace(REQUEST, regions=(replace(LEFT, prompt="[a red house:a boat:0.5]"), RIGHT))
    for step, words in ((0, "a red house"), (3, "a boat")):
        there = replace(REQUEST, regions=(replace(LEFT, prompt=words), RIGHT))
        assert torch.equal(x0(changing, model, step=step), x0(there, model, step=step))


def test_and_joins_no_prompts_beside_regions() -> None:
    with pytest.raises(UserError, match="AND joins prompts over the whole picture"):
        asked_by(replace(REQUEST, prompt="a AND b", regions=(LEFT,)))
    assert len(asked_by(replace(REQUEST, regions=(replace(LEFT, prompt="a AND b"),))).regions) == 1, "there it is a word"


# ---- parts of pictures ---------------------------------------------------------------------------------------------------------


def test_a_part_sees_what_of_the_regions_lies_in_it(tmp_path: Path) -> None:
    """The right half of a picture, drawn larger: the tree all over, and the house nowhere."""
    inputs = Inputs(tmp_path)
    mask = Image.new("L", (32, 32))
    mask.paste(255, (0, 0, 16, 32))
    for left in (LEFT, Region(prompt="a red house", mask=inputs.keep(mask))):
        areas = Regions(replace(REQUEST, regions=(left, RIGHT)), inputs).at((256, 256), (128, 0, 256, 128), (SIDE, SIDE))
        prompt, house, tree = areas.shares(64, 0.25, Samples(0, 1, 1))
        assert prompt.unique().tolist() == [0.25] and tree.unique().tolist() == [0.75] and not house.any()


def test_at_every_size_of_a_layer_a_place_counts_as_much_of_it_as_is_covered() -> None:
    """A picture of 88 x 56, whose layers have 11 x 7, 6 x 4 and 3 x 2 places."""
    request = replace(REQUEST, width=56, height=88, regions=(replace(LEFT, right=0.3), RIGHT))
    areas = Regions(request).everywhere()
    for rows, columns in ((11, 7), (6, 4), (3, 2)):
        shares = areas.shares(rows * columns, 0.0, Samples(0, 1, 1))
        assert torch.allclose(sum(shares, torch.zeros(1)), torch.ones(1, rows * columns, 1))
        grid = shares[1].view(rows, columns)
        assert torch.allclose(grid, grid[:1].expand(rows, -1)), "rows of one layer are alike"
        assert grid[0, 0] > grid[0, -1]


def test_each_window_reads_the_regions_that_lie_in_it(model: DiffusionModel) -> None:
    """Against windows that are drawn by themselves, with what lies in them laid out by hand."""
    request = ImageToImage(
        prompt="", steps=4, seed=5, width=2 * SIDE, height=SIDE, tiling=WINDOWS, tile_size=SIDE, tile_overlap=0, regions=(LEFT, RIGHT)
    )
    denoise = Denoisers(request, model).whole()
    assert isinstance(denoise, Tiled)
    noisy = torch.randn(2, 4, 8, 16, generator=torch.Generator().manual_seed(7))
    with torch.inference_mode():
        denoise.begin(0, Steps(4))
        whole = denoise(noisy, torch.full((2,), 2.5))
        for half, words in ((slice(0, 8), LEFT.prompt), (slice(8, 16), RIGHT.prompt)):
            alone = Denoisers(replace(REQUEST, prompt=words, negative_prompt=""), model).whole()
            alone.begin(0, Steps(4))
            assert torch.allclose(whole[..., half], alone(noisy[..., half], torch.full((2,), 2.5)), atol=1e-5)


def test_a_patch_is_given_what_lies_in_its_box(model: DiffusionModel) -> None:
    picture = Image.new("RGB", (4 * SIDE, 4 * SIDE))
    denoisers = Denoisers(replace(REQUEST, regions=(LEFT, RIGHT)), model)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(7))
    with torch.inference_mode():
        denoise = denoisers.of(Patch(picture, Image.new("L", picture.size, 255), (3 * SIDE, 0, 4 * SIDE, SIDE), (SIDE, SIDE)))
        denoise.begin(0, Steps(4))
        tree = Denoisers(replace(REQUEST, prompt=RIGHT.prompt), model).whole()
        tree.begin(0, Steps(4))
        assert torch.equal(denoise(latents, torch.ones(1)), tree(latents, torch.ones(1)))


# ---- LoRAs of regions ----------------------------------------------------------------------------------------------------------


def regional(model: DiffusionModel, *regions: int) -> DiffusionModel:
    """With a LoRA in each of these regions."""
    torch.manual_seed(3)
    name = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    target = next(target for target in [Target("unet", name)])
    lora = Lora({target: {"down": torch.randn(4, 32), "up": torch.randn(32, 4)}}, "ink")
    own = {region: RegionLoras(dressed(model, [], [((lora, 0.8, 1.0, ""), None)]), region) for region in regions}
    return replace(model, regional=own)


def test_loras_of_a_region_act_there_alone(model: DiffusionModel) -> None:
    """At one step: what is predicted right of them is as without them, left as with them everywhere."""
    use = LoraUse(id="ink", region=1)
    request = replace(REQUEST, regions=(LEFT, RIGHT))
    before = [parameter.data_ptr() for parameter in model.unet.parameters()]
    without = x0(request, model)
    there = x0(replace(request, loras=(use,)), regional(model, 1))
    both = replace(request, loras=(use, replace(use, region=2)))
    everywhere = x0(both, regional(model, 1, 2))
    assert torch.allclose(there[..., 4:], without[..., 4:], atol=1e-6) and torch.allclose(there[..., :4], everywhere[..., :4], atol=1e-6)
    assert not torch.allclose(there[..., :4], without[..., :4], atol=1e-3)
    assert [parameter.data_ptr() for parameter in model.unet.parameters()] == before, "every weight is as it was"


def test_a_region_with_a_lora_over_all_is_the_plain_prompt_with_it(model: DiffusionModel) -> None:
    """Without words of its own it says the prompt."""
    use = LoraUse(id="ink", region=1)
    dressed_model = regional(model, 1)
    with dressed_model.regional[1].dressed.worn():
        plain = x0(REQUEST, model)
    for words in ("", REQUEST.prompt):
        ours = x0(replace(REQUEST, regions=(Region(prompt=words),), loras=(use,)), dressed_model)
        assert torch.equal(ours, plain)


@pytest.mark.parametrize("look", ["PAG", "SEG", "SAG"])
def test_a_third_look_is_cast_with_the_loras_of_regions_as_well(look: str, model: DiffusionModel) -> None:
    """Over all, they are the plain LoRA; in one half, the other half is as without them."""
    request, use, dressed_model = replace(REQUEST, third_look=look, look_strength=2.0), LoraUse(id="ink", region=1), regional(model, 1)
    with dressed_model.regional[1].dressed.worn():
        plain = x0(request, model)
    whole = x0(replace(request, regions=(Region(prompt=REQUEST.prompt),), loras=(use,)), dressed_model)
    if look != "SAG":  # which blurs what the network without them has looked at
        assert torch.equal(whole, plain)
    half, without = (x0(replace(request, regions=(LEFT, RIGHT), loras=loras), own) for loras, own in (((use,), dressed_model), ((), model)))
    assert not torch.allclose(half[..., :4], without[..., :4], atol=1e-3)
    assert look == "SAG" or torch.allclose(half[..., 4:], without[..., 4:], atol=1e-5)


def test_attention_is_as_it_was_after_a_drawing(model: DiffusionModel) -> None:
    before = [layer.processor for layer in word_layers(model.unet)]
    x0(replace(REQUEST, regions=(LEFT, RIGHT)), model)
    assert before and [layer.processor for layer in word_layers(model.unet)] == before
