"""What every store driver must do, said once.

A driver's test module gives a fixture `bench` (an opened, empty store that goes by a fake clock)
and a class `Test… (StoreSuite)`.
"""

from __future__ import annotations

from tests.suites.store.appending import Appending
from tests.suites.store.at_once import AtOnce
from tests.suites.store.cancelling import Cancelling
from tests.suites.store.caps import Caps
from tests.suites.store.claiming import Claiming
from tests.suites.store.cold import Cold
from tests.suites.store.fairness import Fairness
from tests.suites.store.finishing import Finishing
from tests.suites.store.keys import Keys
from tests.suites.store.pruning import Pruning
from tests.suites.store.scheduling import Scheduling
from tests.suites.store.sessions import Sessions
from tests.suites.store.submitting import Submitting
from tests.suites.store.truths import Truths
from tests.suites.store.waiting import CountingWaiting
from tests.suites.store.webhooks import Webhooks


class StoreSuite(
    Submitting,
    Keys,
    Claiming,
    Caps,
    Appending,
    Finishing,
    Cancelling,
    Sessions,
    Cold,
    Scheduling,
    AtOnce,
    Truths,
    Fairness,
    CountingWaiting,
    Webhooks,
    Pruning,
):
    """The behaviour of the store port."""
