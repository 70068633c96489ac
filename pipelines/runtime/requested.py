"""Requested models: what a request names, as keys of the manager, and put together again once it is lent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from models.diffusion_model import DiffusionModel
from models.identify.control import IP_ADAPTER
from models.library.catalog import Catalog
from models.memory.manager import Key
from models.patches.hypernetworks import Hypernetwork
from models.patches.lora import Factor, Paceable
from pipelines.metadata.hires_text import CHECKPOINT as HIRES
from pipelines.metadata.hires_text import UPSCALER
from pipelines.metadata.provenance import CHECKPOINT, ENLARGER, Hashes, MadeWith, one, several
from pipelines.metadata.two_passes import changes_checkpoint
from pipelines.requests.as_made import understanding
from pipelines.requests.drawn_small import enlarger_of
from pipelines.requests.pace import read_pace
from pipelines.requests.request import Drawing, SecondPass, TextToImage
from pipelines.runtime.loaders import Held

Items = Mapping[Key, Held]
NOTHING: Mapping[str, str] = {}


def _of_second_pass(request: Drawing) -> Key | None:
    """The checkpoint of the job that follows, where it is another: only told of."""
    if not isinstance(request, TextToImage) or not request.hires or not changes_checkpoint(request):
        return None
    return Key("checkpoint", request.hires_checkpoint)


class Named:
    def __init__(self, request: Drawing, catalog: Catalog) -> None:
        self._catalog = catalog
        self._checkpoint = self._understood(request, request.checkpoint)
        family = catalog.checkpoint(request.checkpoint).family_key
        self._vae = Key("vae", request.other_vae, family) if request.other_vae else None
        self._refiner = self._understood(request, request.refiner) if request.refiner else None
        self._hires = _of_second_pass(request)
        enlarges = request.upscaler if isinstance(request, TextToImage | SecondPass) else ""
        self._upscaler = Key("upscaler", enlarges) if enlarges else None  # lent only while the picture is enlarged
        self._enlarger = Key("upscaler", enlarger) if (enlarger := enlarger_of(request)) else None  # as that one
        acting = [use for use in request.loras if (use.unet or use.text_encoder) and (not use.region or use.region in request.divided)]
        self._loras = [(Key("lora", use.id), use) for use in acting]
        self.dressed = request.dressed
        self._hypernetworks = [(Key("hypernetwork", use.id), use) for use in request.hypernetworks if use.strength]
        self._embeddings = [(Key("embedding", use.id), use) for use in request.embeddings]
        control_ids = dict.fromkeys(use.id for use in request.controls if use.weight)
        image_prompts = [model_id for model_id in control_ids if catalog.model(model_id).identity.variant.startswith(IP_ADAPTER)]
        self._control_keys = [Key(IP_ADAPTER if model_id in image_prompts else "control", model_id, family) for model_id in control_ids]
        self._controls = [key for key in self._control_keys if key.kind == "control"]
        self.looking = [key for key in self._control_keys if key.kind == IP_ADAPTER]  # lent only while a drawing is prepared

    def _understood(self, request: Drawing, checkpoint_id: str) -> Key:
        """A picture that is made again may have been drawn when the checkpoint was understood in another way."""
        checkpoint = self._catalog.checkpoint(checkpoint_id)
        for use in request.understood:
            if use.id == checkpoint_id and use != understanding(checkpoint):
                return Key("checkpoint", checkpoint_id, f"{use.prediction_type}{' zero' if use.zero_terminal_snr else ''}")
        return Key("checkpoint", checkpoint_id)

    @property
    def networks(self) -> list[Key]:
        """What runs, and is wanted on the device."""
        return [key for key in (self._checkpoint, self._vae, self._refiner, *self._controls) if key]

    @property
    def added(self) -> list[Key]:
        """Small tensors, which stay in the host's memory."""
        return [key for key, _ in (*self._loras, *self._hypernetworks, *self._embeddings)]

    def loras(self, items: Items, region: int = 0) -> list[Paceable]:
        """Those of a region, or with 0 those that act everywhere."""
        own = [(key, use) for key, use in self._loras if use.region == region]
        return [((items[key].value, use.unet, use.text_encoder, use.blocks), _factor(use.pace)) for key, use in own]

    def hypernetworks(self, items: Items) -> list[tuple[Hypernetwork, float]]:
        return [(items[key].value, use.strength) for key, use in self._hypernetworks]

    def encoder_state(self, mark: Callable[[Key], object], region: int = 0) -> object:
        """What the text encoders say depends on, beside themselves. `mark`: another one where a file has changed. `region`: where it is
        said, with the LoRAs of its own; 0: anywhere.
        """
        own = [(key, use) for key, use in self._loras if use.text_encoder and use.region in (0, region)]
        loras = [(key.id, mark(key), use.text_encoder, use.blocks) for key, use in own]
        return (*loras, *((use.word, key.id, mark(key)) for key, use in self._embeddings))

    def joined(self, items: Items, hashes: Hashes, notes: Mapping[str, str] = NOTHING) -> DiffusionModel:
        """The checkpoint with the VAE, the refiner and the embeddings that the request names in place of its own.

        `notes`: what else is to be told of the pictures.
        """
        model: DiffusionModel = items[self._checkpoint].value
        return replace(
            model,
            vae=items[self._vae].value.network if self._vae else model.vae,
            refiner=items[self._refiner].value if self._refiner else None,
            embeddings={use.word: items[key].value for key, use in self._embeddings},
            controls={key.id: items[key].value for key in self._controls},
            made_with=self._made_with(hashes, notes),
        )

    def _made_with(self, hashes: Hashes, notes: Mapping[str, str]) -> MadeWith:
        """Names and hashes. Reading the files for the hashes begins now; who first looks at the result waits for them."""
        told_of = (*self.networks, *self.added, *self.looking, self._hires, self._upscaler, self._enlarger)
        names = {key: self._name(key) for key in told_of if key}
        begun = {key: hashes.begin(key) for key in names}

        def told(keys: list[Key]) -> list[tuple[str, str]]:
            return [(names[key], begun[key]()) for key in dict.fromkeys(keys)]

        def facts() -> dict[str, str]:
            hypernetworks = [key for key, _ in self._hypernetworks]
            return {
                **one("Model", names[self._checkpoint], begun[self._checkpoint]()),
                **(one("VAE", names[self._vae], begun[self._vae]()) if self._vae else {}),
                **several("Lora hashes", told([key for key, _ in self._loras])),
                **several("TI hashes", [(use.word, begun[key]()) for key, use in self._embeddings]),
                **({"Hypernet": ", ".join(names[key] for key in hypernetworks)} if hypernetworks else {}),
                **several("Hypernet hash", told(hypernetworks), CHECKPOINT),
                **several("ControlNet hashes", told(self._control_keys)),
                **(one("Refiner", names[self._refiner], begun[self._refiner]()) if self._refiner else {}),
                **({HIRES: f"{names[self._hires]} [{begun[self._hires]()[:CHECKPOINT]}]".removesuffix(" []")} if self._hires else {}),
                **(one(UPSCALER, names[self._upscaler], begun[self._upscaler]()) if self._upscaler else {}),
                **(one(ENLARGER, names[self._enlarger], begun[self._enlarger]()) if self._enlarger else {}),
                **notes,
            }

        return MadeWith(facts)

    def _name(self, key: Key) -> str:
        return (self._catalog.checkpoint(key.id).file if key.kind == "checkpoint" else self._catalog.model(key.id)).called


def _factor(pace: str) -> Factor | None:
    """How a strength changes over the steps; None: not at all."""
    read = read_pace(pace)
    return read.at if read else None
