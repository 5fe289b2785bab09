"""Jobs that need nothing but time."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.unit.starter.run import Run

from jobcast.starter import simple
from jobcast.starter.simple import Sleep, StreamText, echo, sleep, stream_text


async def test_sleep_takes_its_time_and_says_how_far_it_is(run: Run) -> None:
    started = asyncio.get_running_loop().time()
    result = await sleep(run.context(), Sleep(delayMs=200))
    assert asyncio.get_running_loop().time() - started >= 0.2
    assert result["sleptMs"] >= 200
    assert run.percents == [50, 100]


async def test_sleep_of_nothing_is_over_at_once(run: Run) -> None:
    assert (await sleep(run.context(), Sleep(delayMs=0)))["sleptMs"] < 100


async def test_a_cancelled_sleep_wakes_at_once(run: Run) -> None:
    sleeping = asyncio.create_task(sleep(run.context(), Sleep(delayMs=3_600_000)))
    await asyncio.sleep(0)
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping


@pytest.mark.parametrize("delay", [-1, 3_600_001, "soon", None])
def test_sleep_is_up_to_an_hour(delay: object) -> None:
    with pytest.raises(ValidationError):
        Sleep.model_validate({"delayMs": delay})


async def test_text_is_streamed_word_by_word(run: Run) -> None:
    result = await stream_text(run.context(), StreamText(text="One more time.", delayMs=0))
    assert run.output == [{"token": "One "}, {"token": "more "}, {"token": "time."}]
    assert result == {"text": "One more time.", "tokens": 3}
    assert run.percents[-1] == 100


async def test_there_is_a_text_to_stream_when_none_is_given(run: Run) -> None:
    result = await stream_text(run.context(), StreamText(delayMs=0))
    assert result["tokens"] == len(run.output) > 10


@given(text=st.text(max_size=80))
def test_the_tokens_joined_are_the_text(text: str) -> None:
    run = Run()
    asyncio.run(stream_text(run.context(), StreamText(text=text, delayMs=0)))
    assert "".join(piece["token"] for piece in run.output) == text


async def test_any_other_type_gets_its_payload_back(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simple, "_ECHO_AFTER", 0)
    assert await echo(run.context("what-ever"), {"deep": {"er": [1]}}) == {"deep": {"er": [1]}}
    assert "what-ever" in run.logged
