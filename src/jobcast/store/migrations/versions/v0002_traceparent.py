"""Where a job stands in a trace."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the column; nothing is rewritten, and the release before goes on working."""
    op.execute('ALTER TABLE jobs ADD COLUMN traceparent text COLLATE "C"')
