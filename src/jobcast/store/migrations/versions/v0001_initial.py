"""The tables as they were at first.

A frozen picture: what changes later is a migration of its own.
"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates every table and index."""
    for statement in (*TABLES, *INDEXES):
        op.execute(statement)


TABLES = (
    """
    CREATE TABLE jobs (
        id text COLLATE "C" NOT NULL,
        tenant_id text COLLATE "C" NOT NULL,
        user_id text COLLATE "C",
        queue text COLLATE "C" NOT NULL,
        lane text COLLATE "C" NOT NULL,
        type text COLLATE "C" NOT NULL,
        payload text COLLATE "C" NOT NULL,
        priority integer NOT NULL,
        max_attempts integer NOT NULL,
        timeout_ms bigint NOT NULL,
        tags text COLLATE "C" NOT NULL,
        created_at bigint NOT NULL,
        unique_key text COLLATE "C",
        channel text COLLATE "C",
        webhook_url text COLLATE "C",
        run_at bigint NOT NULL,
        deaths integer NOT NULL,
        cancel_requested boolean NOT NULL,
        state text COLLATE "C" NOT NULL,
        updated_at bigint NOT NULL,
        seq bigint NOT NULL,
        run integer NOT NULL,
        attempts integer NOT NULL,
        session_id text COLLATE "C",
        deadline_at bigint,
        started_at bigint,
        finished_at bigint,
        result text COLLATE "C",
        error text COLLATE "C",
        progress text COLLATE "C",
        reply_to text COLLATE "C",
        PRIMARY KEY (id)
    )
     WITH (
        fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05,
        autovacuum_analyze_scale_factor = 0.05
    )
    """,
    """
    CREATE TABLE job_tags (
        tenant_id text COLLATE "C" NOT NULL,
        tag text COLLATE "C" NOT NULL,
        job_id text COLLATE "C" NOT NULL,
        PRIMARY KEY (tenant_id, tag, job_id)
    )
    """,
    """
    CREATE TABLE events (
        job_id text COLLATE "C" NOT NULL,
        seq bigint NOT NULL,
        tenant_id text COLLATE "C" NOT NULL,
        type text COLLATE "C" NOT NULL,
        status text COLLATE "C" NOT NULL,
        attempt integer NOT NULL,
        at bigint NOT NULL,
        change bigint,
        data text COLLATE "C",
        PRIMARY KEY (job_id, seq)
    )
    """,
    """
    CREATE TABLE idempotency_keys (
        tenant_id text COLLATE "C" NOT NULL,
        key text COLLATE "C" NOT NULL,
        digest text COLLATE "C" NOT NULL,
        job_id text COLLATE "C" NOT NULL,
        created_at bigint NOT NULL,
        PRIMARY KEY (tenant_id, key)
    )
    """,
    """
    CREATE TABLE files (
        job_id text COLLATE "C" NOT NULL,
        name text COLLATE "C" NOT NULL,
        content_type text COLLATE "C" NOT NULL,
        size bigint NOT NULL,
        created_at bigint NOT NULL,
        data bytea NOT NULL,
        PRIMARY KEY (job_id, name)
    )
    """,
    """
    CREATE TABLE sessions (
        id text COLLATE "C" NOT NULL,
        name text COLLATE "C" NOT NULL,
        started_at bigint NOT NULL,
        expires_at bigint NOT NULL,
        draining boolean DEFAULT false NOT NULL,
        PRIMARY KEY (id)
    )
     WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE job_types (
        type text COLLATE "C" NOT NULL,
        queue text COLLATE "C" NOT NULL,
        max_attempts integer NOT NULL,
        timeout_ms bigint NOT NULL,
        max_running integer,
        schema text COLLATE "C",
        channel text COLLATE "C",
        declared_by text COLLATE "C",
        registered_at bigint NOT NULL,
        PRIMARY KEY (type)
    )
    """,
    """
    CREATE TABLE queues (
        name text COLLATE "C" NOT NULL,
        paused boolean NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE counters (
        name text COLLATE "C" NOT NULL,
        value bigint NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE rollups (
        minute bigint NOT NULL,
        tenant_id text COLLATE "C" NOT NULL,
        type text COLLATE "C" NOT NULL,
        shard integer DEFAULT '0' NOT NULL,
        submitted bigint NOT NULL,
        done bigint NOT NULL,
        failed bigint NOT NULL,
        cancelled bigint NOT NULL,
        retried bigint NOT NULL,
        run_ms bigint NOT NULL,
        PRIMARY KEY (minute, tenant_id, type, shard)
    )
     WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE deliveries (
        id text COLLATE "C" NOT NULL,
        job_id text COLLATE "C" NOT NULL,
        tenant_id text COLLATE "C" NOT NULL,
        url text COLLATE "C" NOT NULL,
        endpoint text COLLATE "C" NOT NULL,
        body text COLLATE "C" NOT NULL,
        seq bigint NOT NULL,
        state text COLLATE "C" NOT NULL,
        attempts integer NOT NULL,
        round_start integer DEFAULT '0' NOT NULL,
        due_at bigint NOT NULL,
        lease text COLLATE "C",
        leased_until bigint,
        created_at bigint NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE delivery_attempts (
        id text COLLATE "C" NOT NULL,
        delivery_id text COLLATE "C" NOT NULL,
        job_id text COLLATE "C" NOT NULL,
        attempt integer NOT NULL,
        status_code integer,
        success boolean NOT NULL,
        error text COLLATE "C",
        response text COLLATE "C",
        created_at bigint NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE webhook_endpoints (
        id text COLLATE "C" NOT NULL,
        tenant_id text COLLATE "C" NOT NULL,
        endpoint text COLLATE "C" NOT NULL,
        failures integer NOT NULL,
        failing_since bigint,
        disabled_at bigint,
        last_success_at bigint,
        last_failure_at bigint,
        last_error text COLLATE "C",
        updated_at bigint NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE webhook_secrets (
        id text COLLATE "C" NOT NULL,
        tenant_id text COLLATE "C" NOT NULL,
        secret text COLLATE "C",
        created_at bigint NOT NULL,
        expires_at bigint,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE tenants (
        id text COLLATE "C" NOT NULL,
        name text COLLATE "C",
        weight integer NOT NULL,
        rate_limit integer,
        max_running integer,
        key_rate_limit integer,
        max_waiting integer,
        created_at bigint NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE users (
        id text COLLATE "C" NOT NULL,
        tenant_id text COLLATE "C" NOT NULL,
        email text COLLATE "C" NOT NULL,
        name text COLLATE "C",
        password text COLLATE "C" NOT NULL,
        owner boolean NOT NULL,
        created_at bigint NOT NULL,
        PRIMARY KEY (id),
        UNIQUE (email)
    )
    """,
    """
    CREATE TABLE api_keys (
        id text COLLATE "C" NOT NULL,
        tenant_id text COLLATE "C" NOT NULL,
        user_id text COLLATE "C",
        name text COLLATE "C",
        digest text COLLATE "C" NOT NULL,
        hint text COLLATE "C" NOT NULL,
        scopes text COLLATE "C" NOT NULL,
        rate_limit integer,
        created_at bigint NOT NULL,
        expires_at bigint,
        last_used_at bigint,
        revoked_at bigint,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE logins (
        id text COLLATE "C" NOT NULL,
        user_id text COLLATE "C" NOT NULL,
        created_at bigint NOT NULL,
        used_at bigint NOT NULL,
        expires_at bigint NOT NULL,
        revoked_at bigint,
        user_agent text COLLATE "C",
        address text COLLATE "C",
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE refresh_tokens (
        digest text COLLATE "C" NOT NULL,
        login_id text COLLATE "C" NOT NULL,
        successor text COLLATE "C",
        created_at bigint NOT NULL,
        expires_at bigint NOT NULL,
        PRIMARY KEY (digest)
    )
    """,
    """
    CREATE TABLE ws_tickets (
        digest text COLLATE "C" NOT NULL,
        principal text COLLATE "C" NOT NULL,
        expires_at bigint NOT NULL,
        PRIMARY KEY (digest)
    )
    """,
    """
    CREATE TABLE invites (
        id text COLLATE "C" NOT NULL,
        digest text COLLATE "C" NOT NULL,
        tenant_id text COLLATE "C" NOT NULL,
        email text COLLATE "C",
        owner boolean NOT NULL,
        created_by text COLLATE "C",
        created_at bigint NOT NULL,
        expires_at bigint NOT NULL,
        PRIMARY KEY (id),
        UNIQUE (digest)
    )
    """,
    """
    CREATE TABLE password_resets (
        digest text COLLATE "C" NOT NULL,
        user_id text COLLATE "C" NOT NULL,
        created_at bigint NOT NULL,
        expires_at bigint NOT NULL,
        PRIMARY KEY (digest)
    )
    """,
    """
    CREATE TABLE schedules (
        id text COLLATE "C" NOT NULL,
        tenant_id text COLLATE "C" NOT NULL,
        name text COLLATE "C" NOT NULL,
        cron text COLLATE "C" NOT NULL,
        timezone text COLLATE "C" NOT NULL,
        type text COLLATE "C" NOT NULL,
        payload text COLLATE "C" NOT NULL,
        queue text COLLATE "C",
        priority integer NOT NULL,
        enabled boolean NOT NULL,
        declared_by text COLLATE "C",
        next_run_at bigint,
        last_run_at bigint,
        last_job_id text COLLATE "C",
        error text COLLATE "C",
        created_at bigint NOT NULL,
        updated_at bigint NOT NULL,
        PRIMARY KEY (id)
    )
    """,
)

