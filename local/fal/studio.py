"""Turns a validated request into output files and the JSON that names them, as each endpoint documents it."""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from local.fal import audio, inputs, mesh, paint, transcript, video
from local.fal.behaviour import Behaviour, without_tags
from local.fal.endpoints import Endpoint, megapixels
from local.fal.fetch import Fetcher, open_image
from local.fal.inputs import ModelInput
from local.fal.media import Media, content_type
from local.fal.records import ModelError, QueuedRequest
from local.fal.sizes import aspect_size, flux_size, within

_T = TypeVar("_T")
Product = tuple[dict[str, Any], Decimal]
_MAX_SEED = 2**31
_MAX_OUTPUT_PIXELS = 32_000_000
_LUMA_SECONDS = 5
_DEFAULT_SOUND_SECONDS = 5.0
_TINY = (32, 32)
_SUFFIX = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}


class Studio:
    """Renders in `executor`, so that the event loop stays free; equal parameters give a cached file."""

    def __init__(self, media: Media, fetcher: Fetcher, executor: Executor, behaviour: Callable[[], Behaviour]) -> None:
        self._media = media
        self._fetcher = fetcher
        self._executor = executor
        self._behaviour = behaviour

    async def produce(self, request: QueuedRequest, endpoint: Endpoint, given: ModelInput) -> Product:
        """The output and its quantity in the endpoint's price unit. Raises ModelError."""
        makers: dict[str, Callable[[QueuedRequest, Any], Awaitable[Product]]] = {
            "text_to_image": self._text_to_image,
            "image_to_image": self._image_to_image,
            "edit": self._edit,
            "upscale": self._upscale,
            "video": self._video,
            "voice": self._voice,
            "ambience": self._ambience,
            "transcript": self._transcript,
            "mesh": self._mesh,
        }
        return await makers[endpoint.kind](request, given)

    # Pictures

    async def _text_to_image(self, request: QueuedRequest, given: inputs.FluxSchnell | inputs.NanoBananaPro) -> Product:
        prompt = without_tags(given.prompt)
        seed = self._seed(request, given.seed)
        size = aspect_size(given) if isinstance(given, inputs.NanoBananaPro) else flux_size(given)

        def painted(number: int) -> Image.Image:
            return paint.picture(prompt, seed + number, *size)

        images = await self._images(request, given.output_format, given.num_images, size, painted, [prompt, seed])
        if isinstance(given, inputs.NanoBananaPro):
            return {"images": images, "description": ""}, Decimal(given.num_images)
        return _flux_output(request, prompt, seed, images), Decimal(given.num_images * megapixels(*size))

    async def _image_to_image(self, request: QueuedRequest, given: inputs.FluxDevImageToImage) -> Product:
        source, digest = await self._picture(request, given.image_url, ["body", "image_url"])
        prompt, seed = without_tags(given.prompt), self._seed(request, given.seed)
        size = within(source.size, 1024)

        def painted(number: int) -> Image.Image:
            return paint.reimagined(source, prompt, seed + number, given.strength, *size)

        key = [prompt, seed, given.strength, digest]
        images = await self._images(request, given.output_format, given.num_images, size, painted, key)
        return _flux_output(request, prompt, seed, images), Decimal(given.num_images * megapixels(*size))

    async def _edit(self, request: QueuedRequest, given: inputs.NanoBananaProEdit) -> Product:
        pictures = [
            await self._picture(request, url, ["body", "image_urls", number])
            for number, url in enumerate(given.image_urls)
        ]
        sources = [picture for picture, _ in pictures]
        prompt, seed = without_tags(given.prompt), self._seed(request, given.seed)
        size = aspect_size(given, like=sources[0].size)

        def painted(number: int) -> Image.Image:
            return paint.edited(sources, prompt, seed + number, *size)

        key = [prompt, seed, [digest for _, digest in pictures]]
        images = await self._images(request, given.output_format, given.num_images, size, painted, key)
        return {"images": images, "description": ""}, Decimal(given.num_images)

    async def _upscale(self, request: QueuedRequest, given: inputs.ClarityUpscaler) -> Product:
        source, digest = await self._picture(request, given.image_url, ["body", "image_url"])
        size = (round(source.width * given.upscale_factor), round(source.height * given.upscale_factor))
        if size[0] * size[1] > _MAX_OUTPUT_PIXELS:
            raise ModelError.one(
                422, ["body", "image_url"], "image_too_large", "The upscaled image would be too large.", given.image_url
            )

        def painted(_: int) -> Image.Image:
            return paint.upscaled(source, *size, given.creativity)

        images = await self._images(request, "png", 1, size, painted, [digest, given.creativity])
        output = {"image": images[0], "seed": self._seed(request, given.seed), "timings": _timings(request)}
        return output, Decimal(megapixels(*size))

    async def _images(
        self,
        request: QueuedRequest,
        file_format: str,
        count: int,
        size: tuple[int, int],
        painted: Callable[[int], Image.Image],
        key: list[Any],
    ) -> list[dict[str, Any]]:
        suffix = _SUFFIX[file_format]
        tiny = self._behaviour().tiny_outputs

        def render(number: int) -> bytes:
            image = Image.new("RGB", _TINY, (90 + 40 * number, 110, 140)) if tiny else painted(number)
            return paint.encoded(image, file_format)

        images = []
        for number in range(count):
            path = await self._render(
                ["image", number, *([] if tiny else [*key, *size])], suffix, partial(render, number)
            )
            file = self._file(request, path, f"image-{number + 1}{suffix}")
            width, height = _TINY if tiny else size
            images.append({**file, "width": width, "height": height})
        return images

    async def _picture(self, request: QueuedRequest, url: str, location: list[str | int]) -> tuple[Image.Image, str]:
        content = await self._fetcher.read(url, request.base_url, location)
        picture = await self._call(lambda: open_image(content, location, url[:200]))
        return picture, hashlib.sha256(content).hexdigest()

    # Moving and solid things

    async def _video(self, request: QueuedRequest, given: inputs.VeoImageToVideo | inputs.LumaImageToVideo) -> Product:
        source, digest = await self._picture(request, given.image_url, ["body", "image_url"])
        prompt = without_tags(given.prompt)
        end: Image.Image | None = None
        if isinstance(given, inputs.LumaImageToVideo):
            seconds, quantity, seed, sound, loop = (
                _LUMA_SECONDS,
                Decimal(1),
                self._seed(request, None),
                False,
                given.loop,
            )
            if given.end_image_url:
                end, end_digest = await self._picture(request, given.end_image_url, ["body", "end_image_url"])
                digest += end_digest
        else:
            seconds, seed, sound, loop = (
                int(given.duration[:-1]),
                self._seed(request, given.seed),
                given.generate_audio,
                False,
            )
            quantity = Decimal(seconds)
        tiny = self._behaviour().tiny_outputs
        size = _TINY if tiny else video.frame_size(given.aspect_ratio, source.size)

        def render() -> bytes:
            shot = video.Shot(source, end, prompt, seed, size, 0.5 if tiny else float(seconds), sound=sound, loop=loop)
            return video.film(shot)

        key = ["video", sound] if tiny else ["video", prompt, seed, digest, size, seconds, sound, loop]
        path = await self._render(key, ".mp4", render)
        return {"video": self._file(request, path, "output.mp4")}, quantity

    async def _mesh(self, request: QueuedRequest, given: inputs.Trellis) -> Product:
        source, digest = await self._picture(request, given.image_url, ["body", "image_url"])
        seed, tiny = self._seed(request, given.seed), self._behaviour().tiny_outputs

        def render() -> bytes:
            detail = 8 if tiny else mesh.detail_for(given.mesh_simplify)
            return mesh.vessel(seed, mesh.dominant_colour(source), detail)

        path = await self._render(["mesh", seed, digest, given.mesh_simplify, tiny], ".glb", render)
        output = {"model_mesh": self._file(request, path, "model.glb"), "timings": _timings(request)}
        return output, Decimal(1)

    # Sound

    async def _ambience(self, request: QueuedRequest, given: inputs.ElevenLabsSoundEffects) -> Product:
        seconds = given.duration_seconds or _DEFAULT_SOUND_SECONDS
        text, tiny = without_tags(given.text), self._behaviour().tiny_outputs
        seed = self._seed(request, None)

        def render() -> bytes:
            return audio.wav(audio.ambience(text, 0.1 if tiny else seconds, seed, loop=given.loop))

        path = await self._render(
            ["ambience", tiny, *([] if tiny else [text, seconds, seed, given.loop])], ".wav", render
        )
        return {"audio": self._file(request, path, "sound.wav")}, Decimal(str(seconds))

    async def _voice(self, request: QueuedRequest, given: inputs.ChatterboxSpeechToSpeech) -> Product:
        samples, digest = await self._sound(request, given.source_audio_url, ["body", "source_audio_url"])
        voice: str = given.target_voice or "Aurora"
        if given.target_voice_audio_url:
            _, voice = await self._sound(request, given.target_voice_audio_url, ["body", "target_voice_audio_url"])

        def render() -> bytes:
            return audio.wav(audio.revoiced(samples, voice))

        path = await self._render(["voice", digest, voice], ".wav", render)
        compute = Decimal("1.8") + Decimal(len(samples)) / audio.RATE * Decimal("0.42")
        return {"audio": self._file(request, path, "voice.wav")}, compute.quantize(Decimal("0.001"))

    async def _transcript(self, request: QueuedRequest, given: inputs.Whisper) -> Product:
        samples, digest = await self._sound(request, given.audio_url, ["body", "audio_url"])
        seconds = len(samples) / audio.RATE
        output = transcript.transcribe(seconds, digest, given)
        compute = Decimal("0.9") + Decimal(str(round(seconds, 3))) * Decimal("0.06")
        return output, compute.quantize(Decimal("0.001"))

    async def _sound(self, request: QueuedRequest, url: str, location: list[str | int]) -> tuple[audio.Samples, str]:
        content = await self._fetcher.read(url, request.base_url, location)
        try:
            samples = await self._call(lambda: audio.decoded(content))
        except audio.NotAudio as refused:
            message = "Failed to load the audio. Please ensure the file is not corrupted and is in a supported format."
            raise ModelError.one(422, location, "audio_load_error", message, url[:200]) from refused
        return samples, hashlib.sha256(content).hexdigest()

    # Files

    async def _render(self, key: list[Any], suffix: str, render: Callable[[], bytes]) -> Path:
        text = json.dumps([paint.VERSION, suffix, *key])
        return await self._call(lambda: self._media.rendered(text, suffix, render))

    async def _call(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _file(self, request: QueuedRequest, path: Path, name: str) -> dict[str, Any]:
        return {
            "url": request.base_url + self._media.publish(path, name),
            "content_type": content_type(name),
            "file_name": name,
            "file_size": path.stat().st_size,
        }

    def _seed(self, request: QueuedRequest, asked: int | None) -> int:
        return asked if asked is not None else self._behaviour().rng(request.ordinal, "seed").randrange(_MAX_SEED)


def _flux_output(request: QueuedRequest, prompt: str, seed: int, images: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "images": images,
        "timings": _timings(request),
        "seed": seed,
        "has_nsfw_concepts": [False] * len(images),
        "prompt": prompt,
    }


def _timings(request: QueuedRequest) -> dict[str, float]:
    return {"inference": round(time.time() - (request.started_at or time.time()), 3)}
