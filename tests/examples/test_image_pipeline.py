"""The image pipeline: a picture in, thumbnails out, and a webhook of each job."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from tests.examples.running import output

pytestmark = pytest.mark.e2e


def test_a_picture_becomes_thumbnails(tmp_path: Path) -> None:
    picture = tmp_path / "wide.png"
    Image.effect_mandelbrot((400, 200), (-2.2, -0.8, 1.0, 0.8), 40).save(picture)

    said = output(tmp_path, "image-pipeline", picture.name)

    assert [line.split()[0] for line in said if line.endswith(" DONE")].count("thumbnail") == 3
    assert [" ".join(line.split()[:4]) for line in said[-3:]] == [
        "thumbnail-64.jpg 64 x 32",
        "thumbnail-256.jpg 256 x 128",
        "thumbnail-1024.jpg 400 x 200",  # never larger than it was
    ]
