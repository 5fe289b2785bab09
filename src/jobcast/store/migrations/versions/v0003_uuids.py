"""The ids of jobs in 16 bytes instead of 37."""

from alembic import op

revision = "0003"
down_revision = "0002"

COLUMNS = (
    ("jobs", "id"),
    ("job_tags", "job_id"),
    ("events", "job_id"),
    ("idempotency_keys", "job_id"),
    ("files", "job_id"),
    ("deliveries", "job_id"),
    ("delivery_attempts", "job_id"),
)


def upgrade() -> None:
    """Writes the tables anew, each under a lock that keeps everybody out until the end.

    It is before the first release: no release has run on the tables as they were.
    """
    for table, column in COLUMNS:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE uuid USING {column}::uuid")
