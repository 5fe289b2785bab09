"""What a handler may raise, and how a payload becomes what it asks for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from pydantic import BaseModel, Field

import jobcast
from jobcast.worker.handler import Handlers, JobType, PayloadError


class Size(BaseModel):
    width: int = Field(gt=0)


class Picture(BaseModel):
    url: str
    sizes: list[Size]


@dataclass
class Order:
    item: str


app = jobcast.App()


@app.job("picture")
async def picture(ctx: jobcast.Context, payload: Picture) -> None: ...


@app.job("order")
async def order(ctx: jobcast.Context, payload: Order) -> None: ...


@app.job("any")
async def anything(ctx: jobcast.Context, payload: dict[str, object]) -> None: ...


def kind(name: str) -> JobType:
    found = app.handlers.find(name)
    assert found is not None
    return found


def test_a_payload_becomes_a_model_a_dataclass_or_a_dict() -> None:
    wanted = Picture(url="u", sizes=[Size(width=1)])
    assert kind("picture").decode('{"url":"u","sizes":[{"width":1}]}') == wanted
    assert kind("order").decode('{"item":"tea"}') == Order("tea")
    assert kind("any").decode('{"a":"\\u0000"}') == {"a": "\x00"}


def test_each_field_that_does_not_fit_is_named_by_its_path() -> None:
    with pytest.raises(PayloadError) as caught:
        kind("picture").decode('{"sizes":[{"width":1},{"width":0}]}')
    assert str(caught.value) == (
        "The payload does not fit picture: url: Field required; "
        "sizes.1.width: Input should be greater than 0"
    )


@pytest.mark.parametrize("name", ["any", "order"])
@pytest.mark.parametrize("payload", ['{"item":' + "9" * 5000 + "}", '{"item":' + "[" * 100_000])
def test_what_python_cannot_read_is_the_payloads_fault(name: str, payload: str) -> None:
    with pytest.raises(PayloadError, match=f"{name}: "):
        kind(name).decode(payload)


@pytest.mark.parametrize("after", [None, 0, 1.5, float("inf")])
def test_a_retry_takes_seconds(after: float | None) -> None:
    assert jobcast.Retry(after=after).after == after


@pytest.mark.parametrize("after", [-1, float("nan")])
def test_a_retry_refuses_what_are_none(after: float) -> None:
    with pytest.raises(ValueError, match="seconds from 0 on"):
        jobcast.Retry(after=after)


def test_the_star_stands_for_every_type_without_a_handler() -> None:
    star = kind("any")
    handlers = Handlers({"*": star, "order": kind("order")})
    assert handlers.find("strange") is star
    assert handlers.find("order") is kind("order")
    assert Handlers({}).find("strange") is None
