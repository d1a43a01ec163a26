-- Alerts that others raise about a service (Alertmanager): the newest state of each, by its fingerprint. What they led to is
-- in the events.
CREATE SEQUENCE alert_firings;
CREATE TABLE alerts (
    service object_name NOT NULL REFERENCES services,
    fingerprint text NOT NULL CHECK (length(fingerprint) BETWEEN 1 AND 64),
    name text NOT NULL CHECK (length(name) <= 128),
    release text CHECK (length(release) <= 64), -- that its labels name; NULL = none. It need not exist
    summary text NOT NULL CHECK (length(summary) <= 400),
    starts_at timestamptz NOT NULL,             -- as it says itself
    -- Grows with each firing; under the service's lock, so that what a decision has seen and what came later are told apart.
    firing bigint NOT NULL,
    heard_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,            -- unless it is heard of again before
    resolved_at timestamptz,                    -- NULL = it fires
    PRIMARY KEY (service, fingerprint)
);
CREATE INDEX alerts_by_expiry ON alerts (expires_at) WHERE resolved_at IS NULL;

-- The newest firing that this rollout has paused for, or told of.
ALTER TABLE rollouts ADD COLUMN alerts_acted bigint NOT NULL DEFAULT 0;
