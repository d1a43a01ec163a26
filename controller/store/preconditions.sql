-- :name start_documents
SELECT (SELECT document::text FROM slos WHERE service = $1::text ORDER BY version DESC LIMIT 1),
       (SELECT document::text FROM policies WHERE service = $1::text ORDER BY version DESC LIMIT 1)

-- The newest rows of the last ten minutes, at most $2, so that it costs the same however many gateways report.
-- :name rate_measured
WITH newest AS (
    SELECT o.bucket_s, greatest(o.admissions, o.outcomes) AS requests FROM observations o
    WHERE o.service = $1 AND o.bucket_s >= floor(extract(epoch FROM serin_now()))::bigint - 600
    ORDER BY o.bucket_s DESC LIMIT $2::bigint)
SELECT coalesce(sum(requests)::double precision / nullif(max(bucket_s) - min(bucket_s) + 1, 0), 0) FROM newest

-- Requests and bad ones of each SLI over its window, and requests a second over the last ten minutes.
-- :name budget_spent
SELECT coalesce((SELECT sum(m.n[$2::integer + 1]) FROM observation_minutes m
                 WHERE m.service = $1::text AND m.minute >= floor(extract(epoch FROM serin_now()) / 60)::bigint - $3::bigint / 60), 0)::bigint,
       coalesce((SELECT sum(m.k[$2::integer + 1]) FROM observation_minutes m
                 WHERE m.service = $1::text AND m.minute >= floor(extract(epoch FROM serin_now()) / 60)::bigint - $3::bigint / 60), 0)::bigint

-- Outcomes of a release in the newest rows of the last ten minutes (at most $3, of all releases, so that it costs the same
-- however many gateways report), and of how many requests each SLI was known in them and in the minutes that are summed of
-- the day before (in the order of the SLIs).
-- :name reported_slis
WITH newest AS (
    SELECT o.release, o.outcomes, o.n FROM observations o
    WHERE o.service = $1::text AND o.bucket_s >= floor(extract(epoch FROM serin_now()))::bigint - 600
    ORDER BY o.bucket_s DESC LIMIT $3::bigint),
counted AS (
    SELECT true AS fresh, outcomes, n FROM newest WHERE release = $2::text
    UNION ALL
    SELECT false, m.outcomes, m.n FROM observation_minutes m
    WHERE m.service = $1::text AND m.release = $2::text AND m.minute >= floor(extract(epoch FROM serin_now()) / 60)::bigint - 1440)
SELECT coalesce(sum(outcomes) FILTER (WHERE fresh), 0)::bigint,
       ARRAY[sum(n[1]), sum(n[2]), sum(n[3]), sum(n[4]), sum(n[5]), sum(n[6]), sum(n[7]), sum(n[8]), sum(n[9]), sum(n[10]),
             sum(n[11])]::bigint[]::text
FROM counted

-- :name precondition_keyed
SELECT sticky <> 'none' FROM services WHERE name = $1
