from __future__ import annotations

import pytest

from jobcast.services.refusals import REFUSED, Quota, longer, refused, too_large, too_many


def test_every_refusal_is_counted_by_its_quota() -> None:
    before = dict(REFUSED)

    refused(Quota.BATCH)
    large = too_large(Quota.FILE, "The file is too large.")
    many = too_many(Quota.WAITING, "Too many.", retry_after=5)

    more = {quota: REFUSED[quota] - before[quota] for quota in Quota}
    assert {quota for quota, count in more.items() if count} == {
        Quota.BATCH, Quota.FILE, Quota.WAITING,
    }  # fmt: skip
    assert sum(more.values()) == 3
    assert (large.status, large.code, large.message) == (
        413, "PAYLOAD_TOO_LARGE", "The file is too large.",
    )  # fmt: skip
    assert (many.status, many.code, many.retry_after) == (429, "QUOTA_EXCEEDED", 5)


@pytest.mark.parametrize(
    ("text", "limit", "is_longer"),
    [("abc", 3, False), ("abcd", 3, True), ("ää", 3, True), ("ää", 4, False), ("", 1, False)],
)
def test_bytes_are_counted_not_characters(text: str, limit: int, is_longer: bool) -> None:
    assert longer(text, limit) is is_longer
