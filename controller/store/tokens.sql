-- :name token_insert
INSERT INTO tokens (id, name, role, secret_sha256) VALUES ($1, $2, $3, $4)

-- One token ($1), or all, newest first.
-- :name token_list
SELECT json_build_object('id', t.id, 'name', t.name, 'role', t.role, 'created_at', serin_text(t.created_at),
                         'revoked_at', serin_text(t.revoked_at))::text,
       t.id
FROM tokens t
WHERE ($1::text IS NULL OR t.id = $1::text) AND ($2::text IS NULL OR t.id < $2::text)
ORDER BY t.id DESC LIMIT $3::integer

-- :name token_revoke
UPDATE tokens SET revoked_at = serin_now() WHERE id = $1 AND revoked_at IS NULL RETURNING name, role

-- :name token_find
SELECT id, name, role FROM tokens WHERE secret_sha256 = $1 AND revoked_at IS NULL

-- :name token_any
SELECT EXISTS (SELECT FROM tokens WHERE revoked_at IS NULL AND role = 'admin')
