"""Runs the steps on the connection that `jobcast.store.migrating` gives."""

from alembic import context

from jobcast.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="jobcast_schema",
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
