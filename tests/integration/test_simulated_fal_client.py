"""The simulated queue, driven with fal's own Python client."""

import io
from collections.abc import Iterator

import fal_client
import fal_client.client
import httpx
import pytest
from PIL import Image

from local.fal import audio, paint
from local.fal.serving import RunningFal
from tests.integration.simulated_fal import (
    SCHNELL,
    VEO,
    http_fixture,  # noqa: F401
    server_fixture,  # noqa: F401
    simulator_fixture,  # noqa: F401
    wait_until,
)


@pytest.fixture
def client(simulator: RunningFal, monkeypatch: pytest.MonkeyPatch) -> Iterator[fal_client.SyncClient]:
    """The official client. It knows https hosts only, so its addresses are replaced."""
    monkeypatch.setattr(fal_client.client, "QUEUE_URL_FORMAT", f"{simulator.url}/")
    monkeypatch.setattr(fal_client.client, "REST_URL", simulator.url)
    official = fal_client.SyncClient(key=simulator.key)
    yield official
    official._client.close()


def test_subscribe_gives_the_documented_output(simulator: RunningFal, client: fal_client.SyncClient) -> None:
    simulator.control("behaviour", {"tiny_outputs": False})
    seen: list[fal_client.Status] = []
    arguments = {
        "prompt": "Terracotta dunes",
        "image_size": "square",
        "num_images": 2,
        "seed": 5,
        "output_format": "png",
    }
    output = client.subscribe(SCHNELL, arguments, with_logs=True, on_queue_update=seen.append)
    assert output.keys() == {"images", "seed", "has_nsfw_concepts", "prompt", "timings"}
    assert (output["seed"], output["has_nsfw_concepts"]) == (5, [False, False])
    for image in output["images"]:
        assert (image["width"], image["height"], image["content_type"]) == (512, 512, "image/png")
        content = httpx.get(image["url"], trust_env=False).content  # without the key
        assert len(content) == image["file_size"]
        opened = Image.open(io.BytesIO(content))
        assert (opened.format, opened.size) == ("PNG", (512, 512))
    assert isinstance(seen[-1], fal_client.Completed)
    assert seen[-1].metrics["inference_time"] >= 0


def test_submit_status_result_follow_each_other(simulator: RunningFal, client: fal_client.SyncClient) -> None:
    simulator.control("behaviour", {"speed": 0.4})
    handle = client.submit("fal-ai/flux/dev", {"prompt": "a vase [sim:queue=0.3]"})
    assert isinstance(handle.status(), fal_client.Queued)
    running_now = wait_until(
        lambda: (now := handle.status(with_logs=True)) and isinstance(now, fal_client.InProgress) and now
    )
    assert running_now.logs[0].keys() == {"message", "level", "source", "timestamp"}
    early = handle.client.get(handle.response_url)
    assert (early.status_code, early.json()) == (400, {"detail": "Request is still in progress"})
    assert handle.get()["images"]
    assert client.result("fal-ai/flux/dev", handle.request_id)["images"]


def test_a_handle_without_the_urls_finds_its_request(client: fal_client.SyncClient) -> None:
    handle = client.submit(VEO, {"prompt": "a", "image_url": "data:,nothing"})
    assert handle.status_url.endswith(f"/fal-ai/veo3.1/requests/{handle.request_id}/status")
    wait_until(lambda: isinstance(client.status(VEO, handle.request_id), fal_client.Completed))


def test_a_refusal_by_the_model_is_seen_on_the_result_only(client: fal_client.SyncClient) -> None:
    handle = client.submit(SCHNELL, {"prompt": "a", "num_images": 9})
    status = wait_until(lambda: (now := handle.status()) and isinstance(now, fal_client.Completed) and now)
    assert (status.error, status.error_type) == (None, None)
    with pytest.raises(fal_client.FalClientHTTPError) as refused:
        handle.get()
    assert refused.value.status_code == 422
    (entry,) = refused.value.response.json()["detail"]
    assert (entry["loc"], entry["type"], entry["input"]) == (["body", "num_images"], "less_than_equal", 9)


def test_an_infrastructure_failure_is_seen_on_the_status_too(client: fal_client.SyncClient) -> None:
    handle = client.submit(SCHNELL, {"prompt": "a [sim:infra]"})
    status = wait_until(lambda: (now := handle.status()) and isinstance(now, fal_client.Completed) and now)
    assert (status.error, status.error_type) == ("Runner disconnected", "runner_disconnected")
    with pytest.raises(fal_client.FalClientHTTPError) as failed:
        handle.get()
    assert (failed.value.status_code, failed.value.error_type) == (503, "runner_disconnected")


