"""The simulated queue, driven with fal's own Python client wherever that can do it."""

import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import fal_client
import fal_client.client
import httpx
import pytest
from PIL import Image

from local.fal import audio, paint
from local.fal.serving import RunningFal, running

SCHNELL = "fal-ai/flux/schnell"
VEO = "fal-ai/veo3.1/fast/image-to-video"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFal]:
    with running(tmp_path_factory.mktemp("fal")) as fal:
        yield fal


@pytest.fixture
def simulator(server: RunningFal) -> RunningFal:
    server.control("reset")
    server.control("behaviour", {"speed": 0, "tiny_outputs": True, "seed": 1})
    return server


@pytest.fixture
def client(simulator: RunningFal, monkeypatch: pytest.MonkeyPatch) -> Iterator[fal_client.SyncClient]:
    """The official client. It knows https hosts only, so its addresses are replaced."""
    monkeypatch.setattr(fal_client.client, "QUEUE_URL_FORMAT", f"{simulator.url}/")
    monkeypatch.setattr(fal_client.client, "REST_URL", simulator.url)
    official = fal_client.SyncClient(key=simulator.key)
    yield official
    official._client.close()


@pytest.fixture
def http(simulator: RunningFal) -> Iterator[httpx.Client]:
    """Plain HTTP with the ordinary key."""
    headers = {"Authorization": f"Key {simulator.key}"}
    with httpx.Client(base_url=simulator.url, headers=headers, timeout=20, trust_env=False) as plain:
        yield plain


def wait_until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
    return found


def submit(http: httpx.Client, prompt: str = "a vase", endpoint: str = SCHNELL, **options: Any) -> dict[str, Any]:
    answer = http.post(f"/{endpoint}", json={"prompt": prompt, **options.pop("inputs", {})}, **options)
    answer.raise_for_status()
    content: dict[str, Any] = answer.json()
    return content


def completed(http: httpx.Client, submitted: dict[str, Any]) -> dict[str, Any]:
    """The final status."""

    def done() -> Any:
        answer = http.get(submitted["status_url"], params={"logs": "1"})
        return answer if answer.status_code == 200 else None

    content: dict[str, Any] = wait_until(done).json()
    return content


# The official client


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


# HTTP details


def test_submit_answers_with_urls_of_owner_and_app_only(simulator: RunningFal, http: httpx.Client) -> None:
    answer = http.post(f"/{SCHNELL}", json={"prompt": "a"})
    content = answer.json()
    base = f"{simulator.url}/fal-ai/flux/requests/{content['request_id']}"
    assert content.items() >= {
        "status": "IN_QUEUE", "gateway_request_id": content["request_id"], "queue_position": 0,
        "response_url": base, "status_url": f"{base}/status", "cancel_url": f"{base}/cancel",
    }.items()  # fmt: skip
    assert answer.headers["x-fal-request-id"] == content["request_id"]


def test_a_result_replays_status_body_and_billable_units(http: httpx.Client) -> None:
    submitted = submit(http, inputs={"num_images": 3, "image_size": {"width": 1500, "height": 1000}})
    completed(http, submitted)
    first, second = (http.get(submitted["response_url"]) for _ in range(2))
    assert first.content == second.content
    assert first.headers["X-Fal-Billable-Units"] == "6"
    assert first.headers["x-fal-request-id"] == submitted["request_id"]


@pytest.mark.parametrize("suffix", ["", "/", "/response", "/response/"])
@pytest.mark.parametrize("app", ["fal-ai/flux", SCHNELL])
def test_aliases_of_the_result_url(http: httpx.Client, app: str, suffix: str) -> None:
    submitted = submit(http)
    completed(http, submitted)
    assert http.get(f"/{app}/requests/{submitted['request_id']}{suffix}").status_code == 200
    assert http.get(f"/{app}/requests/{submitted['request_id']}/status/").status_code == 200


def test_what_does_not_exist_is_404(http: httpx.Client) -> None:
    submitted = submit(http)
    assert http.post("/fal-ai/no-such-model", json={}).status_code == 404
    assert http.get("/fal-ai/flux/requests/nothing").status_code == 404
    assert http.get("/fal-ai/flux/requests/nothing/status").status_code == 404
    unknown = http.put("/fal-ai/flux/requests/nothing/cancel")
    assert (unknown.status_code, unknown.json()) == (404, {"status": "NOT_FOUND"})
    assert http.get(f"/fal-ai/veo3.1/requests/{submitted['request_id']}").status_code == 404


@pytest.mark.parametrize("body", [b"not json", b'["a list"]'])
def test_a_body_that_is_no_object_is_refused(http: httpx.Client, body: bytes) -> None:
    assert http.post(f"/{SCHNELL}", content=body).status_code in (400, 422)


def test_waiting_requests_count_down_and_low_priority_waits_longest(simulator: RunningFal, http: httpx.Client) -> None:
    simulator.control("behaviour", {"concurrency": 1})
    first = submit(http, "a [sim:slow=60]")
    wait_until(lambda: http.get(first["status_url"]).json()["status"] == "IN_PROGRESS")
    low = submit(http, headers={"X-Fal-Queue-Priority": "low"})
    waiting = [submit(http, "a [sim:slow=60]") for _ in range(3)]

    def positions() -> list[int | None]:
        return [http.get(item["status_url"]).json()["queue_position"] for item in (*waiting, low)]

    assert positions() == [0, 1, 2, 3]
    assert http.post(f"/{SCHNELL}?fal_max_queue_length=4", json={"prompt": "a"}).status_code == 429
    assert http.post(f"/{SCHNELL}?fal_max_queue_length=5", json={"prompt": "a"}).status_code == 200
    assert http.put(first["cancel_url"]).status_code == 202
    wait_until(lambda: positions() == [None, 0, 1, 3])
    assert simulator.state()["counts"]["IN_PROGRESS"] == 1


