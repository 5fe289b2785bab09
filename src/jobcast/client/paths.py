"""Names as parts of a URL."""

from urllib.parse import quote


def segment(text: str) -> str:
    """`text` as one segment of a path; it can't reach another route, whatever it holds."""
    quoted = quote(text, safe="")
    return quoted.replace(".", "%2E") if quoted.strip(".") == "" else quoted
