"""What changes weights for the length of a `with` block and puts them back, bit for bit: LoRAs, hypernetworks, embeddings."""

from models.patches.lora import applied

__all__ = ["applied"]