def test_cancel_with_the_client(simulator: RunningFal, client: fal_client.SyncClient) -> None:
    handle = client.submit(SCHNELL, {"prompt": "a [sim:queue=60]"})
    handle.cancel()
    status = handle.status()
    assert isinstance(status, fal_client.Completed)
    assert status.error_type == "client_cancelled"
    with pytest.raises(fal_client.FalClientHTTPError) as late:
        handle.cancel()
    assert late.value.response.json() == {"status": "ALREADY_COMPLETED"}
    assert simulator.request(handle.request_id)["cost_usd"] is None


def test_a_start_timeout_ends_a_request_that_waits_too_long(client: fal_client.SyncClient) -> None:
    handle = client.submit(SCHNELL, {"prompt": "a [sim:queue=60]"}, start_timeout=1.05)
    status = wait_until(lambda: (now := handle.status()) and isinstance(now, fal_client.Completed) and now)
    assert status.error_type == "request_timeout"
    with pytest.raises(fal_client.FalClientHTTPError) as late:
        handle.get()
    assert late.value.status_code == 504
    assert late.value.response_headers["x-fal-request-timeout-type"] == "user"


def test_a_wrong_key_is_refused(simulator: RunningFal) -> None:
    for headers in ({}, {"Authorization": "Key no:body"}, {"Authorization": f"Bearer {simulator.key}"}):
        for path in (SCHNELL, "storage/upload/initiate"):
            refused = httpx.post(f"{simulator.url}/{path}", json={"prompt": "a"}, headers=headers, trust_env=False)
            assert refused.status_code == 401
    assert simulator.state()["counts"]["refused"] == {"401": 3}


def test_an_upload_can_be_used_as_input(client: fal_client.SyncClient) -> None:
    picture = paint.encoded(paint.picture("a vase", 1, 64, 48), "png")
    url = client.upload(picture, "image/png", "my vase.png", repository="fal")
    output = client.subscribe("fal-ai/clarity-upscaler", {"image_url": url, "upscale_factor": 2})
    assert output["image"]["content_type"] == "image/png"


def test_sound_goes_in_and_comes_out(simulator: RunningFal, client: fal_client.SyncClient) -> None:
    simulator.control("behaviour", {"tiny_outputs": False})
    sound = client.upload(audio.wav(audio.ambience("birds", 2.0, 1)), "audio/wav", "birds.wav", repository="fal")
    voice = client.subscribe(
        "resemble-ai/chatterboxhd/speech-to-speech", {"source_audio_url": sound, "target_voice": "Rico"}
    )
    heard = audio.decoded(httpx.get(voice["audio"]["url"], trust_env=False).content)
    assert heard.size == pytest.approx(2 * audio.RATE, rel=0.01)
    said = client.subscribe("fal-ai/whisper", {"audio_url": voice["audio"]["url"], "chunk_level": "word"})
    assert said["chunks"][-1]["timestamp"][1] == pytest.approx(2.0, abs=0.05)
    rain = client.subscribe("fal-ai/elevenlabs/sound-effects/v2", {"text": "rain", "duration_seconds": 1.5})
    assert audio.decoded(httpx.get(rain["audio"]["url"], trust_env=False).content).size == pytest.approx(
        1.5 * audio.RATE, rel=0.01
    )


def test_a_picture_becomes_a_film_and_a_mesh(simulator: RunningFal, client: fal_client.SyncClient) -> None:
    simulator.control("behaviour", {"tiny_outputs": False})
    image = client.subscribe("fal-ai/nano-banana-pro", {"prompt": "a vase", "aspect_ratio": "9:16"})["images"][0]
    frame = client.subscribe(
        "fal-ai/nano-banana-pro/edit", {"prompt": "at dawn", "image_urls": [image["url"]], "output_format": "webp"}
    )["images"][0]
    assert (frame["width"], frame["height"], frame["content_type"]) == (768, 1376, "image/webp")
    toned = client.subscribe("fal-ai/flux/dev/image-to-image", {"prompt": "sage", "image_url": frame["url"]})
    assert (toned["images"][0]["width"], toned["images"][0]["height"]) == (568, 1024)
    film = client.subscribe(VEO, {"prompt": "a slow orbit", "image_url": frame["url"], "duration": "4s"})["video"]
    assert film["content_type"] == "video/mp4"
    part = httpx.get(film["url"], headers={"Range": "bytes=4-7"}, trust_env=False)
    assert (part.status_code, part.content) == (206, b"ftyp")
    mesh = client.subscribe("fal-ai/trellis", {"image_url": image["url"]})["model_mesh"]
    assert mesh["content_type"] == "model/gltf-binary"
    assert httpx.get(mesh["url"], trust_env=False).content.startswith(b"glTF")
