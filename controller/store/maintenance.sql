-- Minutes that are complete: older than ten minutes, so that late counts are in.
-- :name minutes_due
SELECT minute, floor(extract(epoch FROM serin_now()) / 60)::bigint - 10 FROM observation_minutes_until

-- :name minutes_lock
SELECT minute FROM observation_minutes_until FOR UPDATE SKIP LOCKED

-- :name minutes_sum
INSERT INTO observation_minutes (service, minute, release, admissions, outcomes, n, k, sums, summed)
SELECT service, bucket_s / 60, release, sum(admissions), sum(outcomes),
       ARRAY[sum(n[1]), sum(n[2]), sum(n[3]), sum(n[4]), sum(n[5]), sum(n[6]), sum(n[7]), sum(n[8]), sum(n[9]), sum(n[10]),
             sum(n[11])],
       ARRAY[sum(k[1]), sum(k[2]), sum(k[3]), sum(k[4]), sum(k[5]), sum(k[6]), sum(k[7]), sum(k[8]), sum(k[9]), sum(k[10]),
             sum(k[11])],
       ARRAY[sum(sums[1]), sum(sums[2]), sum(sums[3]), sum(sums[4]), sum(sums[5]), sum(sums[6])],
       ARRAY[sum(summed[1]), sum(summed[2]), sum(summed[3]), sum(summed[4]), sum(summed[5]), sum(summed[6])]
FROM observations WHERE bucket_s >= $1 * 60 AND bucket_s < $2 * 60
GROUP BY service, bucket_s / 60, release
ON CONFLICT DO NOTHING

-- :name minutes_advance
UPDATE observation_minutes_until SET minute = $1

-- :name minutes_expire
DELETE FROM observation_minutes WHERE minute < floor(extract(epoch FROM serin_now()) / 60)::bigint - 35 * 1440

-- :name partitions_make
SELECT observations_partitions()

-- :name keys_expire
DELETE FROM ingest_keys WHERE at < serin_now() - interval '1 day'

-- :name idempotency_expire
DELETE FROM idempotency_keys WHERE at < serin_now() - interval '1 day'

-- A cumulative series that was not exported for an hour begins anew.
-- :name series_expire
DELETE FROM otlp_series WHERE seen_at < serin_now() - interval '1 hour'
