-- :name freeze_insert
INSERT INTO freezes (reason, since, by) VALUES ($1, serin_now(), $2) ON CONFLICT DO NOTHING RETURNING id

-- :name freeze_lift
UPDATE freezes SET lifted_at = serin_now(), lifted_by = $1 WHERE lifted_at IS NULL RETURNING reason

-- :name quarantine_lift
UPDATE quarantines q SET lifted_at = serin_now(), lifted_by = $3, lift_reason = $4
FROM releases r WHERE r.service = $1 AND r.name = $2 AND q.service = r.service AND q.behaviour = r.behaviour
  AND q.lifted_at IS NULL
RETURNING q.rollout

-- :name release_state
SELECT quarantine_of(service, name) IS NOT NULL, newest_bake(service, name) IS NOT NULL FROM releases WHERE service = $1 AND name = $2
