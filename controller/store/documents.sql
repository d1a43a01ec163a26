-- :name slos_newest
SELECT json_build_object('service', d.service, 'version', d.version, 'slos', d.document,
                         'created_at', serin_text(d.created_at), 'created_by', d.created_by)::text,
       d.version, d.document::text
FROM slos d WHERE d.service = $1 ORDER BY d.version DESC LIMIT 1

-- :name policy_newest
SELECT json_build_object('service', d.service, 'version', d.version, 'policy', d.document,
                         'created_at', serin_text(d.created_at), 'created_by', d.created_by)::text,
       d.version, d.document::text
FROM policies d WHERE d.service = $1 ORDER BY d.version DESC LIMIT 1

-- Nothing is added when the newest version says the same.
-- :name slos_append
INSERT INTO slos (service, version, document, created_by)
SELECT $1::text, $2::integer + 1, $3::jsonb, $4::text
WHERE NOT EXISTS (SELECT FROM slos WHERE service = $1::text AND version = $2::integer AND document = $3::jsonb)
RETURNING version

-- :name policy_append
INSERT INTO policies (service, version, document, created_by)
SELECT $1::text, $2::integer + 1, $3::jsonb, $4::text
WHERE NOT EXISTS (SELECT FROM policies WHERE service = $1::text AND version = $2::integer AND document = $3::jsonb)
RETURNING version
