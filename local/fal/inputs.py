"""What each endpoint accepts, as fal documents it per model.

An unknown extra field is accepted silently, as fal does, but remembered, so that a test can see a misspelt name.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local.fal.records import ModelError

Seed = Annotated[int | None, Field(ge=0)]
Url = Annotated[str, Field(min_length=1)]


class ModelInput(BaseModel):
    model_config = ConfigDict(extra="allow")


class Size(BaseModel):
    """Pixels."""

    width: int = Field(512, gt=0, le=4096)
    height: int = Field(512, gt=0, le=4096)


SizeName = Literal["square_hd", "square", "portrait_4_3", "portrait_16_9", "landscape_4_3", "landscape_16_9"]


class FluxSchnell(ModelInput):
    prompt: str
    image_size: SizeName | Size = "landscape_4_3"
    num_images: int = Field(1, ge=1, le=4)
    num_inference_steps: int = Field(4, ge=1, le=12)
    guidance_scale: float = Field(3.5, ge=1, le=20)
    seed: Seed = None
    enable_safety_checker: bool = True
    output_format: Literal["jpeg", "png"] = "jpeg"
    sync_mode: bool = False
    acceleration: Literal["none", "regular", "high"] = "none"


class FluxDev(FluxSchnell):
    num_inference_steps: int = Field(28, ge=1, le=50)


class FluxDevImageToImage(ModelInput):
    image_url: Url
    prompt: str
    strength: float = Field(0.95, ge=0.01, le=1)
    num_images: int = Field(1, ge=1, le=4)
    num_inference_steps: int = Field(40, ge=10, le=50)
    guidance_scale: float = Field(3.5, ge=1, le=20)
    seed: Seed = None
    enable_safety_checker: bool = True
    output_format: Literal["jpeg", "png"] = "jpeg"
    sync_mode: bool = False
    acceleration: Literal["none", "regular", "high"] = "none"


Aspect = Literal["21:9", "16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16"]


class NanoBananaPro(ModelInput):
    prompt: str = Field(min_length=3, max_length=50_000)
    num_images: int = Field(1, ge=1, le=4)
    seed: Seed = None
    aspect_ratio: Literal["auto"] | Aspect = "1:1"
    resolution: Literal["1K", "2K", "4K"] = "1K"
    output_format: Literal["jpeg", "png", "webp"] = "png"
    sync_mode: bool = False


class NanoBananaProEdit(NanoBananaPro):
    image_urls: list[Url] = Field(min_length=1, max_length=14)
    aspect_ratio: Literal["auto"] | Aspect = "auto"


class LumaImageToVideo(ModelInput):
    prompt: str
    image_url: Url
    end_image_url: Url | None = None
    aspect_ratio: Literal["16:9", "9:16", "4:3", "3:4", "21:9", "9:21"] = "16:9"
    loop: bool = False


class VeoImageToVideo(ModelInput):
    prompt: str
    image_url: Url
    duration: Literal["4s", "6s", "8s"] = "8s"
    resolution: Literal["720p", "1080p", "4k"] = "720p"
    aspect_ratio: Literal["auto", "16:9", "9:16"] = "auto"
    generate_audio: bool = True
    negative_prompt: str | None = None
    seed: Seed = None
    auto_fix: bool = False


Voice = Literal["Aurora", "Blade", "Britney", "Carl", "Cliff", "Richard", "Rico", "Siobhan", "Vicky"]


class ChatterboxSpeechToSpeech(ModelInput):
    source_audio_url: Url
    target_voice: Voice | None = None
    target_voice_audio_url: Url | None = None
    high_quality_audio: bool = False


class ElevenLabsSoundEffects(ModelInput):
    text: str = Field(min_length=1)
    duration_seconds: float | None = Field(None, ge=0.5, le=22)
    prompt_influence: float = Field(0.3, ge=0, le=1)
    output_format: str = "mp3_44100_128"
    loop: bool = False


class Whisper(ModelInput):
    audio_url: Url
    task: Literal["transcribe", "translate"] = "transcribe"
    language: str | None = Field(None, pattern="^[a-z]{2,3}$")
    diarize: bool = False
    chunk_level: Literal["none", "segment", "word"] = "segment"
    version: Literal["3"] = "3"
    batch_size: int = Field(64, ge=1, le=64)
    prompt: str = ""
    num_speakers: int | None = Field(None, ge=1)


class ClarityUpscaler(ModelInput):
    image_url: Url
    prompt: str = "masterpiece, best quality, highres"
    upscale_factor: float = Field(2, ge=1, le=4)
    negative_prompt: str = "(worst quality, low quality, normal quality:2)"
    creativity: float = Field(0.35, ge=0, le=1)
    resemblance: float = Field(0.6, ge=0, le=1)
    guidance_scale: float = Field(4, ge=0, le=20)
    num_inference_steps: int = Field(18, ge=4, le=50)
    seed: Seed = None
    enable_safety_checker: bool = True


class Trellis(ModelInput):
    image_url: Url
    texture_size: Literal[512, 1024, 2048] = 1024
    mesh_simplify: float = Field(0.95, ge=0.9, le=0.98)
    seed: Seed = None
    ss_guidance_strength: float = Field(7.5, ge=0, le=10)
    ss_sampling_steps: int = Field(12, ge=1, le=50)
    slat_guidance_strength: float = Field(3, ge=0, le=10)
    slat_sampling_steps: int = Field(12, ge=1, le=50)


def validated(model: type[ModelInput], body: dict[str, Any]) -> ModelInput:
    """The inputs with their defaults. Raises ModelError 422 with pydantic's own list of what is wrong."""
    try:
        return model.model_validate(body)
    except ValidationError as refused:
        detail = [
            {**entry, "loc": ["body", *entry["loc"]]}  # the place as fal reports it: inside the request body
            for entry in refused.errors(include_context=False)
        ]
        raise ModelError(422, [dict(entry) for entry in detail]) from refused
