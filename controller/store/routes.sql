-- :name route_current
SELECT r.epoch, coalesce(r.stable, ''), coalesce(r.canary, ''), r.canary_weight, coalesce(r.rollout, ''), r.written_at,
       s.applied_at, s.valid_until
FROM route_state s JOIN routes r ON r.service = s.service AND r.epoch = s.epoch
WHERE s.service = $1

-- :name route_insert
INSERT INTO routes (service, epoch, stable, canary, canary_weight, rollout, salt, written_at)
SELECT $1::text, coalesce(max(epoch), 0) + 1, $2::text, $3::text, $4::integer, $5::text, $6::text, $7::timestamptz
FROM routes WHERE service = $1::text
RETURNING epoch

-- The revision is taken last, so that revisions commit in order.
-- :name route_publish
WITH next AS (UPDATE route_rev SET rev = rev + 1 RETURNING rev)
INSERT INTO route_state (service, epoch, rev, valid_until, applied_at)
SELECT $1::text, $2::bigint, next.rev, $3::timestamptz, NULL FROM next
ON CONFLICT (service) DO UPDATE SET epoch = excluded.epoch, rev = excluded.rev, valid_until = excluded.valid_until,
                                    applied_at = NULL, stray_at = NULL

-- :name route_renew
WITH next AS (UPDATE route_rev SET rev = rev + 1 RETURNING rev)
UPDATE route_state s SET valid_until = $3, rev = next.rev FROM next WHERE s.service = $1 AND s.epoch = $2

-- :name route_notify
SELECT pg_notify('serin_routes', $1::text)

-- Newest routes that are not marked as applied, though no gateway that is behind is waited for any more
-- (gateway_awaited_until). At most $2: those that wait for somebody are not among them, so that they keep nobody from being
-- marked. $1: lease on canary weight, seconds. Who says another epoch than the newest is behind, also one above it: that is
-- of a history that the database has lost.
-- :name routes_unapplied
WITH at AS MATERIALIZED (
    SELECT serin_now() AS now, (SELECT incarnation_at FROM route_rev) AS incarnation_at
), due AS MATERIALIZED (
    SELECT s.service, s.epoch, r.rollout, r.written_at, coalesce(r.canary, r.stable, '') AS release
    FROM at, route_state s JOIN routes r ON r.service = s.service AND r.epoch = s.epoch
    WHERE s.applied_at IS NULL AND NOT EXISTS (
        SELECT FROM gateways g
        WHERE g.service = s.service AND coalesce(g.applied_epoch, 0) <> s.epoch
          AND (g.heard_at > at.now - interval '60 s' OR gateway_lease_end(g.heard_at, at.incarnation_at, $1) > at.now)
          AND gateway_awaited_until(g.service, g.applied_epoch, g.heard_at, s.epoch, r.stable, r.canary, at.incarnation_at,
                                    $1) > at.now)
    ORDER BY s.service LIMIT $2
)
SELECT d.service, d.epoch, coalesce(d.rollout, ''), d.written_at, d.release,
       (SELECT count(*) FROM gateways g WHERE g.service = d.service AND g.heard_at > at.now - interval '60 s'),
       (SELECT coalesce(string_agg(g.instance, ' ' ORDER BY g.instance), '') FROM gateways g
        WHERE g.service = d.service AND coalesce(g.applied_epoch, 0) <> d.epoch
          AND g.heard_at <= at.now - interval '60 s'
          AND gateway_lease_end(g.heard_at, at.incarnation_at, $1) > d.written_at)
FROM due d, at
ORDER BY d.service

-- :name route_applied
UPDATE route_state SET applied_at = serin_now() WHERE service = $1 AND epoch = $2 AND applied_at IS NULL
RETURNING applied_at

-- :name gateways_live
SELECT count(*) FROM gateways WHERE service = $1 AND heard_at > serin_now() - interval '60 s'

