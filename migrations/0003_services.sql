-- Services, what they are held to, and their releases.
CREATE TABLE services (
    name object_name PRIMARY KEY,
    description text NOT NULL DEFAULT '',
    sticky text NOT NULL DEFAULT 'user' CHECK (sticky IN ('user', 'conversation', 'none')),
    created_at timestamptz NOT NULL DEFAULT serin_now(),
    row_version bigint NOT NULL DEFAULT 1,
    -- head of this service's chain of events; the row's lock orders them
    event_seq bigint NOT NULL DEFAULT 0,
    event_head bytea NOT NULL DEFAULT sha256('serin') CHECK (octet_length(event_head) = 32)
);

CREATE TABLE slos (
    service object_name NOT NULL REFERENCES services,
    version integer NOT NULL CHECK (version >= 1),
    document jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT serin_now(),
    created_by text NOT NULL,
    PRIMARY KEY (service, version)
);
CREATE TRIGGER slos_append_only BEFORE UPDATE OR DELETE ON slos FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE policies (
    service object_name NOT NULL REFERENCES services,
    version integer NOT NULL CHECK (version >= 1),
    document jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT serin_now(),
    created_by text NOT NULL,
    PRIMARY KEY (service, version)
);
CREATE TRIGGER policies_append_only BEFORE UPDATE OR DELETE ON policies FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- content: canonical JSON of the whole release; behaviour: digest of what a request can notice (artifacts, parameters),
-- so that a quarantine meets the same content under any name.
CREATE TABLE releases (
    service object_name NOT NULL REFERENCES services,
    name object_name NOT NULL,
    content bytea NOT NULL,
    digest bytea NOT NULL,
    behaviour bytea NOT NULL CHECK (octet_length(behaviour) = 32),
    created_at timestamptz NOT NULL DEFAULT serin_now(),
    created_by text NOT NULL,
    PRIMARY KEY (service, name),
    CHECK (digest = sha256(content))
);
CREATE TRIGGER releases_immutable BEFORE UPDATE OR DELETE ON releases FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE release_artifacts (
    service object_name NOT NULL,
    release object_name NOT NULL,
    kind text NOT NULL,
    name object_name NOT NULL,
    version integer NOT NULL,
    PRIMARY KEY (service, release, kind, name),
    FOREIGN KEY (service, release) REFERENCES releases,
    FOREIGN KEY (kind, name, version) REFERENCES artifact_versions
);
CREATE TRIGGER release_artifacts_immutable BEFORE UPDATE OR DELETE ON release_artifacts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION release_ready(service text, release text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(bool_and(artifact_ready(a.kind, a.name, a.version)), true)
    FROM release_artifacts a WHERE a.service = $1 AND a.release = $2
$$;
