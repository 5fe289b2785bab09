BEGIN TRANSACTION;
CREATE TABLE api_keys (
	id TEXT NOT NULL, 
	tenant_id TEXT NOT NULL, 
	user_id TEXT, 
	name TEXT, 
	digest TEXT NOT NULL, 
	hint TEXT NOT NULL, 
	scopes TEXT NOT NULL, 
	rate_limit INTEGER, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT, 
	last_used_at BIGINT, 
	revoked_at BIGINT, 
	PRIMARY KEY (id)
);
CREATE TABLE counters (
	name TEXT NOT NULL, 
	value BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "counters" VALUES('change',7);
CREATE TABLE deliveries (
	id TEXT NOT NULL, 
	job_id TEXT NOT NULL, 
	tenant_id TEXT NOT NULL, 
	url TEXT NOT NULL, 
	endpoint TEXT NOT NULL, 
	body TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	round_start INTEGER DEFAULT '0' NOT NULL, 
	due_at BIGINT NOT NULL, 
	lease TEXT, 
	leased_until BIGINT, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "deliveries" VALUES('01a21638-829f-7727-9297-5f5bef8c4055','01a21638-8299-7623-8a58-dac7615258a8','local','http://127.0.0.1:9/hook','http://127.0.0.1:9','{"jobId":"01a21638-8299-7623-8a58-dac7615258a8","type":"break","status":"FAILED","result":null,"error":"no","attempts":1,"seq":3,"timestamp":"2026-11-26T04:58:51.935Z"}',3,'PENDING',1,0,1795669133996,NULL,NULL,1795669131935);
CREATE TABLE delivery_attempts (
	id TEXT NOT NULL, 
	delivery_id TEXT NOT NULL, 
	job_id TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	status_code INTEGER, 
	success BOOLEAN NOT NULL, 
	error TEXT, 
	response TEXT, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "delivery_attempts" VALUES('01a21638-82dc-71ce-9e3f-633a6fb5f4b2','01a21638-829f-7727-9297-5f5bef8c4055','01a21638-8299-7623-8a58-dac7615258a8',1,NULL,0,'connection refused',NULL,1795669131953);
CREATE TABLE events (
	job_id TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	tenant_id TEXT NOT NULL, 
	type TEXT NOT NULL, 
	status TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	change BIGINT, 
	data TEXT, 
	PRIMARY KEY (job_id, seq)
)
 WITHOUT ROWID

;
INSERT INTO "events" VALUES('01a21638-8292-76fc-ba4c-a046feface88',1,'local','job:pending','PENDING',0,1795669131922,1,NULL);
INSERT INTO "events" VALUES('01a21638-8292-76fc-ba4c-a046feface88',2,'local','job:processing','PROCESSING',1,1795669131930,2,NULL);
INSERT INTO "events" VALUES('01a21638-8292-76fc-ba4c-a046feface88',3,'local','job:log','PROCESSING',1,1795669131931,NULL,'{"message":"hello","level":"info"}');
INSERT INTO "events" VALUES('01a21638-8292-76fc-ba4c-a046feface88',4,'local','job:done','DONE',1,1795669131932,5,NULL);
INSERT INTO "events" VALUES('01a21638-8299-7623-8a58-dac7615258a8',1,'local','job:pending','PENDING',0,1795669131929,3,NULL);
INSERT INTO "events" VALUES('01a21638-8299-7623-8a58-dac7615258a8',2,'local','job:processing','PROCESSING',1,1795669131932,4,NULL);
INSERT INTO "events" VALUES('01a21638-8299-7623-8a58-dac7615258a8',3,'local','job:failed','FAILED',1,1795669131935,7,'{"error":"no"}');
INSERT INTO "events" VALUES('01a21638-829b-7220-be56-c2436c178aff',1,'local','job:pending','PENDING',0,1795669131931,6,NULL);
CREATE TABLE files (
	job_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	content_type TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	data BLOB NOT NULL, 
	PRIMARY KEY (job_id, name)
);
CREATE TABLE idempotency_keys (
	tenant_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	job_id TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, "key")
)
 WITHOUT ROWID

;
CREATE TABLE invites (
	id TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	tenant_id TEXT NOT NULL, 
	email TEXT, 
	owner BOOLEAN NOT NULL, 
	created_by TEXT, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (digest)
);
CREATE TABLE job_tags (
	tenant_id TEXT NOT NULL, 
	tag TEXT NOT NULL, 
	job_id TEXT NOT NULL, 
	PRIMARY KEY (tenant_id, tag, job_id)
)
 WITHOUT ROWID

;
INSERT INTO "job_tags" VALUES('local','old','01a21638-8292-76fc-ba4c-a046feface88');
CREATE TABLE job_types (
	type TEXT NOT NULL, 
	queue TEXT NOT NULL, 
	max_attempts INTEGER NOT NULL, 
	timeout_ms BIGINT NOT NULL, 
	max_running INTEGER, 
	schema TEXT, 
	channel TEXT, 
	declared_by TEXT, 
	registered_at BIGINT NOT NULL, 
	PRIMARY KEY (type)
);
INSERT INTO "job_types" VALUES('greet','default',3,600000,NULL,NULL,NULL,NULL,1795669131906);
INSERT INTO "job_types" VALUES('break','default',1,600000,NULL,NULL,NULL,NULL,1795669131906);
CREATE TABLE jobs (
	id TEXT NOT NULL, 
	tenant_id TEXT NOT NULL, 
	user_id TEXT, 
	queue TEXT NOT NULL, 
	lane TEXT NOT NULL, 
	type TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	priority INTEGER NOT NULL, 
	max_attempts INTEGER NOT NULL, 
	timeout_ms BIGINT NOT NULL, 
	tags TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	unique_key TEXT, 
	channel TEXT, 
	webhook_url TEXT, 
	run_at BIGINT NOT NULL, 
	deaths INTEGER NOT NULL, 
	cancel_requested BOOLEAN NOT NULL, 
	state TEXT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	seq BIGINT NOT NULL, 
	run INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	session_id TEXT, 
	deadline_at BIGINT, 
	started_at BIGINT, 
	finished_at BIGINT, 
	result TEXT, 
	error TEXT, 
	progress TEXT, 
	reply_to TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "jobs" VALUES('01a21638-8292-76fc-ba4c-a046feface88','local',NULL,'default','local','greet','{"name":"Ada"}',0,3,600000,'["old"]',1795669131922,NULL,NULL,NULL,1795669131922,0,0,'DONE',1795669131932,4,1,1,NULL,NULL,1795669131930,1795669131932,'{"hello":"Ada"}',NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('01a21638-8299-7623-8a58-dac7615258a8','local',NULL,'default','local','break','{}',0,1,600000,'[]',1795669131929,NULL,NULL,'http://127.0.0.1:9/hook',1795669131929,0,0,'FAILED',1795669131935,3,1,1,NULL,NULL,1795669131932,1795669131935,NULL,'no',NULL,NULL);
INSERT INTO "jobs" VALUES('01a21638-829b-7220-be56-c2436c178aff','local',NULL,'default','local','greet','{"name":"Bob"}',0,3,600000,'[]',1795669131931,NULL,NULL,NULL,1827205131931,0,0,'SCHEDULED',1795669131931,1,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE logins (
	id TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	used_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	revoked_at BIGINT, 
	user_agent TEXT, 
	address TEXT, 
	PRIMARY KEY (id)
);
CREATE TABLE password_resets (
	digest TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	PRIMARY KEY (digest)
);
CREATE TABLE queues (
	name TEXT NOT NULL, 
	paused BOOLEAN NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE refresh_tokens (
	digest TEXT NOT NULL, 
	login_id TEXT NOT NULL, 
	successor TEXT, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	PRIMARY KEY (digest)
);
CREATE TABLE rollups (
	minute BIGINT NOT NULL, 
	tenant_id TEXT NOT NULL, 
	type TEXT NOT NULL, 
	shard INTEGER DEFAULT '0' NOT NULL, 
	submitted BIGINT NOT NULL, 
	done BIGINT NOT NULL, 
	failed BIGINT NOT NULL, 
	cancelled BIGINT NOT NULL, 
	retried BIGINT NOT NULL, 
	run_ms BIGINT NOT NULL, 
	PRIMARY KEY (minute, tenant_id, type, shard)
)
 WITHOUT ROWID

;
INSERT INTO "rollups" VALUES(1795669080000,'local','break',0,1,0,1,0,0,3);
INSERT INTO "rollups" VALUES(1795669080000,'local','greet',0,2,1,0,0,0,2);
CREATE TABLE schedules (
	id TEXT NOT NULL, 
	tenant_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	cron TEXT NOT NULL, 
	timezone TEXT NOT NULL, 
	type TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	queue TEXT, 
	priority INTEGER NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	declared_by TEXT, 
	next_run_at BIGINT, 
	last_run_at BIGINT, 
	last_job_id TEXT, 
	error TEXT, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE sessions (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	started_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	draining BOOLEAN DEFAULT 0 NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE tenants (
	id TEXT NOT NULL, 
	name TEXT, 
	weight INTEGER NOT NULL, 
	rate_limit INTEGER, 
	max_running INTEGER, 
	key_rate_limit INTEGER, 
	max_waiting INTEGER, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "tenants" VALUES('local',NULL,1,NULL,NULL,NULL,NULL,1795669131927);
CREATE TABLE users (
	id TEXT NOT NULL, 
	tenant_id TEXT NOT NULL, 
	email TEXT NOT NULL, 
	name TEXT, 
	password TEXT NOT NULL, 
	owner BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (email)
);
CREATE TABLE webhook_endpoints (
	id TEXT NOT NULL, 
	tenant_id TEXT NOT NULL, 
	endpoint TEXT NOT NULL, 
	failures INTEGER NOT NULL, 
	failing_since BIGINT, 
	disabled_at BIGINT, 
	last_success_at BIGINT, 
	last_failure_at BIGINT, 
	last_error TEXT, 
	updated_at BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "webhook_endpoints" VALUES('01a21638-82df-7398-a477-09b8aa9787de','local','http://127.0.0.1:9',1,1795669131953,NULL,NULL,1795669131953,'connection refused',1795669131996);
CREATE TABLE webhook_secrets (
	id TEXT NOT NULL, 
	tenant_id TEXT NOT NULL, 
	secret TEXT, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT, 
	PRIMARY KEY (id)
);
CREATE TABLE ws_tickets (
	digest TEXT NOT NULL, 
	principal TEXT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	PRIMARY KEY (digest)
);
CREATE INDEX jobs_of_tenant ON jobs (tenant_id, id);
CREATE INDEX jobs_ready ON jobs (queue, lane, priority DESC, id) WHERE state = 'READY';
CREATE INDEX jobs_scheduled ON jobs (run_at) WHERE state = 'SCHEDULED';
CREATE INDEX jobs_unsent ON jobs (id) WHERE reply_to IS NOT NULL AND state = 'DONE';
CREATE INDEX jobs_running ON jobs (session_id) WHERE state = 'PROCESSING';
CREATE UNIQUE INDEX jobs_unique_key ON jobs (tenant_id, type, unique_key) WHERE unique_key IS NOT NULL AND state IN ('SCHEDULED', 'READY', 'PROCESSING');
CREATE INDEX jobs_scheduled_of_tenant ON jobs (tenant_id) WHERE state = 'SCHEDULED';
CREATE INDEX events_of_tenant ON events (tenant_id, change) WHERE change IS NOT NULL;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
CREATE INDEX deliveries_of_endpoint ON deliveries (endpoint, due_at, id) WHERE state = 'PENDING';
CREATE INDEX deliveries_of_job ON deliveries (job_id);
CREATE INDEX deliveries_failed ON deliveries (tenant_id, created_at) WHERE state IN ('FAILED', 'GONE');
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'PENDING';
CREATE INDEX delivery_attempts_of_job ON delivery_attempts (job_id, id);
CREATE UNIQUE INDEX webhook_endpoints_of_tenant ON webhook_endpoints (tenant_id, endpoint);
CREATE INDEX webhook_secrets_of_tenant ON webhook_secrets (tenant_id, id);
CREATE INDEX users_of_tenant ON users (tenant_id, id);
CREATE INDEX api_keys_of_tenant ON api_keys (tenant_id, id);
CREATE INDEX logins_of_user ON logins (user_id);
CREATE INDEX refresh_tokens_of_login ON refresh_tokens (login_id);
CREATE INDEX invites_of_tenant ON invites (tenant_id, id);
CREATE INDEX password_resets_of_user ON password_resets (user_id);
CREATE UNIQUE INDEX schedules_of_tenant ON schedules (tenant_id, name);
CREATE INDEX schedules_due ON schedules (next_run_at);
COMMIT;
