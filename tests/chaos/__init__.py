"""Real processes on private servers, while everything that can die dies.

Truth comes from outside of the system: a ledger that the handlers write and sync, and the frames
that watchers received. `make test` runs the short form, `make chaos` the long one.
"""
