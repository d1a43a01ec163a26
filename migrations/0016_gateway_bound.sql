-- When the present incarnation began; NULL = with the database. What gateways were told before is not known here: the
-- database was put back.
ALTER TABLE route_rev ADD COLUMN incarnation_at timestamptz;

-- What a gateway may still give requests to by an older route than `newest`, which has no canary (a rollback, a promotion):
-- a row for each epoch that it may have applied, 0 for one that has said none. `holds`: that route itself is to be waited
-- for; `told_from`: since when a later one was written that is, NULL = none. Of routes, these are to be waited for: one with
-- weight for a canary beside stable, as that is a lease; and one of another release alone than the newest's, if that was
-- left since in another way than by the promotion of the canary that took its place (a rollback from it). `known_from`: who
-- was not heard since may hold a route that is not there any more.
CREATE FUNCTION route_risk(service text, newest bigint)
RETURNS TABLE (epoch bigint, holds boolean, told_from timestamptz, known_from timestamptz) LANGUAGE sql STABLE AS $$
    WITH span AS (
        SELECT r.epoch, r.stable, r.canary, r.canary_weight, r.written_at, coalesce(r.stable, r.canary) AS alone,
               lead(r.stable) OVER w AS next_stable, lead(coalesce(r.stable, r.canary)) OVER w AS next_alone
        FROM routes r WHERE r.service = $1 AND r.epoch <= $2 WINDOW w AS (ORDER BY r.epoch)
    ), abandoned AS (
        SELECT s.alone, max(s.epoch) AS epoch FROM span s
        WHERE s.epoch < $2 AND s.next_alone IS DISTINCT FROM s.alone
          AND (s.canary IS NULL OR s.canary IS DISTINCT FROM s.next_stable)
        GROUP BY s.alone
    ), risk AS (
        SELECT s.epoch, s.written_at,
               s.stable IS NOT NULL AND s.canary IS NOT NULL AND s.canary_weight > 0
               OR s.alone IS DISTINCT FROM n.alone AND a.epoch IS NOT NULL AND a.epoch >= s.epoch AS holds
        FROM span s JOIN span n ON n.epoch = $2 LEFT JOIN abandoned a ON a.alone = s.alone
        WHERE s.epoch < $2
        UNION ALL SELECT 0, NULL, false
    )
    SELECT k.epoch, k.holds, min(k.written_at) FILTER (WHERE k.holds) OVER (ORDER BY k.epoch DESC), v.incarnation_at
    FROM risk k, route_rev v
$$;

-- How long after it was last heard a gateway is waited for that is behind. 60 s; but its lease (`lease_s`: how long canary
-- weight lasts without a word from us) where the newest route has no canary, and by route_risk the gateway may give requests
-- to what is to be left. It may have been told a route that was written at most 15 s after it was last heard: one that waits
-- for a change is written down every 5 s.
CREATE FUNCTION gateway_bound(canary boolean, holds boolean, told_from timestamptz, known_from timestamptz,
                              heard_at timestamptz, lease_s double precision) RETURNS interval LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN $1 THEN interval '60 s'
        WHEN coalesce($2, true) OR $3 <= $5 + interval '15 s' OR $5 <= $4 THEN make_interval(secs => $6)
        ELSE least(interval '60 s', make_interval(secs => $6)) END
$$;
