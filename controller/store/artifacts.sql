-- :name artifact_add
INSERT INTO artifacts (kind, name) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- :name artifact_lock
SELECT kind FROM artifacts WHERE kind = $1 AND name = $2 FOR UPDATE

-- :name artifact_same
SELECT version FROM artifact_versions WHERE kind = $1 AND name = $2 AND digest = $3

-- :name artifact_insert
INSERT INTO artifact_versions (kind, name, version, digest, content, media_type, changelog, created_by)
SELECT $1::text, $2::text, coalesce(max(version), 0) + 1, $3::bytea, $4::bytea, $5::text, $6::text, $7::text
FROM artifact_versions WHERE kind = $1::text AND name = $2::text
RETURNING version

-- :name artifact_list
SELECT json_build_object(
           'kind', a.kind, 'name', a.name,
           'latest', json_build_object('kind', v.kind, 'name', v.name, 'version', v.version,
                                       'digest', encode(v.digest, 'hex'), 'media_type', v.media_type,
                                       'size_bytes', octet_length(v.content), 'changelog', v.changelog,
                                       'created_at', serin_text(v.created_at), 'created_by', v.created_by,
                                       'ready', artifact_ready(v.kind, v.name, v.version)),
           'versions', v.version)::text,
       a.kind || '/' || a.name
FROM artifacts a
JOIN LATERAL (SELECT * FROM artifact_versions n WHERE n.kind = a.kind AND n.name = a.name
              ORDER BY n.version DESC LIMIT 1) v ON true
WHERE ($1::text IS NULL OR a.kind = $1::text)
  AND ($2::text IS NULL OR (a.kind, a.name) > (split_part($2, '/', 1), split_part($2, '/', 2)))
ORDER BY a.kind, a.name LIMIT $3::integer

-- :name artifact_versions
SELECT json_build_object('kind', v.kind, 'name', v.name, 'version', v.version, 'digest', encode(v.digest, 'hex'),
                         'media_type', v.media_type, 'size_bytes', octet_length(v.content), 'changelog', v.changelog,
                         'created_at', serin_text(v.created_at), 'created_by', v.created_by,
                         'ready', artifact_ready(v.kind, v.name, v.version))::text,
       v.version
FROM artifact_versions v
WHERE v.kind = $1 AND v.name = $2 AND ($3::text IS NULL OR v.version < $3::bigint)
ORDER BY v.version DESC LIMIT $4::integer

-- One version (NULL: the newest); $4: with its content.
-- :name artifact_version
SELECT CASE WHEN $4::boolean
            THEN left(d.document, -1) || ', "content" : ' ||
                 CASE v.media_type WHEN 'text/plain' THEN to_json(convert_from(v.content, 'UTF8'))::text
                                   ELSE convert_from(v.content, 'UTF8') END || '}'
            ELSE d.document END
FROM artifact_versions v
CROSS JOIN LATERAL (
    SELECT json_build_object('kind', v.kind, 'name', v.name, 'version', v.version, 'digest', encode(v.digest, 'hex'),
                             'media_type', v.media_type, 'size_bytes', octet_length(v.content),
                             'changelog', v.changelog, 'created_at', serin_text(v.created_at),
                             'created_by', v.created_by, 'ready', artifact_ready(v.kind, v.name, v.version))::text
           AS document) d
WHERE v.kind = $1 AND v.name = $2 AND ($3::integer IS NULL OR v.version = $3::integer)
ORDER BY v.version DESC LIMIT 1

-- :name artifact_content
SELECT media_type, convert_from(content, 'UTF8') FROM artifact_versions WHERE kind = $1 AND name = $2 AND version = $3

-- :name corpus_state
SELECT version, artifact_ready(kind, name, version) FROM artifact_versions
WHERE kind = 'corpus' AND name = $1 AND ($2::integer IS NULL OR version = $2::integer)
ORDER BY version DESC LIMIT 1

-- :name corpus_report
INSERT INTO corpus_readiness (name, version, ready, by) VALUES ($1, $2, $3, $4)
