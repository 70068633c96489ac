"""Identification of model files: kind, family and variant, from headers and small JSON files alone. No torch."""
