-- Artifact versions: immutable and content-addressed.
CREATE TABLE artifacts (
    kind text NOT NULL CHECK (kind IN ('prompt', 'tool', 'corpus', 'model')),
    name object_name NOT NULL,
    created_at timestamptz NOT NULL DEFAULT serin_now(),
    PRIMARY KEY (kind, name)
);

CREATE TABLE artifact_versions (
    kind text NOT NULL,
    name object_name NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    digest bytea NOT NULL,
    content bytea NOT NULL, -- canonical: RFC 8785 for JSON, the bytes for text
    media_type text NOT NULL CHECK (media_type IN ('application/json', 'text/plain')),
    changelog text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT serin_now(),
    created_by text NOT NULL,
    PRIMARY KEY (kind, name, version),
    UNIQUE (kind, name, digest),
    FOREIGN KEY (kind, name) REFERENCES artifacts,
    CHECK (digest = sha256(content))
);
CREATE INDEX artifact_versions_digest ON artifact_versions (digest);
CREATE TRIGGER artifact_versions_immutable BEFORE UPDATE OR DELETE ON artifact_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Whether the index of a corpus version may serve. The newest row counts.
CREATE TABLE corpus_readiness (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL DEFAULT 'corpus' CHECK (kind = 'corpus'),
    name object_name NOT NULL,
    version integer NOT NULL,
    ready boolean NOT NULL,
    at timestamptz NOT NULL DEFAULT serin_now(),
    by text NOT NULL,
    FOREIGN KEY (kind, name, version) REFERENCES artifact_versions
);
CREATE INDEX corpus_readiness_newest ON corpus_readiness (name, version, id DESC);
CREATE TRIGGER corpus_readiness_append_only BEFORE UPDATE OR DELETE ON corpus_readiness
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION artifact_ready(kind text, name text, version integer) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT $1 <> 'corpus' OR coalesce((SELECT r.ready FROM corpus_readiness r
                                       WHERE r.name = $2 AND r.version = $3 ORDER BY r.id DESC LIMIT 1), false)
$$;
