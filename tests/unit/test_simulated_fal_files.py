"""Videos, sounds, meshes and transcripts of the simulated fal.ai, read back with other people's decoders."""

import io
import json
import struct
import wave
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from local.fal import audio, inputs, mesh, paint, transcript, video
from local.fal.media import Media

STILL = paint.picture("three spheres", 1, 90, 160)


def shot(**changes: object) -> video.Shot:
    given: dict[str, object] = {
        "still": STILL, "end": None, "prompt": "slow dolly", "seed": 1, "size": (90, 160), "seconds": 4.0,
        "sound": False, "loop": False,
    }  # fmt: skip
    return video.Shot(**(given | changes))  # type: ignore[arg-type]


def frames(film: bytes) -> list[np.ndarray]:
    with av.open(io.BytesIO(film)) as container:
        return [frame.to_ndarray(format="rgb24").astype(np.float32) for frame in container.decode(video=0)]


def test_a_film_is_h264_that_browsers_play_and_as_long_as_asked() -> None:
    film = video.film(shot())
    with av.open(io.BytesIO(film)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (90, 160)
        assert float(container.duration or 0) / av.time_base == pytest.approx(4.0, abs=0.05)
        assert not container.streams.audio
    assert film.index(b"moov") < film.index(b"mdat")  # the index comes first: it plays while it loads
    seen = frames(film)
    assert len(seen) == 4 * video.FRAMES_PER_SECOND
    assert np.abs(seen[0] - seen[-1]).mean() > 3  # the camera moved
    assert max(np.abs(a - b).mean() for a, b in pairwise(seen)) < 8  # and never jumped


def test_a_film_with_sound_has_an_aac_track_of_the_same_length() -> None:
    with av.open(io.BytesIO(video.film(shot(sound=True, prompt="waves on a beach")))) as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.codec_context.layout.name) == ("aac", "stereo")
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert heard.shape[1] / audio.RATE == pytest.approx(4.0, abs=0.1)
    assert np.abs(heard).max() > 0.05


