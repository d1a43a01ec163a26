-- :name service_insert
INSERT INTO services (name, description, sticky) VALUES ($1, coalesce($2::text, ''), coalesce($3::text, 'user'))
ON CONFLICT DO NOTHING RETURNING row_version

-- The gateway port learns of a new service at once, not with its next look a second later.
-- :name service_notify
SELECT pg_notify('serin_routes', $1::text)

-- :name service_hold
SELECT s.row_version, s.sticky,
       EXISTS (SELECT FROM rollouts r WHERE r.service = s.name
               AND r.phase IN ('pending', 'progressing', 'paused', 'baking'))
FROM services s WHERE s.name = $1 FOR UPDATE OF s

-- :name service_change
UPDATE services SET description = coalesce($2::text, description), sticky = coalesce($3::text, sticky),
                    row_version = row_version + 1
WHERE name = $1 AND (description, sticky) IS DISTINCT FROM (coalesce($2::text, description), coalesce($3::text, sticky))
RETURNING row_version

-- :name service_exists
SELECT name FROM services WHERE name = $1

-- One service ($1), or all by name.
-- :name service_list
SELECT json_build_object(
           'name', s.name, 'description', s.description, 'sticky', s.sticky,
           'stable', (SELECT r.stable FROM route_state n JOIN routes r ON r.service = n.service AND r.epoch = n.epoch
                      WHERE n.service = s.name),
           'live_rollout', (SELECT r.id FROM rollouts r WHERE r.service = s.name
                            AND r.phase IN ('pending', 'progressing', 'paused', 'baking')),
           'created_at', serin_text(s.created_at))::text,
       s.name, s.row_version
FROM services s
WHERE ($1::text IS NULL OR s.name = $1::text) AND ($2::text IS NULL OR s.name > $2::text)
ORDER BY s.name LIMIT $3::integer
