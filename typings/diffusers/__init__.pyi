# The names that are used, from where they are defined: the library's own list imports all its models, a quarter of the checker's time.
from diffusers.models.adapter import MultiAdapter as MultiAdapter
from diffusers.models.adapter import T2IAdapter as T2IAdapter
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL as AutoencoderKL
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder as AutoencoderKLTemporalDecoder
from diffusers.models.controlnets.controlnet import ControlNetModel as ControlNetModel
from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel as ControlNetUnionModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel as UNet2DConditionModel
from diffusers.models.unets.unet_spatio_temporal_condition import (
    UNetSpatioTemporalConditionModel as UNetSpatioTemporalConditionModel,
)
from diffusers.pipelines.pipeline_utils import DiffusionPipeline as DiffusionPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline as StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_depth2img import (
    StableDiffusionDepth2ImgPipeline as StableDiffusionDepth2ImgPipeline,
)
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import (
    StableDiffusionImg2ImgPipeline as StableDiffusionImg2ImgPipeline,
)
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_inpaint import (
    StableDiffusionInpaintPipeline as StableDiffusionInpaintPipeline,
)
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import StableDiffusionXLPipeline as StableDiffusionXLPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img import (
    StableDiffusionXLImg2ImgPipeline as StableDiffusionXLImg2ImgPipeline,
)
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_inpaint import (
    StableDiffusionXLInpaintPipeline as StableDiffusionXLInpaintPipeline,
)
from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import (
    StableVideoDiffusionPipeline as StableVideoDiffusionPipeline,
)
from diffusers.schedulers.scheduling_ddim import DDIMScheduler as DDIMScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler as EulerDiscreteScheduler
