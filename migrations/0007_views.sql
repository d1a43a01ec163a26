-- What the read-only listings need.

-- Seconds of a duration as people write it ("1h30m", "500ms", "2.5s"); NULL if it is not one.
CREATE FUNCTION duration_seconds(duration text) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE WHEN duration ~ '^([0-9]+([.][0-9]+)?(ms|[smhdw]))+$' THEN (
        SELECT sum(part[1]::double precision *
                   CASE part[2] WHEN 'ms' THEN 0.001 WHEN 's' THEN 1 WHEN 'm' THEN 60 WHEN 'h' THEN 3600
                                WHEN 'd' THEN 86400 ELSE 604800 END)
        FROM regexp_matches(duration, '([0-9]+(?:[.][0-9]+)?)(ms|[smhdw])', 'g') AS part
    ) END
$$;

-- Name of an SLI; the order is that of decision/sli.h.
CREATE FUNCTION sli_name(sli integer) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT (ARRAY['refusal', 'content_filter', 'error', 'timeout', 'ttft', 'latency', 'schema_invalid', 'tool_error',
                  'empty_retrieval', 'truncated', 'rate_limited'])[sli + 1]
$$;

CREATE INDEX events_newest ON events (at DESC, seq DESC, id DESC);
CREATE INDEX events_by_rollout_newest ON events (rollout, at DESC, seq DESC, id DESC) WHERE rollout IS NOT NULL;
CREATE INDEX events_by_service_newest ON events (service, at DESC, seq DESC, id DESC);
CREATE INDEX releases_newest ON releases (service, created_at DESC, name DESC);
CREATE INDEX bakes_of_release ON bakes (service, release, id DESC);
CREATE INDEX routes_of_rollout ON routes (rollout, epoch DESC) WHERE rollout IS NOT NULL;
