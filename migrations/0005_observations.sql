-- Counts of requests, by second of admission. Arrays are in the order of decision/sli.h (11 SLIs).
CREATE TABLE observations (
    service object_name NOT NULL,
    bucket_s bigint NOT NULL, -- seconds since 1970 of serin_now()
    release object_name NOT NULL,
    gateway text NOT NULL,
    admissions bigint NOT NULL DEFAULT 0, -- requests given to the release
    outcomes bigint NOT NULL DEFAULT 0,   -- of which we know what came of them, in time
    n bigint[] NOT NULL,
    k bigint[] NOT NULL,
    late bigint[] NOT NULL,               -- bad ones that came after their SLI's maturity
    late_outcomes bigint NOT NULL DEFAULT 0,
    -- sums: latency_ms, ttft_ms, input tokens, output tokens, cost in 1/1,000,000, score; and how many went in
    sums double precision[] NOT NULL,
    summed bigint[] NOT NULL,
    PRIMARY KEY (service, bucket_s, release, gateway),
    CHECK (cardinality(n) = 11 AND cardinality(k) = 11 AND cardinality(late) = 11),
    CHECK (cardinality(sums) = 6 AND cardinality(summed) = 6)
) PARTITION BY RANGE (bucket_s);
CREATE TABLE observations_rest PARTITION OF observations DEFAULT;

-- Makes the partitions of today and the next two days, drops those older than two days.
CREATE FUNCTION observations_partitions() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    today bigint := floor(extract(epoch FROM serin_now()) / 86400);
    day bigint;
    part text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('serin.observations'));
    FOR day IN today .. today + 2 LOOP
        part := 'observations_' || day;
        IF to_regclass(part) IS NULL AND
           NOT EXISTS (SELECT FROM observations_rest WHERE bucket_s >= day * 86400 AND bucket_s < (day + 1) * 86400) THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF observations FOR VALUES FROM (%s) TO (%s)', part, day * 86400,
                           (day + 1) * 86400);
        END IF;
    END LOOP;
    FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'observations'::regclass AND c.relname ~ '^observations_[0-9]+$'
                  AND substring(c.relname FROM '[0-9]+$')::bigint < today - 2 LOOP
        EXECUTE format('DROP TABLE %I', part);
    END LOOP;
    DELETE FROM observations_rest WHERE bucket_s < (today - 2) * 86400;
END
$$;
SELECT observations_partitions();

-- By minute, for budgets and history, 35 days.
CREATE TABLE observation_minutes (
    service object_name NOT NULL,
    minute bigint NOT NULL, -- minutes since 1970
    release object_name NOT NULL,
    admissions bigint NOT NULL,
    outcomes bigint NOT NULL,
    n bigint[] NOT NULL,
    k bigint[] NOT NULL,
    sums double precision[] NOT NULL,
    summed bigint[] NOT NULL,
    PRIMARY KEY (service, minute, release)
);
CREATE TABLE observation_minutes_until (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    minute bigint NOT NULL -- minutes before this one are summed
);
INSERT INTO observation_minutes_until (minute) VALUES (0);

-- Keys of batches that were counted, for a day.
CREATE TABLE ingest_keys (
    gateway text NOT NULL,
    key text NOT NULL,
    at timestamptz NOT NULL DEFAULT serin_now(),
    PRIMARY KEY (gateway, key)
);
CREATE INDEX ingest_keys_at ON ingest_keys (at);

CREATE TABLE gateways (
    service object_name NOT NULL,
    instance text NOT NULL,
    applied_epoch bigint,
    heard_at timestamptz NOT NULL,
    reported_at timestamptz, -- newest batch of outcomes
    PRIMARY KEY (service, instance)
);
