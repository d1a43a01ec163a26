-- :name rollout_service
SELECT service FROM rollouts WHERE id = $1

-- :name service_lock
SELECT name, sticky FROM services WHERE name = $1 FOR UPDATE

-- :name service_try_lock
SELECT name FROM services WHERE name = $1 FOR UPDATE SKIP LOCKED

-- :name rollout_live
SELECT id FROM rollouts WHERE service = $1 AND phase IN ('pending', 'progressing', 'paused', 'baking')

-- :name rollout_lock
SELECT id, service, release, coalesce(stable, ''), phase, coalesce(resume_phase, phase), step, canary_weight, plan::text,
       policy::text, slos::text, salt, fix, unproven, rule, reason, created_at, phase_since, step_entered_at, step_since,
       blind_since, alarmed, muted::text, row_version, lease_epoch, coalesce(retry_of, ''), incarnation, alerts_acted
FROM rollouts WHERE id = $1 FOR UPDATE

-- :name rollout_read
SELECT id, service, release, coalesce(stable, ''), phase, coalesce(resume_phase, phase), step, canary_weight, plan::text,
       policy::text, slos::text, salt, fix, unproven, rule, reason, created_at, phase_since, step_entered_at, step_since,
       blind_since, alarmed, muted::text, row_version, lease_epoch, coalesce(retry_of, ''), incarnation, alerts_acted
FROM rollouts WHERE id = $1

-- :name rollout_insert
INSERT INTO rollouts (id, service, release, stable, phase, plan, policy, slos, salt, fix, retry_of, created_at, created_by,
                      rule, reason, phase_since, incarnation)
VALUES ($1, $2, $3, $4, 'pending', $5::jsonb, $6::jsonb, $7::jsonb, $8, $9, $10, $11::timestamptz, $12, $13, $14, $11::timestamptz,
        (SELECT incarnation FROM route_rev))

-- :name rollout_update
UPDATE rollouts
SET phase = $2, resume_phase = $3, step = $4, canary_weight = $5, unproven = $6, rule = $7, reason = $8,
    phase_since = $9, step_entered_at = $10, step_since = $11, blind_since = $12, alarmed = $13, muted = $14::jsonb,
    ended_at = $15, incarnation = $17, alerts_acted = $18, row_version = row_version + 1
WHERE id = $1 AND row_version = $16

-- Nothing else has changed, so that what was said for the version still holds.
-- :name rollout_reason
UPDATE rollouts SET reason = $2 WHERE id = $1 AND row_version = $3

-- Rollouts to work on: those of this owner, and those whose lease is over. Skips what another transaction holds.
-- :name rollout_claim
WITH due AS (
    SELECT id FROM rollouts
    WHERE phase IN ('pending', 'progressing', 'paused', 'baking')
      AND (lease_owner = $1::text OR lease_owner IS NULL OR lease_until < clock_timestamp())
    ORDER BY lease_until NULLS FIRST, id LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE rollouts r
SET lease_epoch = r.lease_epoch + CASE WHEN r.lease_owner IS NOT DISTINCT FROM $1::text AND r.lease_until >= clock_timestamp()
                                       THEN 0 ELSE 1 END,
    lease_owner = $1::text, lease_until = clock_timestamp() + make_interval(secs => $2::double precision)
FROM due WHERE r.id = due.id
RETURNING r.id, r.lease_epoch

-- :name rollout_release_leases
UPDATE rollouts SET lease_until = clock_timestamp()
WHERE lease_owner = $1 AND phase IN ('pending', 'progressing', 'paused', 'baking')

-- :name rollout_now
SELECT serin_now(),
       (SELECT reason FROM freezes WHERE lifted_at IS NULL),
       release_ready($1::text, $2::text),
       (SELECT rate FROM clock),
       (SELECT incarnation FROM route_rev),
       (SELECT string_agg(a.name || ' ' || a.version, ', ' ORDER BY a.name) FROM release_artifacts a
        WHERE a.service = $1::text AND a.release = $2::text AND NOT artifact_ready(a.kind, a.name, a.version))

-- :name rollout_bake
INSERT INTO bakes (service, release, rollout, at) VALUES ($1, $2, $3, $4)

-- :name rollout_quarantine
INSERT INTO quarantines (service, behaviour, rollout, reason, since)
SELECT r.service, r.behaviour, $3::text, $4::text, $5::timestamptz FROM releases r WHERE r.service = $1 AND r.name = $2
ON CONFLICT DO NOTHING

-- :name evidence_load
SELECT state, source_state::text, quality, blocks, observed_at FROM rollout_evidence WHERE rollout = $1

-- :name evidence_insert
INSERT INTO rollout_evidence (rollout, state, observed_at, lease_epoch) VALUES ($1, $2, $3, 0)

-- :name evidence_update
UPDATE rollout_evidence
SET state = $2, source_state = $3::jsonb, quality = $4, blocks = $5, observed_at = $6, lease_epoch = $7
WHERE rollout = $1

-- :name verdicts_newest
SELECT DISTINCT ON (sli) sli, verdict FROM verdicts WHERE rollout = $1 ORDER BY sli, id DESC

-- :name verdict_insert
INSERT INTO verdicts (rollout, sli, verdict, at, detail) VALUES ($1, $2, $3, $4, $5::jsonb)

-- :name verdict_error
SELECT coalesce(detail ->> 'error', ''), coalesce(detail ->> 'next_step', '') FROM verdicts
WHERE rollout = $1 AND verdict = 'error' ORDER BY id DESC LIMIT 1
