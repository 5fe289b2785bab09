"""The table of addresses and tricks: what is refused is never dialled, the rest by address alone.

Only the resolver and the connector are replaced: URLs are read, redirected and sent for real.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

import httpcore2
import httpx2
import pytest
from structlog.testing import capture_logs

from jobcast.domain.addresses import NEARBY, PUBLIC, Reach, is_public, reach_for
from jobcast.runtime import audit
from jobcast.safe_http import ADDRESSES, AddressRefused, SafeBackend, SafeTransport, reach_of
from jobcast.services.posting import Poster
from jobcast.settings import load_settings

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HERE = "93.184.216.34"
"""A public address, and that of `hooks.example` in these tests."""


class Stream(httpcore2.AsyncMockStream):
    """A connection that notes what is sent and which name TLS is made for."""

    def __init__(self, answers: list[bytes]) -> None:
        super().__init__(answers)
        self.sent = b""
        self.tls_name: str | None = None
        self.context: ssl.SSLContext | None = None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.sent += buffer

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.tls_name, self.context = server_hostname, ssl_context
        return self


class Network(httpcore2.AsyncNetworkBackend):
    """The resolver and the connector. `names` holds the answers of each name, one list a look-up;
    the last stays. `dialled` is what was connected to; `dead` addresses refuse."""

    def __init__(self, **names: Sequence[Sequence[str]]) -> None:
        self.names = {name.replace("_", "."): list(answers) for name, answers in names.items()}
        self.asked: list[str] = []
        self.dialled: list[tuple[str, int]] = []
        self.streams: list[Stream] = []
        self.dead: set[str] = set()
        self.answers = [OK]

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self.names.get(host.rstrip("."))
        if not answers:
            raise OSError("no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.dialled.append((host, port))
        if host in self.dead:
            raise httpcore2.ConnectError("refused")
        stream = Stream([self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]])
        self.streams.append(stream)
        return stream

    def client(self, reach: Reach = PUBLIC, **options: Any) -> httpx2.AsyncClient:
        transport = SafeTransport(reach, resolve=self.resolve, backend=self)
        return httpx2.AsyncClient(transport=transport, trust_env=False, **options)

    async def get(self, url: str, reach: Reach = PUBLIC, **options: Any) -> httpx2.Response:
        async with self.client(reach, **options) as client:
            return await client.get(url)


WRITTEN: Mapping[str, str] = {
    "loopback": "http://127.0.0.1/",
    "loopback, not .1": "http://127.8.9.10/",
    "loopback over TLS": "https://127.0.0.1/",
    "unspecified": "http://0.0.0.0/",
    "this network": "http://0.1.2.3/",
    "private 10": "http://10.0.0.1/",
    "private 172.16": "http://172.16.0.1/",
    "private 172.31": "http://172.31.255.255/",
    "private 192.168": "http://192.168.1.1/",
    "carrier NAT": "http://100.64.0.1/",
    "carrier NAT, end": "http://100.127.255.255/",
    "Alibaba's metadata": "http://100.100.100.200/latest/meta-data/",
    "link-local": "http://169.254.1.1/",
    "AWS, Azure and Google metadata": "http://169.254.169.254/latest/meta-data/",
    "Oracle's metadata": "http://192.0.0.192/opc/v2/instance/",
    "Azure's host": "http://168.63.129.16/",
    "documentation 1": "http://192.0.2.1/",
    "documentation 2": "http://198.51.100.1/",
    "documentation 3": "http://203.0.113.1/",
    "6to4 relay": "http://192.88.99.1/",
    "benchmarks": "http://198.18.0.1/",
    "benchmarks, end": "http://198.19.255.255/",
    "multicast": "http://224.0.0.1/",
    "multicast, end": "http://239.255.255.255/",
    "reserved": "http://240.0.0.1/",
    "broadcast": "http://255.255.255.255/",
    "decimal": "http://2130706433/",
    "decimal with a dot": "http://2130706433./",
    "octal": "http://0177.0.0.1/",
    "octal, whole": "http://017700000001/",
    "octal, one part": "http://127.0.0.01/",
    "hex": "http://0x7f.0.0.1/",
    "hex, whole": "http://0x7f000001/",
    "hex, last part": "http://127.0.0.0x1/",
    "hex, empty": "http://0x/",
    "short, two parts": "http://127.1/",
    "short, three parts": "http://127.0.1/",
    "short, one zero": "http://0/",
    "mixed bases": "http://0x7f.0.01/",
    "too large a part": "http://256.256.256.256/",
    "too many parts": "http://1.2.3.4.5/",
    "metadata in decimal": "http://2852039166/",
    "trailing dot": "http://127.0.0.1./",
    "two trailing dots": "http://127.0.0.1../",
    "percent-encoded": "http://%31%32%37.0.0.1/",
    "percent-encoded dots": "http://127%2e0%2e0%2e1/",
    "Unicode digits": "http://①②⑦.0.0.1/",
    "full-width digits": "http://\uff11\uff12\uff17.0.0.1/",
    "ideographic stops": "http://127。0。0。1/",
    "a NUL in the host": "http://127.0.0.1%00.hooks.example/",
    "IPv6 loopback": "http://[::1]/",
    "IPv6 unspecified": "http://[::]/",
    "IPv4-mapped loopback": "http://[::ffff:127.0.0.1]/",
    "IPv4-mapped in hex": "http://[::ffff:7f00:1]/",
    "IPv4-mapped metadata": "http://[::ffff:169.254.169.254]/",
    "IPv4-mapped public": f"http://[::ffff:{HERE}]/",
    "IPv4-compatible": "http://[::127.0.0.1]/",
    "IPv4-translated": "http://[::ffff:0:127.0.0.1]/",
    "NAT64": "http://[64:ff9b::7f00:1]/",
    "NAT64 to metadata": "http://[64:ff9b::169.254.169.254]/",
    "local NAT64": "http://[64:ff9b:1::1]/",
    "6to4 of loopback": "http://[2002:7f00:1::]/",
    "6to4 of private": "http://[2002:a00:1::1]/",
    "Teredo": "http://[2001:0:7f00:1::]/",
    "ORCHID": "http://[2001:10::1]/",
    "IPv6 documentation": "http://[2001:db8::1]/",
    "IPv6 documentation, new": "http://[3fff::1]/",
    "discard": "http://[100::1]/",
    "unique local": "http://[fd00::1]/",
    "AWS metadata on IPv6": "http://[fd00:ec2::254]/",
    "link-local on IPv6": "http://[fe80::1]/",
    "link-local with a zone": "http://[fe80::1%25eth0]/",
    "site-local": "http://[fec0::1]/",
    "IPv6 multicast": "http://[ff02::1]/",
    "segment routing": "http://[5f00::1]/",
    "user and password": "http://user:secret@hooks.example/",
    "user alone": "http://hooks.example@127.0.0.1/",
    "a host for a user": "http://127.0.0.1:80@hooks.example/",
    "a low port": "http://hooks.example:22/",
    "mail": "http://hooks.example:25/",
    "port 0": "http://hooks.example:0/",
    "ftp": "ftp://hooks.example/",
    "file": "file:///etc/passwd",
    "gopher": "gopher://hooks.example/",
    "no scheme": "//hooks.example/",
    "no host": "http:///path",
    "a back-slash": "http://127.0.0.1\\@hooks.example/",
    "a tab in the host": "http://127.0.0.1\t.hooks.example/",
}  # fmt: skip


@pytest.mark.parametrize("url", WRITTEN.values(), ids=WRITTEN.keys())
async def test_an_address_that_is_refused_as_written_is_neither_asked_nor_dialled(url: str) -> None:
    network = Network(hooks_example=[[HERE]])

    with pytest.raises((AddressRefused, httpx2.UnsupportedProtocol, httpx2.InvalidURL)):
        await network.get(url)

    assert (network.asked, network.dialled) == ([], [])


RESOLVED: Mapping[str, Sequence[str]] = {
    "loopback": ["127.0.0.1"],
    "loopback on IPv6": ["::1"],
    "private": ["10.1.2.3"],
    "metadata": ["169.254.169.254"],
    "carrier NAT": ["100.64.1.1"],
    "unspecified": ["0.0.0.0"],
    "multicast": ["224.0.0.251"],
    "IPv4-mapped": ["::ffff:10.0.0.1"],
    "NAT64": ["64:ff9b::a00:1"],
    "6to4": ["2002:a00:1::1"],
    "IPv4-compatible": ["::10.0.0.1"],
    "link-local with a zone": ["fe80::1%1"],
    "unique local": ["fd12:3456::1"],
    "a public one first": [HERE, "10.0.0.1"],
    "a public one last": ["10.0.0.1", HERE],
    "hidden behind many": [*[f"93.184.216.{n}" for n in range(1, 20)], "127.0.0.1"],
    "public IPv4, private IPv6": [HERE, "fd00::1"],
}


@pytest.mark.parametrize("answers", RESOLVED.values(), ids=RESOLVED.keys())
async def test_a_name_with_any_address_that_is_not_public_is_not_dialled(
    answers: Sequence[str],
) -> None:
    network = Network(hooks_example=[answers])

    with pytest.raises(AddressRefused, match="not a public address"):
        await network.get("https://hooks.example/")

    assert (network.asked, network.dialled) == (["hooks.example"], [])


@pytest.mark.parametrize("name", ["localhost", "localhost.", "LOCALHOST", "a.localtest.me"])
async def test_a_name_of_this_machine_is_not_dialled(name: str) -> None:
    network = Network(localhost=[["127.0.0.1", "::1"]], a_localtest_me=[["127.0.0.1"]])

    with pytest.raises(AddressRefused):
        await network.get(f"http://{name}/")

    assert network.dialled == []


PUBLIC_HOSTS: Mapping[str, tuple[str, tuple[str, int]]] = {
    "a name": ("http://hooks.example/", (HERE, 80)),
    "a name over TLS": ("https://hooks.example/", (HERE, 443)),
    "a high port": ("https://hooks.example:8443/", (HERE, 8443)),
    "a trailing dot": ("http://hooks.example./", (HERE, 80)),
    "capitals": ("http://HOOKS.Example/", (HERE, 80)),
    "an address": (f"http://{HERE}/", (HERE, 80)),
    "just below 10/8": ("http://9.255.255.255/", ("9.255.255.255", 80)),
    "just above 172.31": ("http://172.32.0.1/", ("172.32.0.1", 80)),
    "just below carrier NAT": ("http://100.63.255.255/", ("100.63.255.255", 80)),
    "an IPv6 address": (
        "https://[2606:4700::6810:84e5]/",
        ("2606:4700::6810:84e5", 443),
    ),
    "an international name": ("http://bücher.example/", ("203.1.2.3", 80)),
    "digits in a name": ("http://1.2.3.4.example/", ("203.1.2.4", 80)),
}


@pytest.mark.parametrize(("url", "dialled"), PUBLIC_HOSTS.values(), ids=PUBLIC_HOSTS.keys())
async def test_public_hosts_are_dialled_by_address(url: str, dialled: tuple[str, int]) -> None:
    network = Network(hooks_example=[[HERE]])
    network.names["xn--bcher-kva.example"] = [["203.1.2.3"]]
    network.names["1.2.3.4.example"] = [["203.1.2.4"]]

    answer = await network.get(url)

    assert answer.status_code == 200
    assert network.dialled == [dialled]


async def test_tls_and_host_go_by_the_name() -> None:
    network = Network(hooks_example=[[HERE]])

    await network.get("https://hooks.example/path")

    [stream] = network.streams
    assert stream.tls_name == "hooks.example"
    assert stream.context is not None
    assert stream.context.check_hostname
    assert stream.context.verify_mode is ssl.CERT_REQUIRED
    assert b"\r\nHost: hooks.example\r\n" in stream.sent


async def test_a_name_that_changes_between_check_and_connection_gains_nothing() -> None:
    network = Network(hooks_example=[[HERE], ["127.0.0.1"]])

    await network.get("http://hooks.example/")

    assert network.asked == ["hooks.example"]
    assert network.dialled == [(HERE, 80)]
    with pytest.raises(AddressRefused):
        await network.get("http://hooks.example/")
    assert network.dialled == [(HERE, 80)]


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize(
    "to",
    [
        "http://127.0.0.1/", "http://2130706433/", "http://[::1]/", "http://inside.example/",
        "http://user:pw@hooks.example/", "http://hooks.example:22/", "//169.254.169.254/",
    ],
)  # fmt: skip
async def test_a_redirect_passes_the_guard_as_well(to: str) -> None:
    network = Network(hooks_example=[[HERE]], inside_example=[["10.0.0.1"]])
    network.answers = [redirect(to), OK]

    with pytest.raises(AddressRefused):
        await network.get("http://hooks.example/", follow_redirects=True)

    assert network.dialled == [(HERE, 80)]


async def test_webhooks_follow_no_redirect() -> None:
    network = Network(hooks_example=[[HERE]])
    network.answers = [redirect("http://hooks.example/other"), OK]
    transport = SafeTransport(PUBLIC, resolve=network.resolve, backend=network)

    async with Poster(transport=transport) as post:
        answer = await post("http://hooks.example/", body=b"{}", headers={})

    assert answer.status_code == 302
    assert len(network.streams) == 1


async def test_a_webhook_that_is_refused_says_so_without_saying_where_it_led() -> None:
    network = Network(inside_example=[["10.9.8.7"]])
    transport = SafeTransport(PUBLIC, resolve=network.resolve, backend=network)

    async with Poster(transport=transport) as post:
        answer = await post("http://inside.example/", body=b"{}", headers={})

    assert answer.status_code is None
    assert answer.error == "address refused: not a public address"


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:3128")
    network = Network(hooks_example=[[HERE]])

    await network.get("http://hooks.example/")

    assert network.dialled == [(HERE, 80)]


async def test_the_next_address_is_tried_where_one_is_dead() -> None:
    network = Network(hooks_example=[["93.184.216.1", HERE]])
    network.dead = {"93.184.216.1"}

    assert (await network.get("http://hooks.example/")).status_code == 200
    assert network.dialled == [("93.184.216.1", 80), (HERE, 80)]


async def test_so_many_addresses_are_tried_and_no_more() -> None:
    many = [f"93.184.216.{n}" for n in range(1, 30)]
    network = Network(hooks_example=[many])
    network.dead = set(many)

    with pytest.raises(httpx2.ConnectError):
        await network.get("http://hooks.example/")

    assert len(network.dialled) == ADDRESSES


@pytest.mark.parametrize("answers", [[], [[]]])
async def test_a_name_without_an_address_is_a_failure_to_connect(answers: Any) -> None:
    with pytest.raises(httpx2.ConnectError):
        await Network(hooks_example=answers).get("http://hooks.example/")


async def test_a_name_that_is_not_resolved_in_time_costs_no_more() -> None:
    network = Network()

    async def silence(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    transport = SafeTransport(PUBLIC, resolve=silence, backend=network)
    async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=0.01) as client:
        with pytest.raises(httpx2.ConnectTimeout):
            await client.get("http://hooks.example/")


async def test_nobody_elses_address_is_a_socket_of_this_machine() -> None:
    network = Network()
    backend = SafeBackend(PUBLIC, network.resolve, network)

    with pytest.raises(AddressRefused):
        await backend.connect_unix_socket("/run/docker.sock")


async def test_the_connector_judges_for_itself() -> None:
    network = Network(hooks_example=[["10.0.0.1"]])
    backend = SafeBackend(PUBLIC, network.resolve, network)

    for host in ("127.0.0.1", "::1", "0x7f.1", "hooks.example"):
        with pytest.raises(AddressRefused):
            await backend.connect_tcp(host, 80)
    assert network.dialled == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "http://[::1]:8080/", "http://192.168.1.5/", "http://dev:22/"]
)
async def test_development_reaches_this_machine_and_its_network(url: str) -> None:
    network = Network(dev=[["10.0.0.7"]])

    assert (await network.get(url, NEARBY)).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/", "http://[::ffff:127.0.0.1]/", "http://2130706433/",
        "http://0.0.0.0/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/",
    ],
)  # fmt: skip
async def test_development_reaches_neither_metadata_nor_tricks(url: str) -> None:
    network = Network()

    with pytest.raises(AddressRefused):
        await network.get(url, NEARBY)
    assert network.dialled == []


async def test_production_reaches_the_networks_it_is_told() -> None:
    reach = reach_for(production=True, networks=["10.1.0.0/16"])
    network = Network(hooks_example=[["10.1.2.3"]], other_example=[["10.2.2.3"]])

    assert (await network.get("http://hooks.example/", reach)).status_code == 200
    with pytest.raises(AddressRefused):
        await network.get("http://other.example/", reach)


def test_the_settings_say_what_may_be_reached() -> None:
    loopback, private = ip_address("127.0.0.1"), ip_address("10.1.2.3")
    dev = reach_of(load_settings(env_file=None, env="development"))
    production = reach_of(load_settings(env_file=None, env="production"))
    told = reach_of(load_settings(env_file=None, env="production", allowed_networks="10.1.0.0/16"))

    assert dev.allows(loopback)
    assert not production.allows(loopback)
    assert not production.allows(private)
    assert told.allows(private)
    assert not told.allows(loopback)


def test_the_table_is_long_enough() -> None:
    assert len(WRITTEN) + len(RESOLVED) >= 60


@pytest.mark.parametrize(
    "text", ["224.0.0.1", "64:ff9b::1.2.3.4", "::127.0.0.1", "2002::1", "::ffff:8.8.8.8", "ff0e::1"]
)
def test_what_python_may_take_for_global_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("url", ["http://10.0.0.1:8080/hidden?token=x", "http://inside.example/"])
async def test_what_is_refused_is_audited_without_its_path(url: str) -> None:
    audit._told.clear()
    network = Network(inside_example=[["10.0.0.1"]])
    audit.about(tenant="acme", job="j1")

    with capture_logs() as logs, pytest.raises(AddressRefused):
        await network.get(url)

    [line] = logs
    assert (line["event"], line["log"], line["host"]) == (
        "address refused",
        "audit",
        httpx2.URL(url).host,
    )
    assert (line["tenant"], line["job"]) == ("acme", "j1")
    assert "hidden" not in str(logs)
