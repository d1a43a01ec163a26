-- Digests of what a release pins ($1: array of {kind, name, version}), in the order given.
-- :name release_pins
SELECT p.kind, p.name, p.version, encode(v.digest, 'hex')
FROM ROWS FROM (json_to_recordset($1::json) AS (kind text, name text, version integer)) WITH ORDINALITY
     AS p (kind, name, version, place)
LEFT JOIN artifact_versions v ON v.kind = p.kind AND v.name = p.name AND v.version = p.version
ORDER BY p.place

-- :name release_same
SELECT digest = $3::bytea FROM releases WHERE service = $1 AND name = $2

-- :name release_insert
INSERT INTO releases (service, name, content, digest, behaviour, created_by) VALUES ($1, $2, $3, $4, $5, $6)

-- :name release_pin
INSERT INTO release_artifacts (service, release, kind, name, version)
SELECT $1, $2, p.kind, p.name, p.version FROM json_to_recordset($3::json) AS p (kind text, name text, version integer)

-- One release ($2), or all of a service, newest first.
-- :name release_list
SELECT json_build_object(
           'service', r.service, 'name', r.name, 'digest', encode(r.digest, 'hex'),
           'artifacts', c.content -> 'artifacts', 'parameters', c.content -> 'parameters',
           'changelog', c.content -> 'changelog', 'compatibility', c.content -> 'compatibility',
           'history_compatible', c.content -> 'history_compatible', 'fallback', c.content -> 'fallback',
           'worksheets', c.content -> 'worksheets',
           'created_at', serin_text(r.created_at), 'created_by', r.created_by,
           'baked_at', (SELECT serin_text(b.at) FROM bakes b WHERE b.service = r.service AND b.release = r.name
                        ORDER BY b.id DESC LIMIT 1),
           'stable', EXISTS (SELECT FROM route_state s JOIN routes t ON t.service = s.service AND t.epoch = s.epoch
                             WHERE s.service = r.service AND t.stable = r.name),
           'quarantined', (SELECT json_build_object('since', serin_text(q.since), 'reason', q.reason,
                                                    'rollout', q.rollout)
                           FROM quarantines q WHERE q.id = quarantine_of(r.service, r.name)))::text,
       r.name
FROM releases r
CROSS JOIN LATERAL (SELECT convert_from(r.content, 'UTF8')::json AS content OFFSET 0) c
WHERE r.service = $1 AND ($2::text IS NULL OR r.name = $2::text)
  AND ($3::text IS NULL OR (r.created_at, r.name) < (SELECT a.created_at, a.name FROM releases a
                                                      WHERE a.service = $1 AND a.name = $3::text))
ORDER BY r.created_at DESC, r.name DESC LIMIT $4::integer

-- :name release_content
SELECT convert_from(content, 'UTF8') FROM releases WHERE service = $1 AND name = $2
