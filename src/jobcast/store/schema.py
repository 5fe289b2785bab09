"""The tables, once, for every database.

Moments are integers: milliseconds since 1970 UTC. JSON is text, never a JSON column type:
those refuse or rewrite values that must come back as they were. Text is compared byte by byte in
every database, so that an index of ids and lanes goes in the order in which Python goes.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    false,
    literal_column,
)
from sqlalchemy import Text as AnyText

from jobcast.store.job_ids import JobId

metadata: Final = MetaData()
Text: Final = AnyText().with_variant(AnyText(collation="C"), "postgresql")
HALF_FULL: Final[dict[str, Any]] = {"postgresql_with": {"fillfactor": "70"}}
"""Room in each page for the next version of its rows: their updates then touch no index."""

# What never changes stands first: PostgreSQL logs of an update only what follows the columns that
# stayed as they were, on the page where they were.
jobs: Final = Table(
    "jobs",
    metadata,
    Column("id", JobId, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("user_id", Text),
    Column("queue", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("timeout_ms", BigInteger, nullable=False),
    Column("tags", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("unique_key", Text),
    Column("channel", Text),
    Column("webhook_url", Text),
    Column("run_at", BigInteger, nullable=False),
    Column("deaths", Integer, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("run", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("session_id", Text),
    Column("deadline_at", BigInteger),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("result", Text),
    Column("error", Text),
    Column("progress", Text),
    Column("reply_to", Text),
    Column("traceparent", Text),
    **HALF_FULL,
)
_state = jobs.c.state
Index(
    "jobs_ready",
    jobs.c.queue,
    jobs.c.lane,
    jobs.c.priority.desc(),
    jobs.c.id,
    sqlite_where=_state == literal_column("'READY'"),
    postgresql_where=_state == literal_column("'READY'"),
)
Index(
    "jobs_scheduled",
    jobs.c.run_at,
    sqlite_where=_state == literal_column("'SCHEDULED'"),
    postgresql_where=_state == literal_column("'SCHEDULED'"),
)
Index(
    "jobs_scheduled_of_tenant",
    jobs.c.tenant_id,
    sqlite_where=_state == literal_column("'SCHEDULED'"),
    postgresql_where=_state == literal_column("'SCHEDULED'"),
)
Index(
    "jobs_running",
    jobs.c.session_id,
    sqlite_where=_state == literal_column("'PROCESSING'"),
    postgresql_where=_state == literal_column("'PROCESSING'"),
)
_live_key = jobs.c.unique_key.is_not(None) & _state.in_(
    [literal_column("'SCHEDULED'"), literal_column("'READY'"), literal_column("'PROCESSING'")]
)
Index(
    "jobs_unique_key",
    jobs.c.tenant_id,
    jobs.c.type,
    jobs.c.unique_key,
    unique=True,
    sqlite_where=_live_key,
    postgresql_where=_live_key,
)
_unsent = jobs.c.reply_to.is_not(None) & (_state == literal_column("'DONE'"))
Index("jobs_unsent", jobs.c.id, sqlite_where=_unsent, postgresql_where=_unsent)
Index("jobs_of_tenant", jobs.c.tenant_id, jobs.c.id)

job_tags: Final = Table(
    "job_tags",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("job_id", JobId, primary_key=True),
    sqlite_with_rowid=False,
)

events: Final = Table(
    "events",
    metadata,
    Column("job_id", JobId, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("change", BigInteger),
    Column("data", Text),
    sqlite_with_rowid=False,
)
Index(
    "events_of_tenant",
    events.c.tenant_id,
    events.c.change,
    sqlite_where=events.c.change.is_not(None),
    postgresql_where=events.c.change.is_not(None),
)

idempotency_keys: Final = Table(
    "idempotency_keys",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("job_id", JobId, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("idempotency_keys_age", idempotency_keys.c.created_at)

files: Final = Table(
    "files",
    metadata,
    Column("job_id", JobId, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("content_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("draining", Boolean, nullable=False, server_default=false()),
    **HALF_FULL,
)

job_types: Final = Table(
    "job_types",
    metadata,
    Column("type", Text, primary_key=True),
    Column("queue", Text, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("timeout_ms", BigInteger, nullable=False),
    Column("max_running", Integer),
    Column("schema", Text),
    Column("channel", Text),
    Column("declared_by", Text),
    Column("registered_at", BigInteger, nullable=False),
)

queues: Final = Table(
    "queues",
    metadata,
    Column("name", Text, primary_key=True),
    Column("paused", Boolean, nullable=False),
)

counters: Final = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

rollups: Final = Table(
    "rollups",
    metadata,
    Column("minute", BigInteger, primary_key=True),
    Column("tenant_id", Text, primary_key=True),
    Column("type", Text, primary_key=True),
    Column("shard", Integer, primary_key=True, autoincrement=False, server_default="0"),
    Column("submitted", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("cancelled", BigInteger, nullable=False),
    Column("retried", BigInteger, nullable=False),
    Column("run_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
    **HALF_FULL,
)

deliveries: Final = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("job_id", JobId, nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("round_start", Integer, nullable=False, server_default="0"),
    Column("due_at", BigInteger, nullable=False),
    Column("lease", Text),
    Column("leased_until", BigInteger),
    Column("created_at", BigInteger, nullable=False),
)
_pending = deliveries.c.state == literal_column("'PENDING'")
Index(
    "deliveries_due",
    deliveries.c.due_at,
    sqlite_where=_pending,
    postgresql_where=_pending,
)
Index(
    "deliveries_of_endpoint",
    deliveries.c.endpoint,
    deliveries.c.due_at,
    deliveries.c.id,
    sqlite_where=_pending,
    postgresql_where=_pending,
)
Index("deliveries_of_job", deliveries.c.job_id)
_undelivered = deliveries.c.state.in_([literal_column("'FAILED'"), literal_column("'GONE'")])
Index(
    "deliveries_failed",
    deliveries.c.tenant_id,
    deliveries.c.created_at,
    sqlite_where=_undelivered,
    postgresql_where=_undelivered,
)

delivery_attempts: Final = Table(
    "delivery_attempts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("delivery_id", Text, nullable=False),
    Column("job_id", JobId, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status_code", Integer),
    Column("success", Boolean, nullable=False),
    Column("error", Text),
    Column("response", Text),
    Column("created_at", BigInteger, nullable=False),
)
Index("delivery_attempts_of_job", delivery_attempts.c.job_id, delivery_attempts.c.id)

webhook_endpoints: Final = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failing_since", BigInteger),
    Column("disabled_at", BigInteger),
    Column("last_success_at", BigInteger),
    Column("last_failure_at", BigInteger),
    Column("last_error", Text),
    Column("updated_at", BigInteger, nullable=False),
)
Index(
    "webhook_endpoints_of_tenant",
    webhook_endpoints.c.tenant_id,
    webhook_endpoints.c.endpoint,
    unique=True,
)

webhook_secrets: Final = Table(
    "webhook_secrets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("secret", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
)
Index("webhook_secrets_of_tenant", webhook_secrets.c.tenant_id, webhook_secrets.c.id)

tenants: Final = Table(
    "tenants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text),
    Column("weight", Integer, nullable=False),
    Column("rate_limit", Integer),
    Column("max_running", Integer),
    Column("key_rate_limit", Integer),
    Column("max_waiting", Integer),
    Column("created_at", BigInteger, nullable=False),
)

users: Final = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("email", Text, nullable=False, unique=True),
    Column("name", Text),
    Column("password", Text, nullable=False),
    Column("owner", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
Index("users_of_tenant", users.c.tenant_id, users.c.id)

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("user_id", Text),
    Column("name", Text),
    Column("digest", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("rate_limit", Integer),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
)
Index("api_keys_of_tenant", api_keys.c.tenant_id, api_keys.c.id)

logins: Final = Table(
    "logins",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("user_agent", Text),
    Column("address", Text),
)
Index("logins_of_user", logins.c.user_id)

refresh_tokens: Final = Table(
    "refresh_tokens",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("login_id", Text, nullable=False),
    Column("successor", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
Index("refresh_tokens_of_login", refresh_tokens.c.login_id)

ws_tickets: Final = Table(
    "ws_tickets",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("principal", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

invites: Final = Table(
    "invites",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("tenant_id", Text, nullable=False),
    Column("email", Text),
    Column("owner", Boolean, nullable=False),
    Column("created_by", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
Index("invites_of_tenant", invites.c.tenant_id, invites.c.id)

password_resets: Final = Table(
    "password_resets",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
Index("password_resets_of_user", password_resets.c.user_id)

schedules: Final = Table(
    "schedules",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("queue", Text),
    Column("priority", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("declared_by", Text),
    Column("next_run_at", BigInteger),
    Column("last_run_at", BigInteger),
    Column("last_job_id", Text),
    Column("error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
Index("schedules_of_tenant", schedules.c.tenant_id, schedules.c.name, unique=True)
Index("schedules_due", schedules.c.next_run_at)
