"""`resize-image`: scales a picture and keeps the result with the job."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import re
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import unquote_to_bytes

from pydantic import BaseModel, ConfigDict, Field, model_validator

import jobcast
from jobcast.safe_http import reach_of
from jobcast.starter.fetch import MIB, fetch, require_success

if TYPE_CHECKING:
    from PIL import Image

_MAX_BYTES = 20 * MIB
_MAX_PIXELS = 50_000_000  # read; 200 MB as RGBA
_MAX_SIDE = 4096  # pixels, written
_DEFAULT_WIDTH = 320
_READABLE = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")  # others' decoders stay shut
_EXAMPLE = "data:image/gif;base64,R0lGODdhBAADAIAAAP9mAP///ywAAAAABAADAAACBYyPqcsFADs="
_DATA_URI = re.compile(r"\s*data:[^,]*?(;base64)?,", re.IGNORECASE)


class ResizeImage(BaseModel):
    """The picture, as a URL or a data: URI in any of three keys, and the size in pixels.

    With one of width and height the other follows; with none the width is 320.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "anyOf": [{"required": ["url"]}, {"required": ["image"]}, {"required": ["imageUrl"]}],
            "examples": [{"url": _EXAMPLE, "width": 200}],
        },
    )

    url: str | None = None
    image: str | None = None
    imageUrl: str | None = None
    width: int | None = Field(default=None, ge=1, le=_MAX_SIDE)
    height: int | None = Field(default=None, ge=1, le=_MAX_SIDE)

    @model_validator(mode="after")
    def _some_source(self) -> Self:
        if not self.source:
            raise ValueError("give the picture as url, image or imageUrl")
        return self

    @property
    def source(self) -> str:
        """Where the picture is: an address or a data: URI."""
        return self.url or self.image or self.imageUrl or ""


async def resize_image(ctx: jobcast.Context, payload: ResizeImage) -> dict[str, Any]:
    """Return {"url", "width", "height", "contentType"} of the new picture.

    JPEG stays JPEG, WebP WebP, all else becomes PNG; of an animation the first frame. Turned
    upright by its EXIF, then stripped of it. Fails on what is no picture, over 20 MiB or 50 Mpx.
    """
    if payload.source.lstrip()[:5].lower() == "data:":
        data = from_data_uri(payload.source)
    else:
        await ctx.log("downloading the picture")
        answer = await fetch(
            payload.source, reach=reach_of(ctx.settings), max_bytes=_MAX_BYTES, redirects=5
        )
        require_success(answer)
        data = answer.body
    await ctx.progress(40, "resizing")
    resized, size, kind = await asyncio.to_thread(resize, data, payload.width, payload.height)
    if len(resized) > ctx.settings.max_file_bytes:
        raise jobcast.Fail(f"the resized picture has {len(resized):,} bytes: ask for a smaller one")
    await ctx.progress(90, "saving")
    url = await ctx.save(f"resized.{kind.lower()}", resized, f"image/{kind.lower()}")
    await ctx.log(
        f"{len(data):,} bytes became {size[0]} x {size[1]} pixels, {len(resized):,} bytes"
    )
    width, height = size
    return {"url": url, "width": width, "height": height, "contentType": f"image/{kind.lower()}"}


def from_data_uri(uri: str) -> bytes:
    """The bytes of a `data:` URI, base64 or percent-encoded."""
    head = _DATA_URI.match(uri)
    if head is None:
        raise jobcast.Fail("the data: URI has no comma before its data")
    data = unquote_to_bytes(uri[head.end() :])
    if head[1] is None:
        return data
    try:
        compact = b"".join(data.split()).replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
        return base64.b64decode(compact + b"=" * (-len(compact) % 4), validate=True)
    except binascii.Error:
        raise jobcast.Fail("the data: URI is not valid base64") from None


def resize(
    data: bytes, width: int | None, height: int | None
) -> tuple[bytes, tuple[int, int], str]:
    """The scaled picture, its (width, height) and its format: JPEG, WEBP or PNG. CPU-bound."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise jobcast.Fail('resize-image needs Pillow: pip install "jobcast[starter]"') from None
    try:
        with Image.open(io.BytesIO(data), formats=_READABLE) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                raise jobcast.Fail(f"the picture has more than {_MAX_PIXELS:,} pixels")
            kind = opened.format if opened.format in ("JPEG", "WEBP") else "PNG"
            picture = _plain(ImageOps.exif_transpose(opened))
    except Image.DecompressionBombError:
        raise jobcast.Fail(f"the picture has more than {_MAX_PIXELS:,} pixels") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # whatever broken files make
        raise jobcast.Fail("this is not a picture that can be read (PNG, JPEG, WebP, …)") from error
    size = target_size(picture.size, width, height)
    scaled = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    out = io.BytesIO()
    scaled.save(out, format=kind, quality=85)
    return out.getvalue(), size, kind


def target_size(size: tuple[int, int], width: int | None, height: int | None) -> tuple[int, int]:
    """The new (width, height), keeping the aspect where one of them is missing."""
    if width is None and height is None:
        width = _DEFAULT_WIDTH
    if width is None:
        assert height is not None
        width = max(1, round(size[0] * height / size[1]))
    if height is None:
        height = max(1, round(size[1] * width / size[0]))
    if max(width, height) > _MAX_SIDE:
        raise jobcast.Fail(f"{width} x {height} pixels are too many: at most {_MAX_SIDE} a side")
    return width, height


def _plain(picture: Image.Image) -> Image.Image:
    """The picture in a mode that scales well and that every format here can hold."""
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
