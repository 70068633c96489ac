"""Words: which words of the vocabulary stand nearest to those of the prompt, and which of the prompt's the text encoder made alike.

Nearness is the cosine of two vectors: of the embedding table before anything was read, of the encoder's answer after all of the prompt was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from models.diffusion_model import TextEncoder
from models.errors import UserError
from pipelines.inside.answers import EncoderSays, NearWord, SaidWord, WordsFound
from pipelines.inside.desk import Desk, Found, Looking, Seen
from pipelines.inside.said import SpokenWord, spoken
from pipelines.inside.schedules import short
from pipelines.jobs.runner import Runner
from pipelines.prompts.asked import asked_by
from pipelines.prompts.encode import encode_prompts

NEAREST = 8  # words that are told of each
MOST = 75  # words of a prompt that are looked at
NAMES = {("clip_l", 12): "CLIP ViT-L", ("clip_h", 23): "OpenCLIP ViT-H", ("clip_g", 32): "OpenCLIP ViT-bigG"}  # with their layers
NO_WORDS = "The prompt has no words to look at. Choose a picture that was drawn from some."


def look(desk: Desk, runner: Runner) -> Looking:
    """What is said at the first call of the network; a prompt that changes from step to step begins so. Raises `UserError`."""
    request = desk.request
    text = asked_by(request).calls[0].prompts[0].text
    with runner.lent(request) as model, torch.inference_mode():
        vectors = encode_prompts(model, [text], request.clip_skip)[0].vectors[0].float()
        yield Seen(1, 2)
        words = [word for word in spoken(model, text, len(vectors)) if word.is_plain][:MOST]
        if not words:
            raise UserError(NO_WORDS)
        encoders, first = list[EncoderSays](), 0
        for encoder in model.text_encoders:
            width = encoder.network.config.hidden_size
            encoders.append(_says(encoder, words, vectors[:, first : first + width]))
            first += width
            yield Seen(2, 2)
    return Found(WordsFound(words=[word.text for word in words], encoders=encoders))


def _says(encoder: TextEncoder, words: Sequence[SpokenWord], vectors: Tensor) -> EncoderSays:
    """`vectors`: (places, width) of its answer."""
    alike = cosines(torch.stack([vectors[list(word.places)].mean(0) for word in words]))
    table = cast(Tensor, encoder.network.get_input_embeddings().weight).float()
    told: list[SaidWord] = [
        {"near": near(encoder, table, word), "alike": [short(value) for value in row]}
        for word, row in zip(words, alike.cpu().numpy().tolist(), strict=True)
    ]
    layers, width = encoder.network.config.num_hidden_layers, encoder.network.config.hidden_size
    return {
        "name": NAMES.get((encoder.key, layers), "A text encoder of its own"),
        "layers": layers,
        "width": width,
        "vocabulary": len(table),
        "words": told,
    }


def cosines(vectors: Tensor) -> Tensor:
    """(n, width) -> (n, n)."""
    unit = functional.normalize(vectors, dim=-1)
    return unit @ unit.T


def near(encoder: TextEncoder, table: Tensor, word: SpokenWord) -> list[NearWord]:
    """Whole words of the vocabulary, the nearest first; none for a word of an embedding, whose vectors stand in no table."""
    tokens = [token for token, _ in encoder.tokenizer.tokens(word.text)]
    if not tokens or len(tokens) != len(word.places):
        return []
    own = functional.normalize(table[tokens].mean(0), dim=0)
    likeness = functional.normalize(table, dim=-1) @ own
    found: list[NearWord] = []
    for token in likeness.argsort(descending=True)[: 20 * NEAREST].cpu().numpy().tolist():
        letters, ends = encoder.tokenizer.spelt(token)
        written = ends and letters.isalpha() and [each for each, _ in encoder.tokenizer.tokens(letters)] == [token]
        if written and letters != word.text.lower() and len(found) < NEAREST:
            found.append({"text": letters, "likeness": short(likeness[token].item())})
    return found
