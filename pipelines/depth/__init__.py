"""Depth maps: read, painted on, edited. No torch."""
