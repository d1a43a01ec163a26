-- Where everything stands, for /metrics. Ages in real seconds, whatever the rate of the clock.
-- :name standing_rollouts
SELECT r.service, r.phase, r.rule, extract(epoch FROM serin_now() - r.phase_since) / c.rate,
       coalesce(extract(epoch FROM serin_now() - r.blind_since) / c.rate, 0)
FROM rollouts r, clock c WHERE r.phase IN ('pending', 'progressing', 'paused', 'baking')

-- :name standing_gateways
SELECT g.service, count(*) FILTER (WHERE l.live), count(*) FILTER (WHERE l.live AND l.epochs > 0),
       count(*) FILTER (WHERE NOT l.live), coalesce(max(l.epochs) FILTER (WHERE l.live), 0)
FROM gateways g LEFT JOIN route_state s ON s.service = g.service,
LATERAL (SELECT g.heard_at > serin_now() - interval '60 s' AS live,
                greatest(coalesce(s.epoch, 0) - coalesce(g.applied_epoch, 0), 0) AS epochs) l
WHERE g.heard_at > serin_now() - interval '1 h'
GROUP BY g.service

-- :name standing_routes
SELECT s.service, CASE WHEN s.applied_at IS NULL THEN extract(epoch FROM serin_now() - r.written_at) / c.rate ELSE 0 END
FROM route_state s JOIN routes r ON r.service = s.service AND r.epoch = s.epoch, clock c

-- :name standing_system
SELECT EXISTS (SELECT FROM freezes WHERE lifted_at IS NULL), owed.count, owed.age / c.rate
FROM clock c, (SELECT count(*) AS count, coalesce(extract(epoch FROM serin_now() - min(e.at)), 0) AS age
               FROM outbox o JOIN events e ON e.id = o.event
               WHERE o.delivered_at IS NULL AND o.given_up_at IS NULL) owed
