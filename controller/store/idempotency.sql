-- One request with a key at a time; ends with the transaction.
-- :name idempotency_lock
SELECT pg_try_advisory_xact_lock(hashtextextended($1::text || ' ' || $2::text, 5351))

-- :name idempotency_find
SELECT request, status, body, etag FROM idempotency_keys
WHERE token = $1 AND key = $2 AND at > serin_now() - interval '24 hours'

-- :name idempotency_store
INSERT INTO idempotency_keys (token, key, request, status, body, etag) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (token, key) DO UPDATE SET request = excluded.request, status = excluded.status, body = excluded.body,
                                       etag = excluded.etag, at = excluded.at
