"""Which addresses may be called for somebody else; `test_safe_http` sees what is dialled."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from jobcast.domain.addresses import (
    NEARBY,
    NOT_PUBLIC,
    PUBLIC,
    Reach,
    check_target,
    is_public,
    literal,
    network_of,
    reach_for,
)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_an_address_is_counted_as_the_network_of_one_customer(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111"])
def test_what_anybody_can_reach_is_public(address: str) -> None:
    assert is_public(ip_address(address))
    assert PUBLIC.allows(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1"),
        *("192.0.0.1", "192.168.1.1", "198.18.0.1", "224.0.0.1", "255.255.255.255"),
        *("168.63.129.16", "::1", "::", "::ffff:1.1.1.1", "64:ff9b::101:101", "fc00::1"),
        *("fe80::1", "2606:4700::1111%eth0", "2001::1", "2002:101:101::1", "ff02::1"),
    ],
)
def test_everything_else_is_not(address: str) -> None:
    assert not is_public(ip_address(address))


def test_production_reaches_what_is_public_or_named_and_development_what_is_near() -> None:
    near, named = ip_address("127.0.0.1"), ip_address("10.9.0.1")

    assert reach_for(production=True, networks=["10.9.0.0/16"]).allows(named)
    assert not reach_for(production=True, networks=[]).allows(near)
    assert reach_for(production=False, networks=[]).allows(near)
    assert reach_for(production=False, networks=["169.254.7.0/24"]).allows(
        ip_address("169.254.7.1")
    )
    assert not NEARBY.allows(ip_address("169.254.169.254"))


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "1.2.3.4."])
def test_no_other_spelling_of_an_address_passes(host: str) -> None:
    with pytest.raises(ValueError, match="no plain IPv4 address"):
        literal(host)


@pytest.mark.parametrize("host", ["a b", "-a", "a..b", "f\u00fc", "a" * 300])
def test_what_is_no_plain_name_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="not a plain name"):
        literal(host)


def test_names_are_judged_when_they_are_dialled_and_addresses_at_once() -> None:
    assert literal("example.com") is None
    assert literal("1.1.1.1") == ip_address("1.1.1.1")
    assert literal("2606:4700::1111") == ip_address("2606:4700::1111")
    with pytest.raises(ValueError, match="zone"):
        literal("fe80::1%eth0")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scheme": "ftp"}, "only http and https"),
        ({"userinfo": True}, "user name or password"),
        ({"host": ""}, "names no host"),
        ({"port": 22}, "port 22 is refused"),
        ({"port": 0}, "port 0 is refused"),
        ({"host": "10.0.0.1"}, NOT_PUBLIC),
    ],
)
def test_a_target_is_refused_by_how_it_is_written(
    changes: dict[str, object], sentence: str
) -> None:
    good: dict[str, object] = {"scheme": "https", "host": "example.com", "port": None}
    with pytest.raises(ValueError, match=sentence):
        check_target(**{**good, "userinfo": False, "reach": PUBLIC, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("port", [None, 80, 443, 1024, 8443])
def test_a_good_target_passes(port: int | None) -> None:
    check_target(scheme="http", host="1.1.1.1", port=port, userinfo=False, reach=PUBLIC)


def test_where_any_port_may_be_named_it_may() -> None:
    reach = Reach(any_port=True)
    check_target(scheme="http", host="example.com", port=22, userinfo=False, reach=reach)
