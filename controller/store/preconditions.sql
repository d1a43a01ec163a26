-- :name start_documents
SELECT (SELECT document::text FROM slos WHERE service = $1::text ORDER BY version DESC LIMIT 1),
       (SELECT document::text FROM policies WHERE service = $1::text ORDER BY version DESC LIMIT 1)

-- :name rate_measured
SELECT coalesce(sum(greatest(o.admissions, o.outcomes))::double precision
                / nullif(max(o.bucket_s) - min(o.bucket_s) + 1, 0), 0)
FROM observations o WHERE o.service = $1 AND o.bucket_s >= floor(extract(epoch FROM serin_now()))::bigint - 600

-- Requests and bad ones of each SLI over its window, and requests a second over the last ten minutes.
-- :name budget_spent
SELECT coalesce((SELECT sum(m.n[$2::integer + 1]) FROM observation_minutes m
                 WHERE m.service = $1::text AND m.minute >= floor(extract(epoch FROM serin_now()) / 60)::bigint - $3::bigint / 60), 0)::bigint,
       coalesce((SELECT sum(m.k[$2::integer + 1]) FROM observation_minutes m
                 WHERE m.service = $1::text AND m.minute >= floor(extract(epoch FROM serin_now()) / 60)::bigint - $3::bigint / 60), 0)::bigint

-- Outcomes of a release in the last ten minutes, and of how many requests each SLI was known then and in the day before
-- (in the order of the SLIs).
-- :name reported_slis
WITH counted AS (
    SELECT true AS fresh, o.outcomes, o.n FROM observations o
    WHERE o.service = $1::text AND o.release = $2::text AND o.bucket_s >= floor(extract(epoch FROM serin_now()))::bigint - 600
    UNION ALL
    SELECT false, m.outcomes, m.n FROM observation_minutes m
    WHERE m.service = $1::text AND m.release = $2::text AND m.minute >= floor(extract(epoch FROM serin_now()) / 60)::bigint - 1440),
each AS (
    SELECT u.place, sum(u.n)::bigint AS n FROM counted CROSS JOIN LATERAL unnest(counted.n) WITH ORDINALITY AS u (n, place)
    GROUP BY u.place)
SELECT coalesce((SELECT sum(outcomes) FROM counted WHERE fresh), 0)::bigint,
       (SELECT array_agg(n ORDER BY place) FROM each)::text

-- :name precondition_keyed
SELECT sticky <> 'none' FROM services WHERE name = $1