INDEXES = (
    "CREATE INDEX jobs_of_tenant ON jobs (tenant_id, id)",
    """
    CREATE INDEX jobs_ready
        ON jobs (queue, lane, priority DESC, id)
        WHERE state = 'READY'
    """,
    "CREATE INDEX jobs_running ON jobs (session_id) WHERE state = 'PROCESSING'",
    "CREATE INDEX jobs_scheduled ON jobs (run_at) WHERE state = 'SCHEDULED'",
    "CREATE INDEX jobs_scheduled_of_tenant ON jobs (tenant_id) WHERE state = 'SCHEDULED'",
    """
    CREATE UNIQUE INDEX jobs_unique_key
        ON jobs (tenant_id, type, unique_key)
        WHERE unique_key IS NOT NULL AND state IN ('SCHEDULED', 'READY', 'PROCESSING')
    """,
    """
    CREATE INDEX jobs_unsent
        ON jobs (id)
        WHERE reply_to IS NOT NULL AND state = 'DONE'
    """,
    """
    CREATE INDEX events_of_tenant
        ON events (tenant_id, change)
        WHERE change IS NOT NULL
    """,
    "CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at)",
    "CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'PENDING'",
    """
    CREATE INDEX deliveries_of_endpoint
        ON deliveries (endpoint, due_at, id)
        WHERE state = 'PENDING'
    """,
    "CREATE INDEX deliveries_of_job ON deliveries (job_id)",
    """
    CREATE INDEX deliveries_failed
        ON deliveries (tenant_id, created_at)
        WHERE state IN ('FAILED', 'GONE')
    """,
    """
    CREATE UNIQUE INDEX webhook_endpoints_of_tenant
        ON webhook_endpoints (tenant_id, endpoint)
    """,
    "CREATE INDEX webhook_secrets_of_tenant ON webhook_secrets (tenant_id, id)",
    "CREATE INDEX delivery_attempts_of_job ON delivery_attempts (job_id, id)",
    "CREATE INDEX users_of_tenant ON users (tenant_id, id)",
    "CREATE INDEX invites_of_tenant ON invites (tenant_id, id)",
    "CREATE INDEX password_resets_of_user ON password_resets (user_id)",
    "CREATE INDEX api_keys_of_tenant ON api_keys (tenant_id, id)",
    "CREATE INDEX logins_of_user ON logins (user_id)",
    "CREATE INDEX refresh_tokens_of_login ON refresh_tokens (login_id)",
    "CREATE INDEX schedules_due ON schedules (next_run_at)",
    "CREATE UNIQUE INDEX schedules_of_tenant ON schedules (tenant_id, name)",
)
