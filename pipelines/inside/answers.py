"""Messages about the inside of a picture, as they go into JSON. No torch. All messages of the page are listed in `ui/messages/`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict


class InsideCurve(TypedDict):
    """The noise levels of one schedule. Within `InsideSchedule`."""

    name: str
    samplers: list[str]  # those for which "Automatic" means it
    sigmas: list[float]  # falling, one more than there are steps
    drawn: bool  # the picture was drawn by it


class InsideSchedule(TypedDict):
    """Schedules of a picture's model over as many steps. Within `InsidePicture`."""

    planned: int
    skipped: int  # of the planned steps, the first ones, which do not run
    most: float  # the largest noise level of the model's training
    least: float
    curves: list[InsideCurve]


class InsidePicture(TypedDict):
    """A picture whose inside is looked into, and what can be said of it without any weights. Read by `inside_page.js`."""

    id: str
    prompt: str
    model: str
    family: str
    sampler: str
    steps: int
    guidance: float
    seed: str
    width: int  # as it was drawn
    height: int
    blocked: str  # why nothing can be seen inside, or ""
    schedule: InsideSchedule | None
    tokens: Mapping[str, object] | None  # the `TokenView` of its prompt, where it can be read


class InsideLevel(TypedDict):
    """A noise level. Within `NoiseFound`."""

    sigma: float
    timestep: float
    signal: float  # share of the picture in what the network reads, 0 .. 1
    noise: float  # share of the noise; the two squares make 1


class NoiseFound(TypedDict):
    """The picture in more and more of its own seed's noise, as `noise-N.jpg`."""

    levels: list[InsideLevel]
    exact: bool  # decoded by the VAE, and not by the small map of previews


class LatentChannel(TypedDict):
    """One channel of the latents, `channel-N.png`. Within `LatentsFound`."""

    mean: float
    spread: float  # standard deviation


class LatentsFound(TypedDict):
    """The way of a picture through the VAE: `before.png`, and `trip.png` after both ways."""

    psnr: float  # dB between the two
    pixels: int  # numbers of the picture: three for each pixel
    numbers: int  # of the latents
    shape: list[int]  # channels, height, width
    channels: list[LatentChannel]


class NearWord(TypedDict):
    """A word of the vocabulary. Within `SaidWord`."""

    text: str
    likeness: float  # cosine


class SaidWord(TypedDict):
    """A word of the prompt, as one text encoder has it. Within `EncoderSays`."""

    near: list[NearWord]
    alike: list[float]  # cosine of its answer with that to each word of the prompt, in their order


class EncoderSays(TypedDict):
    """A text encoder. Within `WordsFound`."""

    name: str
    layers: int
    width: int  # numbers in a vector
    vocabulary: int
    words: list[SaidWord]


class WordsFound(TypedDict):
    """What the text encoders make of the words of a prompt."""

    words: list[str]
    encoders: list[EncoderSays]


class JudgedFact(TypedDict):
    """Something that a prompt says. Within `LikenessFound`."""

    said: str
    seen: str  # what the judge sees there
    right: bool
    begins: bool  # another thing, or the scene around them, begins with it


class LikenessFound(TypedDict):
    """How much of its prompt a picture shows: in facts by the starter's judge, else as cosines by a CLIP vision encoder."""

    by: str
    facts: list[JudgedFact]
    right: int
    total: int
    whole: float  # cosine of the whole prompt
    parts: list[NearWord]  # of its parts


class HeatWord(TypedDict):
    """A word of the prompt. Within `RunFound`."""

    text: str
    plain: bool  # a word that somebody wrote, and neither a mark nor what begins, ends and fills the prompt
    share: float  # of what the clearest layers look at, 0 .. 1; those of all words make 1


class HeatHeads(TypedDict):
    """Some of the heads of each layer, or all. Within `RunFound`."""

    key: str
    title: str


class HeatLayers(TypedDict):
    """The layers of one size, or all. Within `RunFound`; maps are `heat-KEYHEADS-PLACE.f32`, and `heat-KEYHEADS-all.f32` of all steps."""

    key: str
    title: str
    width: int  # of a map
    height: int


class RunBlock(TypedDict):
    """A block of the network in one step, whose strength is `block-PLACE-NUMBER.png`. Within `RunStep`."""

    name: str
    shape: list[int]


class RunStep(TypedDict):
    """A step as it was made. Within `RunFound`; pictures of it are `step-PLACE-WHAT.jpg`, by its place in the list, from 0."""

    number: int  # of the step, from 1
    sigma: float
    timestep: float
    context: list[int]  # shape of the text vectors that it read
    apart: float  # root mean square between the two predictions, in latents
    blocks: list[RunBlock]


class RunFound(TypedDict):
    """What was seen while the picture was drawn once more."""

    done: bool  # else it is drawn at this moment
    same: str  # whether it came out the same
    words: list[HeatWord]
    layers: list[HeatLayers]
    heads: list[HeatHeads]
    clearest: str  # key of the layers that are shown first
    stretches: list[str]  # which steps share a map, by its place
    guided: bool
    scales: list[float]  # guidance that each step is shown at, as `step-PLACE-at-N.jpg`
    own: int  # place of the picture's own among them
    latents: list[int]  # shape
    steps: list[RunStep]


class LiveHeat(TypedDict):
    """Where a word is looked at in the newest step of one's own job that runs. Within `QueueNews`; read by `stage_heat.js`."""

    job: str
    step: int
    steps: int
    words: list[HeatWord]
    word: int  # the place of the one whose heat this is
    pictures: int  # that are drawn side by side
    columns: int  # in which they lie, as in the preview
    width: int  # of the map of each
    height: int
    heat: str  # base64 of little-endian float32, picture by picture, row by row
    message: str  # why nothing can be seen, or ""


class AgainFound(TypedDict):
    """A picture that was made again by its record, compared with its file."""

    same: bool  # bit by bit
    differing: int  # pixels
    pixels: int  # of the picture
    most: int  # by how much one differs at most, of 255
    reasons: list[str]  # sentences: what is recorded and is otherwise here


class InsideLook(TypedDict):
    """How far a look into a picture has come, and what it has found. Read by `inside_page.js` and `again.js`."""

    part: str
    state: str  # "none", "waiting", "running", "done", "stopped" or "failed"
    step: int
    steps: int
    message: str
    found: NoiseFound | LatentsFound | WordsFound | LikenessFound | RunFound | AgainFound | None
