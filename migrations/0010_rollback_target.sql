-- Releases that a person went to by name (rollback --to): that a rollback had left them before no longer counts.
CREATE TABLE returns (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service object_name NOT NULL,
    release object_name NOT NULL,
    departure bigint NOT NULL, -- the newest departure at that time: this and all before are void for the release
    at timestamptz NOT NULL,
    FOREIGN KEY (service, release) REFERENCES releases
);
CREATE INDEX returns_by_release ON returns (service, release, departure DESC);
CREATE TRIGGER returns_append_only BEFORE UPDATE OR DELETE ON returns FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The id of the newest bake of a release, NULL = it never completed a rollout.
CREATE FUNCTION newest_bake(service text, release text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT max(b.id) FROM bakes b WHERE b.service = $1 AND b.release = $2
$$;

-- Why a rollback of the service, with $3 as its stable release (NULL = none), does not go to release $2 by itself: 'stable',
-- 'quarantined', 'never_baked', 'left' by a rollback, or 'newer' than the stable one; NULL = it may. The rollback target is the
-- newest baked release for which this is NULL.
CREATE FUNCTION rollback_skip(service text, release text, stable text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN $2 = $3 THEN 'stable'
        WHEN quarantine_of($1, $2) IS NOT NULL THEN 'quarantined'
        WHEN newest_bake($1, $2) IS NULL THEN 'never_baked'
        WHEN EXISTS (SELECT FROM departures d
                     WHERE d.service = $1 AND d.release = $2 AND d.bake >= newest_bake($1, $2)
                       AND d.id > coalesce((SELECT max(r.departure) FROM returns r
                                            WHERE r.service = $1 AND r.release = $2), 0)) THEN 'left'
        WHEN newest_bake($1, $2) > newest_bake($1, $3) THEN 'newer'
    END
$$;
