-- The clock of everything, text forms, and the guards that other tables use.

-- serin_now() is the only clock in SQL. A test database may make it run faster: origin + (real - origin_real) * rate.
CREATE TABLE clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    origin_real timestamptz NOT NULL,
    origin timestamptz NOT NULL,
    rate double precision NOT NULL CHECK (rate > 0 AND rate <= 100000)
);
INSERT INTO clock (origin_real, origin, rate) VALUES ('2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', 1);

CREATE FUNCTION serin_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN rate = 1 AND origin = origin_real THEN clock_timestamp()
                ELSE origin + (clock_timestamp() - origin_real) * rate END
    FROM clock
$$;

-- The real time at which serin_now() is `at`: for gateways, which live in real time.
CREATE FUNCTION serin_real(at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN rate = 1 AND origin = origin_real THEN at ELSE origin_real + (at - origin) / rate END FROM clock
$$;

-- RFC 3339, UTC, milliseconds.
CREATE FUNCTION serin_text(at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE DOMAIN object_name AS text CHECK (VALUE ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$');
CREATE DOMAIN weight AS integer CHECK (VALUE BETWEEN 0 AND 10000);

-- One row: heads of what belongs to no service, and the revision of all routes, updated last in its transaction, so that
-- revisions commit in order (a sequence would not). An incarnation is one unbroken history of epochs.
CREATE TABLE system (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    event_seq bigint NOT NULL DEFAULT 0,
    event_head bytea NOT NULL DEFAULT sha256('serin') CHECK (octet_length(event_head) = 32)
);
INSERT INTO system DEFAULT VALUES;

CREATE TABLE route_rev (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    rev bigint NOT NULL DEFAULT 0,
    incarnation integer NOT NULL DEFAULT 1
);
INSERT INTO route_rev DEFAULT VALUES;
