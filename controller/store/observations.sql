-- :name observations_claim
INSERT INTO ingest_keys (gateway, key)
SELECT e.gateway, e.key FROM unnest($1::text[], $2::text[]) AS e (gateway, key)
ON CONFLICT DO NOTHING RETURNING gateway, key

-- :name observations_add
INSERT INTO observations AS o (service, bucket_s, release, gateway, admissions, outcomes, late_outcomes,
                               n, k, late, sums, summed, stratum, absent, interval_s)
SELECT e.service, e.bucket_s, e.release, e.gateway, e.admissions, e.outcomes, e.late_outcomes,
       e.n::bigint[], e.k::bigint[], e.late::bigint[], e.sums::double precision[], e.summed::bigint[], e.stratum, e.absent::bigint[],
       e.interval_s
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
            $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[])
     AS e (service, bucket_s, release, gateway, admissions, outcomes, late_outcomes, n, k, late, sums, summed, stratum,
           absent, interval_s)
ON CONFLICT (service, bucket_s, release, gateway, stratum) DO UPDATE SET
    admissions = o.admissions + excluded.admissions,
    outcomes = o.outcomes + excluded.outcomes,
    late_outcomes = o.late_outcomes + excluded.late_outcomes,
    interval_s = greatest(o.interval_s, excluded.interval_s),
    n = ARRAY[o.n[1] + excluded.n[1], o.n[2] + excluded.n[2], o.n[3] + excluded.n[3], o.n[4] + excluded.n[4],
              o.n[5] + excluded.n[5], o.n[6] + excluded.n[6], o.n[7] + excluded.n[7], o.n[8] + excluded.n[8],
              o.n[9] + excluded.n[9], o.n[10] + excluded.n[10], o.n[11] + excluded.n[11]],
    k = ARRAY[o.k[1] + excluded.k[1], o.k[2] + excluded.k[2], o.k[3] + excluded.k[3], o.k[4] + excluded.k[4],
              o.k[5] + excluded.k[5], o.k[6] + excluded.k[6], o.k[7] + excluded.k[7], o.k[8] + excluded.k[8],
              o.k[9] + excluded.k[9], o.k[10] + excluded.k[10], o.k[11] + excluded.k[11]],
    late = ARRAY[o.late[1] + excluded.late[1], o.late[2] + excluded.late[2], o.late[3] + excluded.late[3],
                 o.late[4] + excluded.late[4], o.late[5] + excluded.late[5], o.late[6] + excluded.late[6],
                 o.late[7] + excluded.late[7], o.late[8] + excluded.late[8], o.late[9] + excluded.late[9],
                 o.late[10] + excluded.late[10], o.late[11] + excluded.late[11]],
    absent = ARRAY[o.absent[1] + excluded.absent[1], o.absent[2] + excluded.absent[2], o.absent[3] + excluded.absent[3],
                   o.absent[4] + excluded.absent[4], o.absent[5] + excluded.absent[5], o.absent[6] + excluded.absent[6],
                   o.absent[7] + excluded.absent[7], o.absent[8] + excluded.absent[8], o.absent[9] + excluded.absent[9],
                   o.absent[10] + excluded.absent[10], o.absent[11] + excluded.absent[11]],
    sums = ARRAY[o.sums[1] + excluded.sums[1], o.sums[2] + excluded.sums[2], o.sums[3] + excluded.sums[3],
                 o.sums[4] + excluded.sums[4], o.sums[5] + excluded.sums[5], o.sums[6] + excluded.sums[6]],
    summed = ARRAY[o.summed[1] + excluded.summed[1], o.summed[2] + excluded.summed[2], o.summed[3] + excluded.summed[3],
                   o.summed[4] + excluded.summed[4], o.summed[5] + excluded.summed[5], o.summed[6] + excluded.summed[6]]

-- A gateway that has never asked for a route (heard_at 1970) only reports.
-- :name observations_reported
INSERT INTO gateways AS g (service, instance, heard_at, reported_at)
SELECT e.service, e.instance, to_timestamp(0), serin_now() FROM unnest($1::text[], $2::text[]) AS e (service, instance)
ON CONFLICT (service, instance) DO UPDATE SET
    reported_at = excluded.reported_at,
    heard_at = CASE WHEN g.heard_at > to_timestamp(0) THEN greatest(g.heard_at, excluded.reported_at)
                    ELSE g.heard_at END
