"""Denoising: between samplers and networks, and between pixels and latents."""
