"""The deployment files name settings and commands that there are, and keep their promises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from tests.deploy import files
from tests.deploy.files import Program
from typer.core import TyperGroup
from typer.main import get_command

from jobcast.cli.main import app
from jobcast.settings import Settings, check_production, load_settings
from jobcast.settings.variables import STAND_INS, variables

SETTINGS = {name for field in Settings.model_fields for name in variables(field)} | {*STAND_INS}
NOT_OURS = {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
SECRET = "a-secret-of-32-bytes-that-nobody-guesses"
PROGRAMS = list(files.programs())


def of_each(programs: list[Program]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("program", programs, ids=lambda program: program.where)


@of_each(PROGRAMS)
def test_every_command_is_one(program: Program) -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    first, *rest = program.words
    with group.commands[first].make_context(first, rest) as context:
        assert context.args == []


@of_each(PROGRAMS)
def test_every_variable_is_a_setting(program: Program) -> None:
    assert {*program.settings} <= SETTINGS


def test_the_image_sets_settings_alone() -> None:
    assert {*files.image_settings()} - NOT_OURS <= SETTINGS


@of_each([program for program in PROGRAMS if program.settings])
def test_production_starts_with_them_once_the_secrets_are_filled_in(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = dict.fromkeys(("JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET", "WEBHOOK_SECRET"), SECRET)
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name, value in {**files.image_settings(), **program.settings, **secrets}.items():
        if name in SETTINGS:
            monkeypatch.setenv(name, value)
    settings = load_settings(env_file=None)
    assert settings.env == "production"
    single = program.words[0] == "dev"
    assert (settings.database_url is None) == (single and "systemd" not in program.where)
    assert check_production(settings, processes=1 if single else 2, host=settings.host) == []


def test_containers_are_locked_down_and_come_back() -> None:
    for name in ("compose.yaml", "compose.single.yaml"):
        for service, spec in files.compose(name, {})["services"].items():
            assert spec["restart"] == ("on-failure" if service == "migrate" else "unless-stopped")
            if spec["image"] == "jobcast":
                assert spec["read_only"] is True
                assert (spec["cap_drop"], spec["tmpfs"]) == (["ALL"], ["/tmp"])
                assert "no-new-privileges:true" in spec["security_opt"]
            elif spec["image"] != "jobcast":
                assert "test" in spec["healthcheck"], service


def test_databases_listen_on_this_machine_alone_and_keep_what_they_have() -> None:
    document = files.compose("compose.yaml", {})
    for service in ("postgres", "redis"):
        spec = document["services"][service]
        assert all(port.startswith("127.0.0.1:") for port in spec["ports"])
        [volume] = spec["volumes"]
        assert volume.partition(":")[0] in document["volumes"]
        assert "depends_on" not in spec  # `up -d postgres redis` starts these two alone


def test_the_proxy_is_the_one_that_gateways_trust_and_knows_them_all() -> None:
    services = files.compose("compose.yaml", {})["services"]
    address = services["proxy"]["networks"]["default"]["ipv4_address"]
    gateways = {name: spec for name, spec in services.items() if name.startswith("gateway-")}
    upstream = re.findall(r"server (gateway-\d+):3000 ", files.NGINX.read_text("utf-8"))
    assert sorted(upstream) == sorted(gateways)
    for name, spec in gateways.items():
        assert spec["environment"]["JOBCAST_TRUSTED_PROXIES"] == f"{address}/32"
        own = spec["networks"]["default"]["ipv4_address"]
        assert f"{name}:{own}" in services["proxy"]["extra_hosts"]


def test_the_proxy_writes_no_address_with_a_token_into_its_log() -> None:
    text = files.NGINX.read_text("utf-8")
    [form] = re.findall(r"log_format jobcast(.*?);", text, re.DOTALL)
    assert not re.search(r"\$(args|request\b|request_uri|query_string|http_referer)", form)
    assert "error_log stderr crit;" in text


@pytest.mark.parametrize(("name", "pod"), list(files.pods()))
def test_pods_are_locked_down(name: str, pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["image"] == f"jobcast:{version()}"


def test_gateway_pods_are_probed_at_what_is_there() -> None:
    pod = dict(files.pods())["jobcast-gateway"]
    [container] = pod["containers"]
    paths = {
        probe: container[f"{probe}Probe"]["httpGet"]["path"]
        for probe in ("startup", "readiness", "liveness")
    }
    assert paths == {"startup": "/livez", "readiness": "/readyz", "liveness": "/livez"}
    assert container["lifecycle"]["preStop"]


def test_selectors_find_their_pods() -> None:
    documents = [document for _, document in files.manifests()]
    labels = {
        document["metadata"]["name"]: document["spec"]["template"]["metadata"]["labels"]
        for document in documents
        if document["kind"] == "Deployment"
    }
    for document in documents:
        match document["kind"]:
            case "Deployment" | "PodDisruptionBudget":
                wanted = document["spec"]["selector"]["matchLabels"]
                assert labels[document["metadata"]["name"]] == wanted
            case "Service":
                assert document["spec"]["selector"] == labels["jobcast-gateway"]
            case "HorizontalPodAutoscaler":
                assert document["spec"]["scaleTargetRef"]["name"] in labels


def test_units_are_locked_down() -> None:
    for path in files.SYSTEMD.glob("*.service"):
        directives: Mapping[str, str] = dict(files.unit(path))
        assert directives["User"] == "jobcast"
        assert directives["ProtectSystem"] == "strict"
        assert directives["NoNewPrivileges"] == "yes"
        assert directives["CapabilityBoundingSet"] == ""


def version() -> str:
    text = (files.ROOT / "pyproject.toml").read_text("utf-8")
    found = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_builder_gets_what_the_image_is_made_of() -> None:
    lines = (files.ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        source
        for word, rest in files.instructions(0)
        if word == "COPY"
        for source in rest.split()[:-1]
    }
    assert copied == allowed
