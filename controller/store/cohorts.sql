-- :name cohorts_read
SELECT o.bucket_s, o.release, o.admissions, o.outcomes, o.n::text, o.k::text,
       coalesce(extract(epoch FROM g.reported_at), 0)::bigint,
       max(o.admissions - o.outcomes - o.late_outcomes) OVER (PARTITION BY o.bucket_s, o.gateway) > 0,
       o.late_outcomes, o.late::text, o.stratum, o.absent::text, o.interval_s
FROM observations o LEFT JOIN gateways g ON g.service = o.service AND g.instance = o.gateway
WHERE o.service = $1 AND o.bucket_s >= $2 AND o.bucket_s < $3 AND o.release IN ($4::text, $5::text)
ORDER BY o.bucket_s

-- Newest report of any gateway, and how many admissions of a window are blind: their gateway was not heard since.
-- :name cohorts_window
SELECT coalesce((SELECT extract(epoch FROM max(reported_at)) FROM gateways WHERE service = $1::text), 0)::bigint,
       coalesce(sum(o.admissions), 0)::bigint,
       coalesce(sum(o.admissions) FILTER (WHERE o.admissions > o.outcomes + o.late_outcomes AND
           coalesce(g.reported_at, 'epoch') < to_timestamp(o.bucket_s + 1 + $4::bigint)), 0)::bigint
FROM observations o LEFT JOIN gateways g ON g.service = o.service AND g.instance = o.gateway
WHERE o.service = $1::text AND o.bucket_s >= $2 AND o.bucket_s < $3

-- :name cohorts_late
SELECT ARRAY[sum(k[1]), sum(k[2]), sum(k[3]), sum(k[4]), sum(k[5]), sum(k[6]), sum(k[7]), sum(k[8]), sum(k[9]), sum(k[10]),
             sum(k[11])]::bigint[]::text,
       ARRAY[sum(late[1]), sum(late[2]), sum(late[3]), sum(late[4]), sum(late[5]), sum(late[6]), sum(late[7]), sum(late[8]),
             sum(late[9]), sum(late[10]), sum(late[11])]::bigint[]::text
FROM observations
WHERE service = $1 AND bucket_s >= $2 AND bucket_s < $3 AND release IN ($4::text, $5::text)
HAVING count(*) > 0

-- Of an admission without its outcome and an outcome without its admission nobody can tell that they are one request; so
-- both are summed for themselves, second by second.
-- :name cohorts_unmatched
SELECT coalesce(sum(o.admissions) FILTER (WHERE o.release = $4::text), 0)::bigint,
       coalesce(sum(greatest(o.admissions - o.outcomes - o.late_outcomes, 0)) FILTER (WHERE o.release = $4::text), 0)::bigint,
       coalesce(sum(o.admissions) FILTER (WHERE o.release = $5::text), 0)::bigint,
       coalesce(sum(greatest(o.admissions - o.outcomes - o.late_outcomes, 0)) FILTER (WHERE o.release = $5::text), 0)::bigint,
       coalesce(sum(greatest(o.outcomes + o.late_outcomes - o.admissions, 0)) FILTER (WHERE o.admits > 0), 0)::bigint
FROM (SELECT release, admissions, outcomes, late_outcomes, sum(admissions) OVER (PARTITION BY gateway) AS admits
      FROM observations
      WHERE service = $1::text AND bucket_s >= $2::bigint AND bucket_s < $3::bigint AND release IN ($4::text, $5::text)
        AND interval_s = 0) o

-- :name cohorts_strays
SELECT sum(admissions)::bigint, min(release)
FROM observations
WHERE service = $1 AND bucket_s >= $2 AND bucket_s < $3 AND release NOT IN ($4::text, $5::text) AND admissions > 0
HAVING count(*) > 0
