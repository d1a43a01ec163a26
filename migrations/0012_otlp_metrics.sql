-- Seconds up to bucket_s in which the requests of a row ended, where they were counted as they ended (counters,
-- histograms, events); 0: each stands in the second in which it was admitted.
ALTER TABLE observations ADD COLUMN interval_s bigint NOT NULL DEFAULT 0 CHECK (interval_s >= 0);

-- Last values of cumulative series, by which the next export is counted. `target` is the process that sends them.
CREATE TABLE otlp_series (
    target uuid NOT NULL,
    series uuid NOT NULL,
    start_ns bigint NOT NULL,  -- by the sender's clock; a new one is a new series
    time_ns bigint NOT NULL,
    shape bigint NOT NULL,     -- thresholds that `value` was made with
    value bigint[] NOT NULL CHECK (cardinality(value) = 3), -- requests, and those over each threshold
    sum double precision NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (target, series, start_ns)
);
CREATE INDEX otlp_series_seen_at ON otlp_series (seen_at);