def test_logs_come_only_when_asked_for_and_show_steps(simulator: RunningFal, http: httpx.Client) -> None:
    simulator.control("behaviour", {"speed": 0.4})
    submitted = submit(http, endpoint="fal-ai/flux/dev")
    wait_until(lambda: http.get(submitted["status_url"]).json()["status"] == "IN_PROGRESS")
    for asked in ("1", "true", "True"):
        assert http.get(submitted["status_url"], params={"logs": asked}).json()["logs"] is not None
    for not_asked in ({}, {"logs": "0"}, {"logs": "false"}):
        assert http.get(submitted["status_url"], params=not_asked).json()["logs"] is None
    messages = [line["message"] for line in completed(http, submitted)["logs"]]
    assert messages[1].startswith("  0%|")
    assert any(message.startswith("100%|##########| 28/28") for message in messages)


def test_unknown_inputs_are_accepted_and_shown(simulator: RunningFal, http: httpx.Client) -> None:
    submitted = submit(http, inputs={"negative_promt": "x", "steps": 3})
    assert completed(http, submitted)["status"] == "COMPLETED"
    assert simulator.request(submitted["request_id"])["extra_fields"] == ["negative_promt", "steps"]


def test_results_without_storage_do_not_stay(http: httpx.Client) -> None:
    kept = submit(http, headers={"X-Fal-Store-IO": "0"})
    completed(http, kept)
    assert http.get(kept["response_url"]).status_code == 200
    gone = submit(http, "a [sim:expired]")
    completed(http, gone)
    assert http.get(gone["response_url"]).status_code == 404


# Inputs that are files


@pytest.mark.parametrize(
    ("url", "error_type"),
    [
        ("http://127.0.0.1:9/nothing.png", "file_download_error"),
        ("no address", "file_download_error"),
        ("data:image/png;base64,!!!", "file_download_error"),
        ("data:image/png;base64,bm8gcGljdHVyZQ==", "image_load_error"),
    ],
)
def test_an_unusable_picture_is_refused(http: httpx.Client, url: str, error_type: str) -> None:
    submitted = submit(http, endpoint="fal-ai/trellis", inputs={"image_url": url})
    completed(http, submitted)
    answer = http.get(submitted["response_url"])
    (entry,) = answer.json()["detail"]
    assert (answer.status_code, entry["type"], entry["loc"]) == (422, error_type, ["body", "image_url"])


def test_a_data_uri_works_and_a_tiny_picture_is_refused(http: httpx.Client) -> None:
    import base64

    for side, status in ((32, 200), (8, 422)):
        content = base64.b64encode(paint.encoded(Image.new("RGB", (side, side), "red"), "png")).decode()
        uri = f"data:image/png;base64,{content}"
        submitted = submit(http, endpoint="fal-ai/trellis", inputs={"image_url": uri})
        completed(http, submitted)
        assert http.get(submitted["response_url"]).status_code == status


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


def test_equal_parameters_give_equal_files_at_different_urls(simulator: RunningFal, http: httpx.Client) -> None:
    simulator.control("behaviour", {"tiny_outputs": False})
    files = []
    for _ in range(2):
        submitted = submit(http, inputs={"seed": 9, "image_size": "square"})
        completed(http, submitted)
        files.append(http.get(submitted["response_url"]).json()["images"][0]["url"])
    assert files[0] != files[1]
    assert httpx.get(files[0], trust_env=False).content == httpx.get(files[1], trust_env=False).content


def test_hundreds_of_requests_at_once(simulator: RunningFal, http: httpx.Client) -> None:
    simulator.control("behaviour", {"concurrency": 40})
    submitted = [submit(http, f"number {number}") for number in range(200)]
    for item in submitted:
        completed(http, item)
    counts = simulator.state()["counts"]
    assert (counts["accepted"], counts["COMPLETED"], counts["failed"], counts["submitted_twice"]) == (200, 200, 0, 0)
    assert simulator.state()["billed_usd"] == "0.6"


def test_state_survives_a_restart(tmp_path: Any) -> None:
    with running(tmp_path) as before:
        before.control("behaviour", {"speed": 0, "tiny_outputs": True})
        with httpx.Client(base_url=before.url, headers={"Authorization": f"Key {before.key}"}, trust_env=False) as http:
            done, open_still = submit(http), submit(http, "a [sim:slow=60]")
            completed(http, done)
            keys = http.get("/.well-known/jwks.json").json()
            wait_until(lambda: http.get(open_still["status_url"]).json()["status"] == "IN_PROGRESS")
        port = int(before.url.rpartition(":")[2])
    with (
        running(tmp_path, port=port) as after,
        httpx.Client(base_url=after.url, headers={"Authorization": f"Key {after.key}"}, trust_env=False) as http,
    ):
        assert after.control("behaviour")["speed"] == 0
        assert http.get("/.well-known/jwks.json").json() == keys
        result = http.get(done["response_url"])
        assert result.headers["X-Fal-Billable-Units"] == "1"
        assert httpx.get(result.json()["images"][0]["url"], trust_env=False).status_code == 200
        wait_until(lambda: http.get(open_still["status_url"]).json()["status"] == "IN_PROGRESS")
        assert http.put(open_still["cancel_url"]).status_code == 202
        assert completed(http, open_still)["error_type"] == "client_cancelled"
        assert after.control("behaviour")["balance"] == "49.997"
