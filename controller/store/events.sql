-- :name event_head_service
SELECT event_seq, event_head, serin_text(serin_now()) FROM services WHERE name = $1 FOR UPDATE

-- :name event_head_system
SELECT event_seq, event_head, serin_text(serin_now()) FROM system FOR UPDATE

-- :name event_insert
INSERT INTO events (id, service, seq, at, type, rollout, body, prev_hash, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- :name event_advance_service
UPDATE services SET event_seq = $2, event_head = $3 WHERE name = $1

-- :name event_advance_system
UPDATE system SET event_seq = $1, event_head = $2

-- :name event_outbox
INSERT INTO outbox (event, webhook, next_attempt_at)
SELECT $1::text, w.id, serin_now() FROM webhooks w
WHERE w.disabled_at IS NULL AND (w.service IS NULL OR w.service = $2::text)

-- The decision that wrote an epoch: of the events that name it the first, among the newest of the service.
-- :name event_decision
SELECT e.id FROM (SELECT id, seq, body::jsonb AS body FROM events WHERE service = $1 ORDER BY id DESC LIMIT 200) e
WHERE e.body ->> 'rule' IS NOT NULL AND (e.body -> 'data' ->> 'epoch')::bigint = $2
ORDER BY e.seq LIMIT 1
