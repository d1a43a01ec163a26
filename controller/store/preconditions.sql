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

-- :name precondition_keyed
SELECT sticky <> 'none' FROM services WHERE name = $1
