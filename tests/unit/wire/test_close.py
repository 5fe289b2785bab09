"""Close codes: their range is the verdict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcast.wire.close import MAX_REASON_BYTES, CloseCode, close_reason, may_reconnect


@pytest.mark.parametrize("code", list(CloseCode))
def test_every_code_has_a_reason_that_fits_a_close_frame(code: CloseCode) -> None:
    assert 0 < len(code.text.encode()) <= MAX_REASON_BYTES
    assert code.reconnect == may_reconnect(code)


def test_3000_to_3499_tell_the_client_to_reconnect_and_3500_to_3999_not_to() -> None:
    assert all(may_reconnect(code) for code in (3000, 3007, 3008, 3499))
    assert not any(may_reconnect(code) for code in (3500, 3501, 3999))


def test_a_draining_or_broken_connection_is_worth_a_reconnect_and_refused_credentials_are_not() -> (
    None
):
    assert all(may_reconnect(code) for code in (1001, 1005, 1006, 1011, 1012, 1013, 1014))
    assert not any(may_reconnect(code) for code in (1000, 1002, 1007, 1008, 1009))


@given(st.text(max_size=200))
def test_a_reason_is_cut_to_what_fits_without_splitting_a_character(text: str) -> None:
    reason = close_reason(text)
    assert len(reason.encode()) <= MAX_REASON_BYTES
    if len(text.encode(errors="replace")) <= MAX_REASON_BYTES:
        assert reason == text.encode(errors="replace").decode()


def test_a_long_reason_keeps_its_beginning() -> None:
    assert close_reason("é" * 100) == "é" * 61
