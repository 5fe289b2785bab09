"""Which network addresses may be connected to for somebody else.

Whoever may name an address for us to call could otherwise reach what only we can: this machine, the
networks behind it, the metadata service of its cloud. `ipaddress.is_global` alone won't do: on some
versions of Python it lets multicast, NAT64, 6to4 and IPv4-compatible addresses pass.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import msgspec

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_UNICAST: Final = IPv6Network("2000::/3")
"""All that IPv6 routes between strangers. Outside of it: loopback, unspecified, IPv4-mapped and
-compatible, NAT64, discard, unique local, link-local, site-local, multicast, segment routing."""

_SPECIAL: Final[Sequence[Network]] = [
    ip_network(text)
    for text in (
        # IANA's special-purpose registry of IPv4.
        "0.0.0.0/8",  # this network: Linux connects to itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # behind a carrier's NAT; some clouds' metadata
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "168.63.129.16/32",  # Azure's virtual public address of the host
        # The same of IPv6, within what is routed.
        "2001::/23",  # IETF protocols: Teredo, ORCHID, benchmarks
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address of any kind inside
        "3fff::/20",
    )
]

_NEARBY: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("::1/128", "fc00::/7"),
    )
)

_ENDS_IN_NUMBER: Final = re.compile(r"(?:^|\.)(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?$")
_NAME: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?\.?")
_OWN_PORTS: Final = frozenset({80, 443})
_FIRST_OPEN_PORT: Final = 1024


class Reach(msgspec.Struct, frozen=True):
    """What may be connected to: every public address, and these networks.

    `any_port` lets ports below 1024 other than 80 and 443 be named too.
    """

    networks: tuple[Network, ...] = ()
    any_port: bool = False

    def allows(self, address: Address) -> bool:
        """Whether a connection to this very address may be opened."""
        return is_public(address) or any(address in network for network in self.networks)


PUBLIC: Final = Reach()
NEARBY: Final = Reach(_NEARBY, any_port=True)
"""For development: this machine and its private networks too, but no wrapped or link-local ones."""


def reach_for(*, production: bool, networks: Sequence[str]) -> Reach:
    """Production reaches public addresses and the networks named; elsewhere those nearby, too."""
    named = tuple(ip_network(text) for text in networks)
    return Reach(named) if production else Reach(NEARBY.networks + named, any_port=True)


def is_public(address: Address) -> bool:
    """Whether it is a unicast address that anybody on the internet can reach."""
    if address.version == 6 and (address not in _UNICAST or address.scope_id is not None):
        return False
    return not any(address in network for network in _SPECIAL)


def literal(host: str) -> Address | None:
    """The address that a host spells out; None for a name.

    Raises ValueError with a sentence for what is neither: programs differ in what they read into
    127.1, 0x7f000001 or 2130706433, so no such spelling is let through.
    """
    if ":" in host:
        if "%" in host:
            raise ValueError("an address with a zone is refused")
        return ip_address(host)
    if _ENDS_IN_NUMBER.search(host):
        try:
            return IPv4Address(host)
        except ValueError:
            raise ValueError("a number that is no plain IPv4 address is refused") from None
    if not _NAME.fullmatch(host) or ".." in host:
        raise ValueError("the host is not a plain name")
    return None


def check_target(*, scheme: str, host: str, port: int | None, userinfo: bool, reach: Reach) -> None:
    """Raises ValueError, with a sentence, for an address that is refused by how it is written.

    What a name resolves to is judged when it is connected to.
    """
    if scheme not in ("http", "https"):
        raise ValueError("only http and https are allowed")
    if userinfo:
        raise ValueError("a user name or password in the address is refused")
    if not host:
        raise ValueError("the address names no host")
    allowed = port is None or port in _OWN_PORTS or port >= _FIRST_OPEN_PORT
    if port == 0 or not (allowed or reach.any_port):
        raise ValueError(f"port {port} is refused: use 80, 443, or one from 1024 up")
    address = literal(host)
    if address is not None and not reach.allows(address):
        raise ValueError(NOT_PUBLIC)


NOT_PUBLIC: Final = "not a public address"
"""Said without the address: what a name inside our network resolves to is nobody's business."""


def network_of(address: str) -> str:
    """Who is counted where addresses are: of IPv6 the /64 that one customer has all of."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), 64), strict=False))
