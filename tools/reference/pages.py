"""All pages, by the name of their file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.reference import (
    commands,
    errors,
    http,
    metrics,
    python,
    settings,
    socket,
    webhooks,
)
from tools.reference.world import look

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"


def render() -> Mapping[str, str]:
    """The text of every page."""
    world = look()
    return {
        "settings.md": settings.render(),
        "cli.md": commands.render(),
        "http.md": http.render(world),
        "websocket.md": socket.render(),
        "webhooks.md": webhooks.render(),
        "errors.md": errors.render(),
        "metrics.md": metrics.render(world),
        "python.md": python.render(),
    }
