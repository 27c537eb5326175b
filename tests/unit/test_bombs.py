"""Files that are something else than they say, or far more: refused in words, without the memory that they ask for."""

import io
import resource
import struct
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import av
import pytest
from PIL import Image

from core import pictures
from core.decoding import frame_of, wav_of
from core.errors import InvalidInput
from core.mirror import MirrorRefused, examine
from core.pictures import Picture, clean_picture
from local.paths import ROOT
from tests.pictures import jpeg, png, video, wav

SCRIPT = b"<script>alert(document.cookie)</script>"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><rect width="9"/></svg>'


def chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int, *more: bytes, rows: bytes = b"") -> bytes:
    """A PNG that says so of itself: one bit a pixel, whatever is in it."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@lru_cache(maxsize=1)
def zeros() -> bytes:
    """Half a gigabyte of nothing, a thousand times smaller."""
    packed = zlib.compressobj(1)
    return b"".join(packed.compress(bytes(2**20)) for _ in range(512)) + packed.flush()


def webp_of(width: int, height: int) -> bytes:
    """A WebP whose canvas says so of itself (VP8X), with one small picture in it."""
    inner = io.BytesIO()
    Image.new("RGB", (8, 8)).save(inner, "WEBP", lossless=True)
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (width - 1).to_bytes(3, "little")
    body = b"WEBP" + canvas + (height - 1).to_bytes(3, "little") + inner.getvalue()[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose frame header says so."""
    data = bytearray(jpeg())
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def mp4_of(samples: int) -> bytes:
    """An MP4 whose tables say that it has so many frames, all of one size."""
    data = bytearray(video(10, sound=False))
    start = data.index(b"stsz") + 8
    return bytes(data[:start] + struct.pack(">II", 1, samples) + data[start + 8 :])


PICTURES: dict[str, Callable[[], bytes]] = {
    "a PNG of 900 megapixels": lambda: png_of(30_000, 30_000),
    "a PNG of 4 billion pixels a side": lambda: png_of(2**31 - 1, 2**31 - 1),
    "a WebP of 268 megapixels": lambda: webp_of(16_383, 16_383),
    "a JPEG of 4 gigapixels": lambda: jpeg_of(65_500, 65_500),
    "a JPEG of 64 gigabytes of text": lambda: b"\xff\xd8" + b"\xff\xfe\xff\xff" * 50_000,
    "a PNG whose colour profile unpacks to half a gigabyte": lambda: png_of(
        100, 100, chunk(b"iCCP", b"p\0\0" + zeros()), rows=bytes(100 * 14)
    ),
    "a PNG whose comment unpacks to half a gigabyte": lambda: png_of(
        100, 100, chunk(b"zTXt", b"c\0\0" + zeros()), rows=bytes(100 * 14)
    ),
    "a PNG with more rows than it says": lambda: png_of(100, 100).replace(
        chunk(b"IDAT", zlib.compress(b"")), chunk(b"IDAT", zeros())
    ),
}
RECORDINGS: dict[str, Callable[[], bytes]] = {
    "an MP4 of 200 million frames": lambda: mp4_of(200_000_000),
    "a WAV that says 4 gigabytes": lambda: wav()[:40] + struct.pack("<I", 2**32 - 1) + wav()[44:],
}

