"""The worker's part: one job looks at a picture, and has a job of its own for each thumbnail."""

import io
from typing import Any

import httpx2
from PIL import Image, ImageFilter, ImageOps
from pydantic import BaseModel, Field

import jobcast
from jobcast.safe_http import SafeTransport, reach_of

SIDES = (64, 256, 1024)

app = jobcast.App()


class Picture(BaseModel):
    url: str


class Thumbnail(Picture):
    side: int = Field(ge=16, le=4096)


@app.job("picture", isolation="process", timeout=60)
async def picture(ctx: jobcast.Context, picture: Picture) -> dict[str, Any]:
    """Checks the picture, and submits its thumbnails. What breaks the decoder breaks a child."""
    image = await load(ctx, picture.url)
    await ctx.log(f"{image.format}, {image.width} x {image.height} pixels")
    thumbnails = {
        # The key: should this run die here and be repeated, there is still one job for each.
        side: await ctx.submit(
            "thumbnail",
            {"url": picture.url, "side": side},
            unique_key=f"{ctx.job.id} {side}",
            webhook_url=ctx.job.webhook_url,
        )
        for side in SIDES
    }
    return {"format": image.format, "size": image.size, "thumbnails": thumbnails}


# All cores and no more: scaling is work for the processor.
@app.job("thumbnail", isolation="process", timeout=60, max_running=2)
async def thumbnail(ctx: jobcast.Context, wanted: Thumbnail) -> dict[str, Any]:
    """A file of the job: `thumbnail-SIDE.jpg`. Alone in its process, it may block the loop."""
    await ctx.progress(0, "reading")
    image = await load(ctx, wanted.url)
    await ctx.progress(40, "scaling")
    upright = ImageOps.exif_transpose(image).convert("RGB")
    upright.thumbnail((wanted.side, wanted.side), Image.Resampling.LANCZOS)
    await ctx.progress(70, "sharpening")
    sharp = upright.filter(ImageFilter.UnsharpMask(radius=1, percent=60))
    await ctx.progress(90, "saving")
    out = io.BytesIO()
    sharp.save(out, "JPEG", quality=85, optimize=True)
    name = f"thumbnail-{wanted.side}.jpg"
    url = await ctx.save(name, out.getvalue(), "image/jpeg")
    return {"url": url, "name": name, "size": sharp.size, "bytes": out.tell()}


async def load(ctx: jobcast.Context, url: str) -> Image.Image:
    """The picture at an address; in production one that leads to a private network is refused."""
    transport = SafeTransport(reach_of(ctx.settings))
    async with httpx2.AsyncClient(transport=transport, trust_env=False) as http:
        answer = await http.get(url)
    answer.raise_for_status()  # what is raised is tried again
    try:
        image = Image.open(io.BytesIO(answer.content), formats=["JPEG", "PNG", "WEBP"])
        image.load()
    except (OSError, SyntaxError, Image.DecompressionBombError) as problem:
        raise jobcast.Fail("This is no JPEG, PNG or WebP that can be read.") from problem
    return image