def test_a_loop_ends_where_it_began() -> None:
    seen = frames(video.film(shot(loop=True)))
    middle, end = (np.abs(seen[0] - seen[place]).mean() for place in (len(seen) // 2, -1))
    assert end < middle / 3


def test_a_film_dissolves_to_the_end_picture() -> None:
    white = paint.picture("white gradient", 1, 90, 160).point(lambda _: 250)
    seen = frames(video.film(shot(end=white)))
    assert seen[-1].mean() > 240
    assert seen[0].mean() < 235


@pytest.mark.parametrize(
    ("aspect", "source", "portrait"), [("9:16", (10, 10), True), ("16:9", (10, 10), False), ("auto", (300, 500), True)]
)
def test_frames_have_even_sides_and_the_asked_ratio(aspect: str, source: tuple[int, int], portrait: bool) -> None:
    width, height = video.frame_size(aspect, source)
    assert (width % 2, height % 2) == (0, 0)
    assert (height > width) == portrait


@pytest.mark.parametrize(
    "text", ["rain", "sea waves", "wind", "birds", "city street cafe", "fire", "logo sting", "rain and birds"]
)
def test_an_ambience_is_pleasant_stereo_of_the_asked_length(text: str) -> None:
    samples = audio.ambience(text, 1.5, 3)
    assert samples.shape == (round(1.5 * audio.RATE), 2)
    assert 0.3 < np.abs(samples).max() <= 0.71
    assert np.abs(samples[:50]).max() < 0.02  # it fades in
    assert samples[:, 0].tolist() != samples[:, 1].tolist()
    assert np.array_equal(samples, audio.ambience(text, 1.5, 3))
    assert not np.array_equal(samples, audio.ambience(text, 1.5, 4))


def test_a_wav_reads_back() -> None:
    with wave.open(io.BytesIO(audio.wav(audio.ambience("rain", 0.5, 1)))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, audio.RATE)
        assert file.getnframes() == audio.RATE // 2


def tone(pitch: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * audio.RATE)) / audio.RATE
    return (0.5 * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def loudest(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.fft.rfftfreq(samples.size, 1 / audio.RATE)[spectrum.argmax()])


@pytest.mark.parametrize(("voice", "factor"), [("Blade", 0.84), ("Britney", 1.2)])
def test_another_voice_changes_the_pitch_and_keeps_the_length(voice: str, factor: float) -> None:
    spoken = audio.revoiced(tone(220), voice)
    assert spoken.size == audio.RATE
    assert loudest(spoken) == pytest.approx(220 * factor, rel=0.12)


def test_sound_is_decoded_from_a_wav_and_from_a_film() -> None:
    assert loudest(audio.decoded(audio.wav(tone(440)))) == pytest.approx(440, abs=3)
    assert audio.decoded(video.film(shot(sound=True, seconds=1.0))).size == pytest.approx(audio.RATE, rel=0.15)


@pytest.mark.parametrize("content", [b"", b"not a sound", paint.encoded(STILL, "png")])
def test_what_is_no_sound_is_refused(content: bytes) -> None:
    with pytest.raises(audio.NotAudio):
        audio.decoded(content)


def test_a_film_without_sound_has_none_to_decode() -> None:
    with pytest.raises(audio.NotAudio, match="no sound"):
        audio.decoded(video.film(shot(seconds=0.5)))


def read_glb(content: bytes) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    magic, version, total = struct.unpack_from("<4sII", content)
    assert (magic, version, total) == (b"glTF", 2, len(content))
    length, kind = struct.unpack_from("<I4s", content, 12)
    assert (kind, length % 4) == (b"JSON", 0)
    document = json.loads(content[20 : 20 + length])
    binary_length, binary_kind = struct.unpack_from("<I4s", content, 20 + length)
    assert binary_kind == b"BIN\0"
    assert binary_length == document["buffers"][0]["byteLength"]
    binary = content[28 + length :]
    types = {5126: ("<f4", 4), 5125: ("<u4", 4), 5121: ("u1", 1)}
    columns = {"VEC3": 3, "VEC4": 4, "SCALAR": 1}
    primitive = document["meshes"][0]["primitives"][0]
    arrays = {}
    for name, number in {**primitive["attributes"], "indices": primitive["indices"]}.items():
        accessor = document["accessors"][number]
        view = document["bufferViews"][accessor["bufferView"]]
        assert view["byteOffset"] % 4 == 0
        dtype, _ = types[accessor["componentType"]]
        part = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        arrays[name] = np.frombuffer(part, dtype).reshape(accessor["count"], columns[accessor["type"]])
    return document, arrays


@pytest.mark.parametrize("seed", range(4))
def test_a_mesh_is_a_closed_vessel_whose_triangles_and_normals_face_outwards(seed: int) -> None:
    document, arrays = read_glb(mesh.vessel(seed, (0.8, 0.3, 0.2), 32))
    positions, normals, indices = arrays["POSITION"], arrays["NORMAL"], arrays["indices"].ravel()
    assert indices.max() < len(positions)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-3)
    accessor = document["accessors"][0]  # type: ignore[index]
    assert accessor["min"] == pytest.approx(positions.min(axis=0).tolist())
    assert accessor["max"] == pytest.approx(positions.max(axis=0).tolist())
    first, second, third = (positions[indices[place::3]] for place in range(3))
    face = np.cross(second - first, third - first)
    solid = np.linalg.norm(face, axis=1) > 1e-9
    agreement = np.einsum("ij,ij->i", face, normals[indices[0::3]] + normals[indices[1::3]] + normals[indices[2::3]])
    assert (agreement[solid] > 0).mean() > 0.99
    outside = (np.hypot(positions[:, 0], positions[:, 2]) > 0.15) & (positions[:, 1] > 0.2) & (positions[:, 1] < 0.5)
    radial = np.einsum("ij,ij->i", positions[outside][:, [0, 2]], normals[outside][:, [0, 2]])
    assert (radial > 0).any()
    assert (radial < 0).any()  # the inside of the wall


def test_a_mesh_takes_the_colour_of_the_picture_and_less_detail_when_asked() -> None:
    red = paint.picture("dunes", 1, 32, 32).point(lambda _: 0)
    red.paste((220, 30, 30), (8, 8, 24, 24))
    colour = mesh.dominant_colour(red)
    assert colour[0] > 0.7 > 0.3 > colour[1]
    _, arrays = read_glb(mesh.vessel(1, colour, 16))
    top = arrays["COLOR_0"][arrays["POSITION"][:, 1] > 0.9]
    assert top[:, 0].mean() > 3 * top[:, 1].mean()
    assert mesh.detail_for(0.98) < mesh.detail_for(0.9)


@pytest.mark.parametrize("seconds", [0.4, 3.0, 61.5])
@pytest.mark.parametrize("level", ["none", "segment", "word"])
def test_the_times_of_a_transcript_follow_each_other_and_end_with_the_sound(seconds: float, level: str) -> None:
    given = inputs.Whisper(audio_url="https://example.test/a.wav", chunk_level=level, diarize=True)  # type: ignore[arg-type]
    said = transcript.transcribe(seconds, "digest", given)
    chunks = said["chunks"]
    assert chunks[0]["timestamp"][0] == 0
    assert chunks[-1]["timestamp"][1] == pytest.approx(seconds, abs=0.01)
    assert all(before["timestamp"][1] == after["timestamp"][0] for before, after in pairwise(chunks))
    assert "".join(chunk["text"] for chunk in chunks).strip() == said["text"]
    turns = [chunk["speaker"] for chunk in chunks]
    assert set(turns) <= {"SPEAKER_00", "SPEAKER_01"}
    segments = said["diarization_segments"]
    assert [segment["speaker"] for segment in segments] == [speaker for speaker, _ in groupby(turns)]
    assert segments[-1]["timestamp"][1] == chunks[-1]["timestamp"][1]
    assert said == transcript.transcribe(seconds, "digest", given)


def test_many_who_render_the_same_at_once_can_all_publish_it(tmp_path: Path) -> None:
    media = Media(tmp_path)

    def one(number: int) -> str:
        path = media.rendered(f"the same {number // 8}", ".png", lambda: b"a picture")
        return media.publish(path, "picture.png")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(one, range(2400)))) == 2400
    assert not [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".png"]
