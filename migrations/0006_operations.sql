-- What happened, who is told, who may do what.

-- A hash chain for each service and one for the system (service NULL): hash = sha256(hash before || body).
CREATE TABLE events (
    id text PRIMARY KEY,
    service object_name REFERENCES services,
    seq bigint NOT NULL CHECK (seq >= 1),
    at timestamptz NOT NULL,
    type text NOT NULL,
    rollout text REFERENCES rollouts,
    body text NOT NULL, -- canonical JSON
    prev_hash bytea NOT NULL,
    hash bytea NOT NULL,
    CHECK (hash = sha256(prev_hash || convert_to(body, 'UTF8')))
);
CREATE UNIQUE INDEX events_chain ON events (coalesce(service, ''), seq);
CREATE INDEX events_by_rollout ON events (rollout, id DESC) WHERE rollout IS NOT NULL;
CREATE INDEX events_by_service ON events (service, id DESC);
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION guard_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq > 1 AND NOT EXISTS (SELECT FROM events e WHERE coalesce(e.service, '') = coalesce(NEW.service, '')
                                                          AND e.seq = NEW.seq - 1 AND e.hash = NEW.prev_hash) THEN
        RAISE EXCEPTION 'event % does not follow the last of its chain', NEW.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER events_chained BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION guard_event();

CREATE TABLE webhooks (
    id text PRIMARY KEY,
    url text NOT NULL,
    service object_name REFERENCES services, -- NULL = all
    secret text NOT NULL,                    -- whsec_...; needed to sign
    created_at timestamptz NOT NULL DEFAULT serin_now(),
    disabled_at timestamptz
);

-- One row for each event and webhook, written with the event.
CREATE TABLE outbox (
    event text NOT NULL REFERENCES events,
    webhook text NOT NULL REFERENCES webhooks,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    delivered_at timestamptz,
    given_up_at timestamptz,
    last_error text,
    PRIMARY KEY (event, webhook)
);
CREATE INDEX outbox_due ON outbox (next_attempt_at) WHERE delivered_at IS NULL AND given_up_at IS NULL;

CREATE TABLE tokens (
    id text PRIMARY KEY,
    name object_name NOT NULL,
    role text NOT NULL CHECK (role IN ('viewer', 'gateway', 'engineer', 'oncall', 'admin')),
    secret_sha256 bytea NOT NULL UNIQUE CHECK (octet_length(secret_sha256) = 32),
    created_at timestamptz NOT NULL DEFAULT serin_now(),
    revoked_at timestamptz
);
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;

CREATE TABLE idempotency_keys (
    token text NOT NULL,
    key text NOT NULL,
    request bytea NOT NULL, -- sha256 of method, path and body
    status integer,
    body text,
    etag text,
    at timestamptz NOT NULL DEFAULT serin_now(),
    PRIMARY KEY (token, key)
);
CREATE INDEX idempotency_keys_at ON idempotency_keys (at);
