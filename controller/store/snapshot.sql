-- :name snapshot_isolation
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY

-- :name snapshot_marks
SELECT r.rev, r.incarnation, serin_now(), (SELECT rate FROM clock),
       md5(concat_ws('/',
           (SELECT string_agg(concat_ws(':', id, name, role, revoked_at), ',' ORDER BY id) FROM tokens),
           (SELECT string_agg(name || ':' || sticky, ',' ORDER BY name) FROM services),
           (SELECT count(*) FROM slos), (SELECT count(*) FROM policies), (SELECT count(*) FROM releases),
           (SELECT string_agg(id, ',' ORDER BY id) FROM rollouts
            WHERE phase IN ('pending', 'progressing', 'paused', 'baking'))))
FROM route_rev r

-- Nothing is written down of what gateways have applied while this is held (snapshot_acks), and in a transaction its next
-- statement sees all that was.
-- :name snapshot_lock_incarnation
SELECT incarnation FROM route_rev FOR UPDATE

-- Leases on canary weight end with it: stable alone is served until each rollout was paused. Epochs that were applied are of
-- another history.
-- :name snapshot_new_incarnation
WITH old AS (
    SELECT FROM route_rev WHERE incarnation <= $1
), lapsed AS (
    UPDATE route_state SET valid_until = serin_now() FROM old WHERE valid_until > serin_now()
), unknown AS (
    SELECT g.service, g.instance FROM gateways g, old WHERE g.applied_epoch IS NOT NULL
    ORDER BY g.service, g.instance FOR UPDATE OF g
), forgotten AS (
    UPDATE gateways g SET applied_epoch = NULL, applied_at = NULL FROM unknown u
    WHERE g.service = u.service AND g.instance = u.instance
)
UPDATE route_rev SET incarnation = greatest(incarnation, $1) + 1, incarnation_at = serin_now() WHERE incarnation <= $1

-- :name snapshot_incarnation
SELECT incarnation FROM route_rev

-- :name snapshot_routes
SELECT s.service, r.epoch, coalesce(r.stable, ''), coalesce(r.canary, ''), r.canary_weight, coalesce(r.rollout, ''),
       r.salt, serin_real(s.valid_until),
       coalesce((extract(epoch FROM serin_real(s.valid_until) - clock_timestamp()) * 1000000)::bigint, 0)
FROM route_state s JOIN routes r ON r.service = s.service AND r.epoch = s.epoch
WHERE s.rev > $1
ORDER BY s.rev

-- :name snapshot_release
SELECT encode(r.digest, 'hex'), convert_from(r.content, 'UTF8'),
       coalesce((SELECT convert_from(v.content, 'UTF8')
                 FROM release_artifacts a
                 JOIN artifact_versions v ON v.kind = a.kind AND v.name = a.name AND v.version = a.version
                 WHERE a.service = r.service AND a.release = r.name AND a.kind = 'model'
                 ORDER BY a.name LIMIT 1), '')
FROM releases r WHERE r.service = $1 AND r.name = $2

-- :name snapshot_services
SELECT s.name, s.sticky,
       coalesce(live.slos::text, (SELECT o.document::text FROM slos o WHERE o.service = s.name
                                  ORDER BY o.version DESC LIMIT 1), ''),
       coalesce(live.policy::text, (SELECT p.document::text FROM policies p WHERE p.service = s.name
                                    ORDER BY p.version DESC LIMIT 1), '')
FROM services s
LEFT JOIN rollouts live ON live.service = s.name AND live.phase IN ('pending', 'progressing', 'paused', 'baking')

-- :name snapshot_names
SELECT service, name FROM releases

-- :name snapshot_tokens
SELECT name, role, secret_sha256 FROM tokens WHERE revoked_at IS NULL

-- :name snapshot_content
SELECT media_type = 'application/json', content FROM artifact_versions WHERE digest = $1 LIMIT 1

-- An epoch of another incarnation than the present one is not known here; who said it was heard all the same. The lock keeps
-- the incarnation as it is until this is committed (snapshot_lock_incarnation), and lets routes be written.
-- :name snapshot_acks
WITH present AS MATERIALIZED (SELECT incarnation FROM route_rev FOR KEY SHARE)
INSERT INTO gateways AS g (service, instance, applied_epoch, heard_at, applied_at, weight_step)
SELECT e.service, e.instance, CASE WHEN e.incarnation = (SELECT incarnation FROM present) THEN nullif(e.epoch, -1) END,
       serin_now() - e.age_ms * interval '1 ms' * (SELECT rate FROM clock),
       serin_now() - e.applied_ms * interval '1 ms' * (SELECT rate FROM clock), e.weight_step
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::integer[], $7::bigint[])
     AS e (service, instance, epoch, age_ms, applied_ms, weight_step, incarnation)
ON CONFLICT (service, instance) DO UPDATE SET applied_epoch = excluded.applied_epoch, weight_step = excluded.weight_step,
    heard_at = greatest(g.heard_at, excluded.heard_at),
    applied_at = CASE WHEN g.applied_epoch IS NOT DISTINCT FROM excluded.applied_epoch
                      THEN coalesce(g.applied_at, excluded.applied_at) ELSE excluded.applied_at END