REFUSED: dict[str, bytes] = {
    "SVG": SVG,
    "SVG without its declaration": SVG.partition(b"?>")[2],
    "HTML": b"<!doctype html>" + SCRIPT,
    "PDF": b"%PDF-1.7\n",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "a playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    "a concat script": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "TIFF": b"II*\0" + bytes(60),
    "BMP": b"BM" + bytes(60),
    "an icon": b"\0\0\1\0" + bytes(60),
    "ZIP": b"PK\3\4" + bytes(60),
    "MPEG-TS": b"\x47" + bytes(187),
    "nothing": b"",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_a_browser_or_a_decoder_might_run_is_not_taken(kind: str) -> None:
    data = REFUSED[kind]
    for take in (clean_picture, wav_of, lambda data: frame_of(data, "first")):
        with pytest.raises(InvalidInput):
            take(data)
    with pytest.raises(MirrorRefused):
        examine(io.BytesIO(data))


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("index.html", SCRIPT)
    return file.getvalue()


def with_comment(data: bytes, comment: bytes) -> bytes:
    """A JPEG with a comment right after its beginning."""
    return data[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + data[2:]


POLYGLOTS: dict[str, Callable[[], bytes]] = {
    "JPEG and HTML": lambda: jpeg() + SCRIPT,
    "JPEG and JavaScript": lambda: with_comment(jpeg(), b"*/=alert(1)/*" + SCRIPT),
    "JPEG and ZIP": lambda: jpeg() + zipped(),
    "PNG and HTML": lambda: png() + SCRIPT,
    "PNG and PHP": lambda: png()[:33] + chunk(b"tEXt", b"a\0<?php system($_GET[0]);" + SCRIPT) + png()[33:],
    "PNG and ZIP": lambda: png() + zipped(),
}


@pytest.mark.parametrize("kind", POLYGLOTS)
def test_of_two_files_in_one_only_the_picture_is_left(kind: str) -> None:
    brought = POLYGLOTS[kind]()
    clean = clean_picture(brought)
    assert (clean.width, clean.height) == (320, 240)
    for second in (b"script", b"<?php", b"alert", b"PK\3\4", b"PK\5\6"):
        assert second not in clean.data
    assert any(second in brought for second in (b"script", b"PK\3\4"))


def test_a_video_that_names_other_files_opens_none_of_them() -> None:
    """FFmpeg is told the format from the bytes: it never tries the ones that refer to other files."""
    with pytest.raises(InvalidInput):
        frame_of(b"\0\0\0\x18ftypisom" + b"#EXTM3U\nfile:///etc/passwd\n" + bytes(50), "first")
    assert "hls" in av.formats_available  # it would know how to


def test_pictures_are_written_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most, lock, begun = 0, 0, threading.Lock(), threading.Barrier(2, timeout=30)

    def slow(data: bytes) -> Picture:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        begun.wait()
        with lock:
            at_once -= 1
        return Picture(data, "image/png", 1, 1)

    monkeypatch.setattr(pictures, "_written_anew", slow)
    threads = [threading.Thread(target=clean_picture, args=(b"",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_bombs_take_no_more_memory_than_fair_files() -> None:
    """In a process of its own, whose highest use of memory is looked at before and after all of them."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.test_bombs"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    fair, bombs = (int(line) for line in done.stdout.split())
    assert bombs < 1.5 * fair, f"fair files take {fair} MB, bombs {bombs} MB"


def _peak() -> int:
    """The most memory that this process has ever used, megabytes.

    Linux counts a parent's use in `ru_maxrss` of what it starts, so that a large test run would hide all of ours.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text(encoding="ascii").partition("VmHWM:")[2].split()[0]) // 2**10
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used // 2 ** (20 if sys.platform == "darwin" else 10)


def _ignite() -> None:
    """Prints what fair files take, megabytes, and what bombs take."""
    clean_picture(png(64, 64)), wav_of(wav()), frame_of(video(10), "first")
    before = _peak()
    clean_picture(png(4000, 3000))
    wav_of(wav(60.0))
    fair = _peak()
    print(fair - before)
    for make in (*PICTURES.values(), *RECORDINGS.values()):
        data = make()
        for take in (clean_picture, pictures.megapixels, wav_of, lambda data: frame_of(data, "last")):
            try:
                take(data)
            except InvalidInput:
                continue
        try:
            examine(io.BytesIO(data))
        except MirrorRefused:
            continue
    print(_peak() - before)


if __name__ == "__main__":
    _ignite()
