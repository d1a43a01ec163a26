-- When the present incarnation began; NULL = with the database. What gateways were told before is not known here: the
-- database was put back.
ALTER TABLE route_rev ADD COLUMN incarnation_at timestamptz;

-- Whom a newest route waits for. Each gateway that is behind, until its lease on canary weight has run out since it was last
-- heard (`lease_s`), or since the present incarnation began (`incarnation_at`) if that is later. NULL: it has never asked for
-- a route, and holds none.
CREATE FUNCTION gateway_lease_end(heard_at timestamptz, incarnation_at timestamptz, lease_s double precision)
RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN $1 > to_timestamp(0) THEN greatest($1, $2) + make_interval(secs => $3) END
$$;

-- Whether a silent gateway can be shown to hold nothing that is to be left for the route `newest`, which has no canary: what
-- it applied is known, and neither that nor any later route that it may have been told of gives weight to a canary or serves
-- another release alone. It may have been told of those that were written up to 60 s after it was last heard, as what is
-- heard is written down later than routes are read, every 5 s for one that waits for a change. Of one that is more than 100
-- routes behind nothing is shown: each turn of the loop asks this of all that are silent.
CREATE FUNCTION gateway_holds_nothing(service text, applied_epoch bigint, heard_at timestamptz, newest bigint, alone text)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT $4 - $2 <= 100
       AND EXISTS (SELECT FROM routes r WHERE r.service = $1 AND r.epoch = $2)
       AND NOT EXISTS (SELECT FROM routes r
                       WHERE r.service = $1 AND r.epoch >= $2 AND r.epoch < $4
                         AND (r.epoch = $2 OR r.written_at < $3 + interval '60 s')
                         AND (r.canary_weight > 0 OR coalesce(r.stable, r.canary) IS DISTINCT FROM $5))
$$;

-- Until when a gateway that is behind is waited for, if it stays silent: for 60 s where the newest route has a canary
-- (`newest`, its `stable` and `canary`), or where it can be shown that the gateway holds nothing that is to be left; else
-- until its lease ends. Of who was not heard since the present incarnation began nothing can be shown.
CREATE FUNCTION gateway_awaited_until(service text, applied_epoch bigint, heard_at timestamptz, newest bigint, stable text,
                                      canary text, incarnation_at timestamptz, lease_s double precision)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN $6 IS NOT NULL THEN $3 + interval '60 s'
        WHEN $3 <= $7 OR $8 <= 60 THEN gateway_lease_end($3, $7, $8)
        WHEN gateway_holds_nothing($1, $2, $3, $4, $5) THEN $3 + interval '60 s'
        ELSE gateway_lease_end($3, $7, $8) END
$$;
