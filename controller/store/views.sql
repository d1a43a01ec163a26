-- One rollout ($2), or those of a service ($1), newest first. Its route is the newest that it wrote: applied when the
-- gateways said so, or at the latest when the next route was written.
-- :name view_rollouts
SELECT json_build_object(
           'id', r.id, 'service', r.service, 'release', r.release, 'stable', r.stable, 'phase', r.phase,
           'resume_phase', r.resume_phase, 'step', r.step, 'steps', jsonb_array_length(r.plan -> 'steps'),
           'weight', r.canary_weight, 'rule', r.rule, 'reason', r.reason, 'unproven', r.unproven, 'fix', r.fix,
           'plan', r.plan, 'policy', r.policy, 'slos', r.slos,
           'created_at', serin_text(r.created_at), 'created_by', r.created_by,
           'phase_since', serin_text(r.phase_since), 'step_since', serin_text(r.step_since),
           'step_deadline_at', CASE WHEN r.ended_at IS NULL THEN serin_text(r.step_entered_at + make_interval(
               secs => duration_seconds(r.plan -> 'steps' -> (r.step - 1) ->> 'deadline'))) END,
           'ended_at', serin_text(r.ended_at), 'retry_of', r.retry_of, 'muted', r.muted,
           'verdicts', (SELECT coalesce(json_agg(json_build_object('sli', v.sli, 'verdict', v.verdict,
                                                                   'since', serin_text(v.at)) ORDER BY v.sli), '[]')
                        FROM (SELECT DISTINCT ON (n.sli) n.sli, n.verdict, n.at FROM verdicts n
                              WHERE n.rollout = r.id ORDER BY n.sli, n.id DESC) v),
           'route', (SELECT json_build_object('epoch', w.epoch, 'weight', w.canary_weight,
                                              'written_at', serin_text(w.written_at),
                                              'applied_at', serin_text(CASE
                                                  WHEN s.epoch = w.epoch THEN s.applied_at
                                                  ELSE (SELECT n.written_at FROM routes n
                                                        WHERE n.service = w.service AND n.epoch = w.epoch + 1) END))
                     FROM routes w LEFT JOIN route_state s ON s.service = w.service
                     WHERE w.rollout = r.id ORDER BY w.epoch DESC LIMIT 1),
           'version', r.row_version)::text,
       r.id, r.row_version
FROM rollouts r
WHERE ($1::text IS NULL OR r.service = $1::text) AND ($2::text IS NULL OR r.id = $2::text)
  AND ($3::text IS NULL OR r.id < $3::text)
ORDER BY r.id DESC LIMIT $4::integer

-- :name view_rollout_exists
SELECT id FROM rollouts WHERE id = $1

-- :name view_verdicts
SELECT json_build_object('sli', v.sli, 'verdict', v.verdict, 'at', serin_text(v.at), 'detail', v.detail)::text, v.id
FROM verdicts v
WHERE v.rollout = $1 AND ($2::text IS NULL OR v.id < $2::bigint)
ORDER BY v.id DESC LIMIT $3::integer

-- :name view_blocks
SELECT json_build_object('seq', b.seq, 'sli', sli_name(b.sli), 'start_s', b.start_s, 'length_s', b.length_s,
                         'weight', b.weight, 'new_step', b.new_step,
                         'canary', json_build_object('n', b.n_c, 'k', b.k_c),
                         'stable', json_build_object('n', b.n_b, 'k', b.k_b), 'strata', to_json(b.strata),
                         'coverage', to_json(b.coverage))::text,
       b.seq
FROM blocks b
WHERE b.rollout = $1 AND ($2::text IS NULL OR b.seq > $2::bigint)
ORDER BY b.seq LIMIT $3::integer

-- Events: the body as it was hashed, and its hash. A statement for each filter, so that each has its index.
-- :name view_events
SELECT left(e.body, -1) || ',"hash":"' || encode(e.hash, 'hex') || '"}', e.id
FROM events e
WHERE ($1::text IS NULL OR (e.at, e.seq, e.id) < (SELECT a.at, a.seq, a.id FROM events a WHERE a.id = $1::text))
ORDER BY e.at DESC, e.seq DESC, e.id DESC LIMIT $2::integer

-- :name view_events_of_service
SELECT left(e.body, -1) || ',"hash":"' || encode(e.hash, 'hex') || '"}', e.id
FROM events e
WHERE e.service = $1 AND ($2::text IS NULL OR (e.at, e.seq, e.id) < (SELECT a.at, a.seq, a.id FROM events a WHERE a.id = $2::text))
ORDER BY e.at DESC, e.seq DESC, e.id DESC LIMIT $3::integer

