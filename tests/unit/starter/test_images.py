"""`resize-image` scales real pictures and refuses what is none."""

from __future__ import annotations

import base64
import io
import struct
import sys
import zlib
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError
from tests.unit.starter.http_server import Answer, HttpServer
from tests.unit.starter.run import Run

from jobcast import Fail
from jobcast.starter.images import ResizeImage, from_data_uri, resize, resize_image, target_size


def picture(
    width: int = 400, height: int = 200, *, format: str = "PNG", mode: str = "RGB", **options: Any
) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height)).save(out, format=format, **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image


def data_uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def wanted(**payload: Any) -> ResizeImage:
    return ResizeImage.model_validate(payload)


async def test_a_picture_is_downloaded_scaled_and_kept(run: Run, web: HttpServer) -> None:
    web.on("/photo.jpg", Answer(body=picture(format="JPEG")))
    url = web.on("/moved", Answer(302, headers={"location": "/photo.jpg"}))

    result = await resize_image(run.context(), wanted(url=url, width=100))

    data, content_type = run.files["resized.jpeg"]
    assert content_type == "image/jpeg"
    assert (opened(data).format, opened(data).size) == ("JPEG", (100, 50))
    assert result == {
        "url": "/files/resized.jpeg",
        "width": 100,
        "height": 50,
        "contentType": "image/jpeg",
    }
    assert run.percents == [40, 90]


@pytest.mark.parametrize("key", ["url", "image", "imageUrl"])
async def test_a_data_uri_is_taken_in_any_key(run: Run, key: str) -> None:
    result = await resize_image(run.context(), wanted(**{key: data_uri(picture())}))
    assert (result["width"], result["height"]) == (320, 160)
    assert opened(run.files["resized.png"][0]).size == (320, 160)


async def test_a_picture_that_is_not_there_fails(run: Run, web: HttpServer) -> None:
    with pytest.raises(Fail, match="404"):
        await resize_image(run.context(), wanted(url=web.url + "/none.png"))


async def test_a_result_too_large_to_keep_fails(run: Run) -> None:
    with pytest.raises(Fail, match="ask for a smaller one"):
        await resize_image(
            run.context(max_file_bytes=100), wanted(url=data_uri(picture()), width=300)
        )
    assert run.files == {}


@pytest.mark.parametrize(
    "payload",
    [{}, {"url": ""}, {"url": None}, {"url": "x", "width": 0}, {"url": "x", "height": 4097}],
)
def test_a_bad_payload_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        wanted(**payload)


@pytest.mark.parametrize(
    ("format", "mode", "becomes"),
    [
        ("PNG", "RGBA", ("PNG", "RGBA")),
        ("PNG", "L", ("PNG", "RGB")),
        ("PNG", "1", ("PNG", "RGB")),
        ("GIF", "P", ("PNG", "RGB")),
        ("JPEG", "CMYK", ("JPEG", "RGB")),
        ("WEBP", "RGBA", ("WEBP", "RGBA")),
        ("BMP", "RGB", ("PNG", "RGB")),
        ("TIFF", "RGB", ("PNG", "RGB")),
    ],
)
def test_every_kind_becomes_one_for_the_web(
    format: str, mode: str, becomes: tuple[str, str]
) -> None:
    data, size, kind = resize(picture(format=format, mode=mode), 40, None)
    assert (opened(data).format, opened(data).mode, opened(data).size) == (*becomes, (40, 20))
    assert (kind, size) == (becomes[0], (40, 20))


def test_a_photo_is_turned_upright_and_loses_its_exif() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010E] = "where it was taken"
    data, size, _ = resize(picture(400, 200, format="JPEG", exif=exif), None, 100)
    assert size == (50, 100)
    assert dict(opened(data).getexif()) == {}


def test_an_animation_becomes_its_first_frame() -> None:
    out = io.BytesIO()
    red, blue = (Image.new("RGB", (10, 10), colour) for colour in ("red", "blue"))
    red.save(out, format="GIF", save_all=True, append_images=[blue])
    data, _, _ = resize(out.getvalue(), 10, 10)
    assert opened(data).convert("RGB").getpixel((5, 5)) == (255, 0, 0)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be huge."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))


@pytest.mark.parametrize("side", [7_500, 20_000, 60_000])
def test_a_decompression_bomb_fails_before_it_unpacks(side: int) -> None:
    with pytest.raises(Fail, match="more than 50,000,000 pixels"):
        resize(bomb(side, side), 10, 10)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>not found</html>",
        picture()[:60],
        picture(format="JPEG")[:100],
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"GIF89a",
        bomb(10, 10),
    ],
    ids=["nothing", "html", "cut png", "cut jpeg", "postscript", "bare gif", "empty png"],
)
def test_what_is_no_picture_fails(data: bytes) -> None:
    with pytest.raises(Fail, match="not a picture that can be read"):
        resize(data, 10, 10)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ((None, None), (320, 160)),
        ((100, None), (100, 50)),
        ((None, 100), (200, 100)),
        ((30, 30), (30, 30)),
        ((1, None), (1, 1)),
    ],
)
def test_the_missing_side_keeps_the_aspect(
    asked: tuple[int | None, int | None], given: tuple[int, int]
) -> None:
    assert target_size((400, 200), *asked) == given


def test_a_side_that_would_come_out_too_long_fails() -> None:
    with pytest.raises(Fail, match="at most 4096 a side"):
        target_size((1, 20_000), 320, None)


@pytest.mark.parametrize(
    ("uri", "data"),
    [
        ("data:,a%20b", b"a b"),
        ("data:text/plain;charset=utf-8,hello", b"hello"),
        ("data:image/png;base64,aGVsbG8=", b"hello"),
        ("DATA:image/png;BASE64,aGVsbG8", b"hello"),
        ("data:;base64,aGVs%0AbG8%3D", b"hello"),
        ("data:;base64,_-8", b"\xff\xef"),
    ],
)
def test_a_data_uri_is_base64_or_percent_encoded(uri: str, data: bytes) -> None:
    assert from_data_uri(uri) == data


@pytest.mark.parametrize("uri", ["data:image/png;base64", "data:;base64,a", "data:;base64,!!!!"])
def test_a_broken_data_uri_fails(uri: str) -> None:
    with pytest.raises(Fail, match="data: URI"):
        from_data_uri(uri)


def test_without_pillow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(Fail, match=r'pip install "jobcast\[starter\]"'):
        resize(b"", 10, 10)
