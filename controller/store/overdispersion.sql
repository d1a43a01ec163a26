-- :name overdispersion_width
SELECT greatest($2::bigint, ceil(16 / nullif(sum(o.outcomes)::double precision / 3600, 0))::bigint, 1),
       count(DISTINCT o.gateway)
FROM observations o JOIN route_state s ON s.service = o.service
JOIN routes r ON r.service = s.service AND r.epoch = s.epoch
WHERE o.service = $1 AND o.release = r.stable AND o.bucket_s >= floor(extract(epoch FROM serin_now()))::bigint - 3600

-- :name overdispersion_blocks
WITH stable AS (
    SELECT r.stable AS release, floor(extract(epoch FROM serin_now()))::bigint AS now_s
    FROM route_state s JOIN routes r ON r.service = s.service AND r.epoch = s.epoch WHERE s.service = $1::text
), counted AS (
    SELECT o.bucket_s / $3::bigint AS block, o.gateway, o.n[$2::integer + 1] AS n, o.k[$2::integer + 1] AS k
    FROM observations o, stable
    WHERE o.service = $1::text AND o.release = stable.release
      AND o.bucket_s >= stable.now_s - 14400 AND o.bucket_s < stable.now_s - 60
), halves AS (
    SELECT gateway, row_number() OVER (ORDER BY gateway) % 2 AS half FROM (SELECT DISTINCT gateway FROM counted) g
)
SELECT coalesce(sum(n) FILTER (WHERE half = 0), 0)::bigint, coalesce(sum(k) FILTER (WHERE half = 0), 0)::bigint,
       coalesce(sum(n) FILTER (WHERE half = 1), 0)::bigint, coalesce(sum(k) FILTER (WHERE half = 1), 0)::bigint
FROM counted JOIN halves USING (gateway)
GROUP BY block
HAVING sum(k) > 0
