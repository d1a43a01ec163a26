-- Whether the alert is known and fires, and what the release $3 that it names has to do with the service's rollout: whether
-- there is such a release, a live rollout, and whether it is one of the two of that.
-- :name alert_state
SELECT a.fingerprint IS NOT NULL, coalesce(a.resolved_at IS NULL AND a.expires_at > serin_now(), false),
       EXISTS (SELECT FROM releases WHERE service = $1::text AND name = $3::text), l.release IS NOT NULL,
       coalesce($3::text IN (l.release, l.stable), false)
FROM (SELECT) one LEFT JOIN alerts a ON a.service = $1::text AND a.fingerprint = $2::text
     LEFT JOIN (SELECT release, stable FROM rollouts WHERE service = $1::text
                AND phase IN ('pending', 'progressing', 'paused', 'baking')) l ON true

-- :name alert_count
SELECT count(*) FROM alerts WHERE service = $1

-- :name alert_make_room
DELETE FROM alerts WHERE (service, fingerprint) IN (
    SELECT service, fingerprint FROM alerts WHERE service = $1 AND (resolved_at IS NOT NULL OR expires_at <= serin_now())
    ORDER BY heard_at LIMIT 50)

-- One that names its release can take a canary back: for it, one that names none makes room.
-- :name alert_make_place
DELETE FROM alerts WHERE (service, fingerprint) IN (
    SELECT service, fingerprint FROM alerts WHERE service = $1 AND release IS NULL ORDER BY heard_at LIMIT 1)

-- The end that an alert says itself counts, but at most a week: it must not hold for ever.
-- :name alert_fire
INSERT INTO alerts AS a (service, fingerprint, name, release, summary, starts_at, firing, heard_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6::timestamptz, nextval('alert_firings'), serin_now(),
        least(coalesce($7::timestamptz, serin_now() + make_interval(secs => $8::double precision)),
              serin_now() + interval '7 days'))
ON CONFLICT (service, fingerprint) DO UPDATE
SET name = excluded.name, release = excluded.release, summary = excluded.summary, starts_at = excluded.starts_at,
    firing = CASE WHEN $9::boolean THEN excluded.firing ELSE a.firing END,
    heard_at = excluded.heard_at, expires_at = excluded.expires_at, resolved_at = NULL

-- :name alert_resolve
UPDATE alerts SET resolved_at = serin_now(), heard_at = serin_now() WHERE service = $1 AND fingerprint = $2

-- :name alerts_firing
SELECT name, coalesce(release, ''), fingerprint, firing, count(*) OVER ()
FROM alerts WHERE service = $1 AND resolved_at IS NULL AND expires_at > serin_now() ORDER BY firing DESC LIMIT $2

-- :name alerts_lapsed
SELECT service, name, coalesce(release, ''), fingerprint, heard_at
FROM alerts WHERE resolved_at IS NULL AND expires_at <= serin_now() ORDER BY expires_at LIMIT $1

-- :name alert_lapse
UPDATE alerts SET resolved_at = expires_at
WHERE service = $1 AND fingerprint = $2 AND resolved_at IS NULL AND expires_at <= serin_now()
RETURNING fingerprint
