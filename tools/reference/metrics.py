"""The metrics, from the registry of a running gateway."""

from typing import Final

from tools.reference.markdown import code, page, table
from tools.reference.world import World

INTRO: Final = """
`GET /metrics` gives them to Prometheus: one gateway process each, so scrape every gateway and sum.
In production the request needs a service key (`X-API-Key`). No metric has a tenant's name in it.
[Observability](../how-to/observability.md) says which to alert on.
"""


def render(world: World) -> str:
    """The page."""
    rows = []
    for found in world.metrics:
        labels = sorted({name for sample in found.samples for name in sample.labels} - {"le"})
        name = f"{found.name}_total" if found.type == "counter" else found.name
        rows.append([code(name), found.type, ", ".join(map(code, labels)), found.documentation])
    return page(
        "Metrics",
        source="the registry of a gateway",
        intro=INTRO,
        parts=[table(("Metric", "Kind", "Labels", "What it is"), rows)],
    )
