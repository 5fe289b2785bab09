"""`data_processing` reads tables from wherever they come and profiles them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.starter.http_server import Answer, HttpServer
from tests.unit.starter.run import Run

from jobcast import Fail
from jobcast.starter import tables
from jobcast.starter.tables import Table, data_processing, from_rows, from_text

CITIES = "city,people\nBerlin,3700000\nBremen,\n"


def wanted(**payload: Any) -> Table:
    return Table.model_validate(payload)


async def test_a_csv_is_downloaded_and_profiled(run: Run, web: HttpServer) -> None:
    url = web.on("/cities.csv", Answer(body=CITIES.encode("utf-8-sig")))

    result = await data_processing(run.context(), wanted(url=url))

    assert result["rows"] == 2
    assert result["columns"] == [
        {
            "name": "city",
            "type": "string",
            "nulls": 0,
            "distinct": 2,
            "min": "Berlin",
            "max": "Bremen",
        },
        {
            "name": "people",
            "type": "integer",
            "nulls": 1,
            "distinct": 1,
            "min": 3700000,
            "max": 3700000,
            "mean": 3700000,
        },
    ]
    assert run.percents == [10, 55, 100]
    assert "2 rows, 2 columns" in run.logged


@pytest.mark.parametrize(
    "payload",
    [
        {"csv": CITIES},
        {"rows": CITIES},
        {"rows": [{"city": "Berlin", "people": 3700000}, {"city": "Bremen"}]},
        {"rows": [["Berlin", 3700000], ["Bremen"]], "columns": ["city", "people"]},
    ],
    ids=["csv", "text in rows", "objects", "lists"],
)
async def test_the_same_table_in_any_form_has_the_same_profile(
    run: Run, payload: dict[str, Any]
) -> None:
    result = await data_processing(run.context(), wanted(**payload))
    assert result == await data_processing(run.context(), wanted(csv=CITIES))


@pytest.mark.parametrize("payload", [{"csv": ""}, {"rows": []}, {"csv": "\n\n"}])
async def test_an_empty_table_has_no_rows(run: Run, payload: dict[str, Any]) -> None:
    assert await data_processing(run.context(), wanted(**payload)) == {"rows": 0, "columns": []}


async def test_a_download_that_is_not_there_fails(run: Run, web: HttpServer) -> None:
    with pytest.raises(Fail, match="404"):
        await data_processing(run.context(), wanted(url=web.url + "/none"))


async def test_a_download_in_an_old_encoding_is_read(run: Run, web: HttpServer) -> None:
    url = web.on("/old.csv", Answer(body="größe\n1\n".encode("cp1252")))
    result = await data_processing(run.context(), wanted(url=url))
    assert result["columns"][0]["name"] == "größe"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"url": "http://x", "csv": "a"},
        {"rows": 5},
        {"rows": [1, 2]},
        {"rows": [{"a": 1}, [1]]},
        {"csv": 1},
    ],
)
def test_a_bad_payload_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        wanted(**payload)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_of_the_first_line(delimiter: str) -> None:
    text = f'a{delimiter}b\r\n1{delimiter}"x{delimiter}y\nz"\r\n'
    assert from_text(text) == (1, {"a": ["1"], "b": [f"x{delimiter}y\nz"]})


def test_rows_of_any_length_are_squared() -> None:
    assert from_text("a,b\n1\n1,2,3\n\n4,5\n") == (
        3,
        {"a": ["1", "1", "4"], "b": [None, "2", "5"], "column_3": [None, "3", None]},
    )


def test_no_column_is_lost_to_another_of_the_same_name() -> None:
    assert from_text("a_3,a,a,,a\n1,2,3,4,5\n")[1] == {
        "a_3": ["1"],
        "a": ["2"],
        "a_3_3": ["3"],
        "column_4": ["4"],
        "a_5": ["5"],
    }


def test_objects_have_the_columns_of_all_of_them() -> None:
    assert from_rows([{"a": 1}, {"b": 2}], []) == (2, {"a": [1, None], "b": [None, 2]})


@pytest.mark.parametrize("text", ["a\n" + "," * 2000, "," * 2000, "," * 2_000_000 + "\n1"])
def test_too_many_columns_fail(text: str) -> None:
    with pytest.raises(Fail, match="too large"):
        from_text(text)


def test_too_many_cells_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_MAX_CELLS", 5)
    with pytest.raises(Fail, match="too large"):
        from_text("a,b\n" + "1,2\n" * 3)


def test_what_is_no_csv_fails_with_its_line() -> None:
    with pytest.raises(Fail, match="line 2 is not CSV"):
        from_text("a\n" + "x" * 200_000)
