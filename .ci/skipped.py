"""Print the skipped tests of a run with their reasons; exit 1 on one that the list doesn't name.

Usage: skipped.py JUNIT_XML SKIPS_LIST. A line of the list is a test id, in which `*` stands for any
text, then ` # ` and the reason why it may be skipped. Exits 1 also when no test ran.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET


def allowed(listing: str) -> list[re.Pattern[str]]:
    """The patterns of the list; raises SystemExit on a line without a reason."""
    patterns = []
    for line in listing.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        test_id, _, reason = line.partition(" # ")
        if not reason.strip():
            raise SystemExit(f"tests/skips.txt: no reason given for {test_id.strip()}")
        parts = (re.escape(part) for part in test_id.strip().split("*"))
        patterns.append(re.compile(".*".join(parts), re.DOTALL))
    return patterns


def main(report: Path, listing: Path) -> int:
    patterns = allowed(listing.read_text("utf-8"))
    ran, faults = 0, 0
    # Written by our own pytest a moment ago, so nothing hostile is in it.
    for case in ET.parse(report).iter("testcase"):  # noqa: S314
        skip = case.find("skipped")
        if skip is None or skip.get("type") == "pytest.xfail":
            ran += 1
            continue
        test_id = f"{case.get('classname')}::{case.get('name')}"
        listed = any(pattern.fullmatch(test_id) for pattern in patterns)
        faults += not listed
        note = "" if listed else "  (not in tests/skips.txt)"
        print(f"skipped: {test_id}: {skip.get('message')}{note}")
    if not ran:
        print("No test ran.")
    return int(faults > 0 or not ran)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))
