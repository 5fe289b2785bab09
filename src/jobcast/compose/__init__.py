"""From settings to a running Jobcast: the only room that knows which drivers there are."""

from jobcast.compose.dev import DevInfo, serve_dev
from jobcast.compose.embedded import Running, asgi, running
from jobcast.compose.keys import issue_service_key
from jobcast.compose.patience import OutOfReach
from jobcast.compose.roles import lay_schema, serve, work
from jobcast.compose.verifying import Finding, verify_database

__all__ = [
    "DevInfo",
    "Finding",
    "OutOfReach",
    "Running",
    "asgi",
    "issue_service_key",
    "lay_schema",
    "running",
    "serve",
    "serve_dev",
    "verify_database",
    "work",
]
