import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcast.services.key_text import Env, hint_of, key_id_of, new_key


@pytest.mark.parametrize(
    ("env", "short"), [("development", "dev"), ("production", "live"), ("test", "test")]
)
def test_a_key_says_where_it_belongs_and_which_one_it_is(env: Env, short: str) -> None:
    key_id, text = new_key(env)

    assert re.fullmatch(rf"jc_{short}_{key_id}_[0-9A-Za-z]{{38}}", text)
    assert key_id_of(text) == key_id
    assert new_key(env)[1] != text


@given(place=st.integers(0, 59), character=st.sampled_from("09AZaz_"))
def test_a_typo_is_seen_without_the_database(place: int, character: str) -> None:
    _, text = new_key("test")
    typo = text[:place] + character + text[place + 1 :]

    assert (key_id_of(typo) is None) == (typo != text)


@pytest.mark.parametrize("place", range(3, 58))
def test_swapped_neighbours_are_seen(place: int) -> None:
    _, text = new_key("test")
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]

    assert (key_id_of(swapped) is None) == (swapped != text)


@pytest.mark.parametrize("text", ["", "jc_", "jc_test_x_y", "\ud800", "jc_test_" + "é" * 51])
def test_what_is_no_key_has_no_id(text: str) -> None:
    assert key_id_of(text) is None


def test_white_space_around_a_key_is_a_typo() -> None:
    _, text = new_key("test")

    assert key_id_of(text + "\n") is None


def test_a_hint_shows_the_id_and_nothing_of_the_secret() -> None:
    key_id, text = new_key("production")

    assert hint_of(text) == f"jc_live_{key_id}_…"
