"""What the routes and sockets of a gateway work with."""

from dataclasses import dataclass, field

from jobcast.gateway.hub import Hub
from jobcast.gateway.metrics import Metrics
from jobcast.gateway.readiness import Readiness
from jobcast.gateway.rooms import Rooms
from jobcast.gateway.seats import Seats
from jobcast.runtime.clock import Clock
from jobcast.services.accounts import Accounts
from jobcast.services.bulk import Bulk
from jobcast.services.channels import Channels
from jobcast.services.job_types import JobTypes
from jobcast.services.jobs import Jobs
from jobcast.services.limits import Limiter
from jobcast.services.overview import Overview
from jobcast.services.queues import Queues
from jobcast.services.schedules import Schedules
from jobcast.services.webhooks import Webhooks
from jobcast.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The services that a gateway renders, put together by `compose`."""

    settings: Settings
    clock: Clock
    accounts: Accounts
    limiter: Limiter
    jobs: Jobs
    bulk: Bulk
    types: JobTypes
    overview: Overview
    webhooks: Webhooks
    hub: Hub
    channels: Channels
    rooms: Rooms
    queues: Queues
    schedules: Schedules
    readiness: Readiness = field(default_factory=Readiness)
    metrics: Metrics = field(default_factory=Metrics)
    seats: Seats = field(default_factory=Seats)