-- :name view_events_of_rollout
SELECT left(e.body, -1) || ',"hash":"' || encode(e.hash, 'hex') || '"}', e.id
FROM events e
WHERE e.rollout = $1 AND ($2::text IS NULL OR e.service = $2::text)
  AND ($3::text IS NULL OR (e.at, e.seq, e.id) < (SELECT a.at, a.seq, a.id FROM events a WHERE a.id = $3::text))
ORDER BY e.at DESC, e.seq DESC, e.id DESC LIMIT $4::integer

-- :name view_routes
SELECT json_build_object('service', r.service, 'epoch', r.epoch, 'stable', r.stable, 'canary', r.canary,
                         'weight', r.canary_weight, 'rollout', r.rollout, 'written_at', serin_text(r.written_at),
                         'applied_at', serin_text(s.applied_at), 'valid_until', serin_text(s.valid_until))::text,
       r.service
FROM route_state s JOIN routes r ON r.service = s.service AND r.epoch = s.epoch
WHERE ($1::text IS NULL OR s.service > $1::text)
ORDER BY s.service LIMIT $2::integer

-- One that is behind and stays silent counts as having applied the newest route at applied_by (gateway_awaited_until); until
-- then it is awaited. One that only reports (see observations_reported) has no route to apply. $2: lease on canary weight,
-- seconds.
-- :name view_gateways
WITH page AS (
    SELECT g.service, g.instance, g.applied_epoch, g.heard_at, g.reported_at, g.weight_step, s.epoch, s.applied_at,
           r.stable, r.canary, r.canary_weight, g.heard_at <= to_timestamp(0) AS reports_only,
           g.heard_at > serin_now() - interval '60 s' AS live,
           g.heard_at > to_timestamp(0) AND coalesce(g.applied_epoch, 0) <> coalesce(s.epoch, 0) AS behind
    FROM gateways g LEFT JOIN route_state s ON s.service = g.service
         LEFT JOIN routes r ON r.service = s.service AND r.epoch = s.epoch
    WHERE ($1::text IS NULL OR g.service = $1::text)
      AND ($3::text IS NULL OR (g.service, g.instance) > (split_part($3, '/', 1), split_part($3, '/', 2)))
    ORDER BY g.service, g.instance LIMIT $4::integer
)
SELECT json_build_object('service', p.service, 'instance', p.instance, 'applied_epoch', p.applied_epoch,
                         'current_epoch', p.epoch, 'behind', p.behind, 'reports_only', p.reports_only,
                         'heard_at', serin_text(greatest(p.heard_at, p.reported_at)),
                         'live', p.live, 'weight_step', p.weight_step,
                         'problem', CASE WHEN p.live AND p.behind AND p.canary_weight % p.weight_step <> 0
                             THEN format('It cannot apply %s: its weights are multiples of %s. It applies %s.',
                                         weight_text(p.canary_weight), weight_text(p.weight_step),
                                         weight_text(p.canary_weight - p.canary_weight % p.weight_step)) END,
                         'applied_by', serin_text(b.until),
                         'awaited', coalesce(p.applied_at IS NULL AND b.until > serin_now(), false))::text,
       p.service || '/' || p.instance
FROM page p, (SELECT (SELECT incarnation_at FROM route_rev) AS incarnation_at OFFSET 0) v,
LATERAL (SELECT CASE WHEN p.behind THEN gateway_awaited_until(p.service, p.applied_epoch, p.heard_at, p.epoch, p.stable,
                                                              p.canary, v.incarnation_at, $2::bigint) END AS until) b
ORDER BY p.service, p.instance

-- :name view_freeze
SELECT coalesce((SELECT json_build_object('frozen', true, 'reason', f.reason, 'since', serin_text(f.since), 'by', f.by)
                 FROM freezes f WHERE f.lifted_at IS NULL),
                json_build_object('frozen', false, 'reason', NULL, 'since', NULL, 'by', NULL))::text

-- What a rollback came to: the present route of a service, if it has any. No rollout is live then, so that a canary in it
-- is a first release that has everything.
-- :name view_rollback
SELECT json_build_object('service', n.name, 'stable', coalesce(r.stable, r.canary),
                         'baked', newest_bake(n.name, coalesce(r.stable, r.canary)) IS NOT NULL,
                         'left', nullif($2::text, ''), 'rollout', nullif($3::text, ''),
                         'route', CASE WHEN r.epoch IS NOT NULL THEN
                             json_build_object('epoch', r.epoch, 'weight', r.canary_weight,
                                               'written_at', serin_text(r.written_at),
                                               'applied_at', serin_text(s.applied_at)) END)::text
FROM services n LEFT JOIN route_state s ON s.service = n.name
     LEFT JOIN routes r ON r.service = s.service AND r.epoch = s.epoch
WHERE n.name = $1
