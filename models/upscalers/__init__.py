"""Upscalers: networks that make pictures larger, in every architecture that spandrel knows."""
