import pytest

from jobcast.client import InvalidRequest
from jobcast.client.address import parse
from jobcast.client.paths import segment


def test_an_address_leads_to_the_api_and_the_socket() -> None:
    found = parse("http://127.0.0.1:3000/")
    assert (found.root, found.api, found.socket) == (
        "http://127.0.0.1:3000",
        "http://127.0.0.1:3000/api",
        "ws://127.0.0.1:3000/ws",
    )


def test_https_goes_with_wss_and_a_prefix_is_kept() -> None:
    found = parse(" https://jobs.example.com/team-a/?x=1 ")
    assert (found.root, found.socket) == (
        "https://jobs.example.com/team-a",
        "wss://jobs.example.com/team-a/ws",
    )


@pytest.mark.parametrize(
    "url", ["", "localhost:3000", "ftp://host", "http://", "http://host:port", "http://[::1"]
)
def test_what_is_no_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(InvalidRequest, match=r"write it like http://127.0.0.1:3000"):
        parse(url)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:1", True),
        ("http://app.localhost", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:3000", True),
        ("http://10.0.0.1", False),
        ("http://example.com", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, *, loopback: bool) -> None:
    assert parse(url).is_loopback is loopback


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("a b", "a%20b"), ("../jobs", "..%2Fjobs"), ("..", "%2E%2E"), ("a.txt", "a.txt")],
)
def test_a_name_stays_one_segment(text: str, quoted: str) -> None:
    assert segment(text) == quoted
