"""Jobcast: durable jobs whose every step is pushed live to whoever watches."""

from jobcast.app import App
from jobcast.transactional import submit
from jobcast.worker.context import Context, SyncContext
from jobcast.worker.handler import Fail, Retry

__all__ = ["App", "Context", "Fail", "Retry", "SyncContext", "submit"]
__version__ = "0.1.0"
