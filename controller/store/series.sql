-- Two exports of one process are counted one after the other, on whichever replica. Sorted, so that nobody waits in a
-- circle.
-- :name series_lock
SELECT pg_advisory_xact_lock(hashtextextended(t.target, 0))
FROM (SELECT DISTINCT unnest($1::text[]) AS target ORDER BY 1) t

-- :name series_read
SELECT replace(target::text, '-', ''), replace(series::text, '-', ''), start_ns, time_ns, shape, value::text, sum
FROM otlp_series WHERE target = ANY ($1::uuid[])
ORDER BY target, series, start_ns

-- :name series_room
SELECT count(*) FROM (SELECT FROM otlp_series LIMIT $1) s

-- :name series_put
INSERT INTO otlp_series (target, series, start_ns, time_ns, shape, value, sum, seen_at)
SELECT e.target::uuid, e.series::uuid, e.start_ns, e.time_ns, e.shape, e.value::bigint[], (e.sum::double precision[])[1], serin_now()
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[])
     AS e (target, series, start_ns, time_ns, shape, value, sum)
ON CONFLICT (target, series, start_ns) DO UPDATE SET
    time_ns = excluded.time_ns, shape = excluded.shape, value = excluded.value, sum = excluded.sum,
    seen_at = excluded.seen_at
