"""Patches of weights for the length of a `with` block, put back bit for bit: LoRAs, hypernetworks, embeddings."""

from models.patches.lora import applied

__all__ = ["applied"]