-- The rollback target: the newest baked release that nothing speaks against; $2 is the stable release to leave.
-- :name rollback_target
SELECT b.release FROM (SELECT release, max(id) AS id FROM bakes WHERE service = $1::text GROUP BY release) b
WHERE rollback_skip($1::text, b.release, $2::text) IS NULL
ORDER BY b.id DESC LIMIT 1

-- Every release with why a rollback does not go to it by itself, those first that a person would name: baked ones, and of
-- these the quarantined last.
-- :name rollback_candidates
SELECT r.name, coalesce(k.skip, ''), k.bake IS NOT NULL, count(*) OVER ()
FROM releases r CROSS JOIN LATERAL (SELECT rollback_skip(r.service, r.name, $2::text) AS skip,
                                           newest_bake(r.service, r.name) AS bake OFFSET 0) k
WHERE r.service = $1::text
ORDER BY k.skip IS NOT DISTINCT FROM 'stable', k.bake IS NULL,
         array_position(ARRAY['newer', 'left', 'never_baked', 'quarantined', 'stable'], k.skip),
         k.bake DESC NULLS LAST, r.created_at DESC, r.name DESC
LIMIT $3::integer

-- Live gateways of a service, and which of them have not applied its newest route.
-- :name gateways_behind
SELECT g.instance, coalesce(g.applied_epoch, 0) <> coalesce(s.epoch, 0)
FROM gateways g LEFT JOIN route_state s ON s.service = g.service
WHERE g.service = $1 AND g.heard_at > serin_now() - interval '60 s'
ORDER BY g.instance

-- Of the gateways that were heard in the last $2 s, the one that can apply the fewest weights; none if each can apply all.
-- :name gateways_coarsest
SELECT instance, weight_step FROM gateways
WHERE service = $1 AND weight_step > 1 AND heard_at > serin_now() - make_interval(secs => $2::bigint)
ORDER BY weight_step DESC, instance LIMIT 1

-- Only where the way is back ($4 baked before $2): who goes on to a newer release, or to one that was never baked, undoes
-- a rollback, and that speaks not against what is left.
-- :name departure_insert
INSERT INTO departures (service, release, bake, at)
SELECT $1::text, $2::text, coalesce(max(b.id), 0), $3::timestamptz FROM bakes b WHERE b.service = $1::text
HAVING newest_bake($1::text, $2::text) IS NULL OR newest_bake($1::text, $4::text) < newest_bake($1::text, $2::text)

-- :name return_insert
INSERT INTO returns (service, release, departure, at)
SELECT $1::text, $2::text, max(d.id), $3::timestamptz FROM departures d
WHERE d.service = $1::text AND d.release = $2::text HAVING max(d.id) IS NOT NULL

-- Applied routes without a canary, of which requests still go to a release that they do not name: told once a route.
-- :name routes_strayed
SELECT s.service, s.epoch, coalesce(r.rollout, ''), coalesce(r.stable, ''), t.release, t.requests, t.gateways
FROM route_state s JOIN routes r ON r.service = s.service AND r.epoch = s.epoch,
LATERAL (
    SELECT min(o.release) AS release, sum(o.admissions)::bigint AS requests,
           string_agg(DISTINCT o.gateway, ' ' ORDER BY o.gateway) AS gateways
    FROM observations o
    WHERE o.service = s.service AND o.release IS DISTINCT FROM r.stable AND o.admissions > 0
      AND o.bucket_s >= greatest(floor(extract(epoch FROM s.applied_at))::bigint + $1::bigint,
                                 floor(extract(epoch FROM serin_now()))::bigint - 60)
) t
WHERE s.applied_at > serin_now() - interval '1 day' AND s.stray_at IS NULL AND r.canary IS NULL AND t.requests > 0
ORDER BY s.service

-- :name route_strayed
UPDATE route_state SET stray_at = serin_now() WHERE service = $1 AND epoch = $2 AND stray_at IS NULL
RETURNING stray_at

-- :name route_appliers
SELECT instance, applied_at FROM gateways
WHERE service = $1 AND applied_epoch = $2 AND applied_at IS NOT NULL
ORDER BY applied_at, instance LIMIT $3
