"""The starter's networks, built untrained: the shapes are decided here and nowhere else."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

TEXT_WIDTH = 160
LONGEST_PROMPT = 77


def new_vae(size: int) -> AutoencoderKL:
    """Pictures (B, 3, size, size) in -1..1 to latents (B, 4, size / 8, size / 8) and back."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,  # pyright: ignore[reportArgumentType] (typed as one)
        up_block_types=("UpDecoderBlock2D",) * 4,  # pyright: ignore[reportArgumentType]
        block_out_channels=(16, 32, 64, 96),  # pyright: ignore[reportArgumentType]
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=size,
        mid_block_add_attention=False,
    )


def new_unet(size: int) -> UNet2DConditionModel:
    """Predicts v from latents (B, 4, size / 8, size / 8), a timestep and text (B, 77, 160)."""
    return UNet2DConditionModel(
        sample_size=size // 8,
        block_out_channels=(64, 160, 224),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=4,
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=16,
    )


def new_text_encoder(words: int, begin: int, end: int) -> CLIPTextModel:
    """Token ids (B, 77) to text states (B, 77, 160); `words` is the size of the vocabulary."""
    config = CLIPTextConfig(
        vocab_size=words,
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=LONGEST_PROMPT,
        projection_dim=TEXT_WIDTH,
        hidden_act="quick_gelu",
        bos_token_id=begin,
        eos_token_id=end,
        pad_token_id=end,
    )
    return CLIPTextModel(config)


def new_scheduler() -> DDIMScheduler:
    """Stable Diffusion 1's thousand noise levels, for a network that predicts v."""
    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
    )


def alphas_cumulative() -> Tensor:
    """(1000,), the share of the variance that is still signal at each timestep."""
    return new_scheduler().alphas_cumprod


def place(network: nn.Module, device: torch.device) -> None:
    """Move a network to a device, its convolutions channels last, which is faster there."""
    nn.Module.to(network, device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def mixed_precision(device: torch.device) -> torch.autocast:
    """bfloat16 where the processor computes in it; one that has to emulate it takes ten times as long as in float32."""
    native = device.type != "cpu" or bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    return torch.autocast(device.type, torch.bfloat16, enabled=native)


def encoded(vae: AutoencoderKL, pictures: Tensor) -> DiagonalGaussianDistribution:
    """The distribution of the unscaled latents of pictures (B, 3, H, W) in -1..1."""
    posterior = vae.encode(pictures, return_dict=False)[0]
    assert isinstance(posterior, DiagonalGaussianDistribution)
    return posterior


def decoded(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Pictures (B, 3, H, W), about -1..1, of unscaled latents."""
    pictures = vae.decode(latents, return_dict=False)[0]  # pyright: ignore[reportArgumentType] (any float type)
    assert isinstance(pictures, Tensor)
    return pictures
