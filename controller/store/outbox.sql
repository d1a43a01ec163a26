-- :name outbox_claim
-- A place in its webhook's queue first, so that each webhook has a turn before any has a second. The lease is in real
-- time, whatever the rate of the clock: it covers the sending of one batch.
WITH moment AS MATERIALIZED (SELECT serin_now() AS now, rate FROM clock),
due AS MATERIALIZED (
    SELECT q.event, q.webhook FROM webhooks w CROSS JOIN LATERAL (
        SELECT o.event, o.webhook FROM outbox o
        WHERE o.webhook = w.id AND o.delivered_at IS NULL AND o.given_up_at IS NULL
          AND o.next_attempt_at <= (SELECT now FROM moment)
        ORDER BY o.next_attempt_at, o.event LIMIT $1 FOR UPDATE OF o SKIP LOCKED) q
    WHERE w.disabled_at IS NULL AND w.id <> ALL ($2::text[])),
chosen AS (
    SELECT event, webhook FROM (SELECT event, webhook, row_number() OVER (PARTITION BY webhook ORDER BY event) AS place
                                FROM due) ranked
    ORDER BY place, event LIMIT $1),
claimed AS (
    UPDATE outbox o SET attempts = o.attempts + 1,
                        next_attempt_at = m.now + make_interval(secs => $3::double precision * m.rate)
    FROM chosen c, moment m WHERE o.event = c.event AND o.webhook = c.webhook
    RETURNING o.event, o.webhook, o.attempts)
SELECT c.event, c.webhook, c.attempts, e.type, serin_text(e.at), e.body, w.url, w.secret,
       row_number() OVER (PARTITION BY c.webhook ORDER BY c.event),
       coalesce(e.body::jsonb -> 'data' ->> 'decision', CASE WHEN e.body::jsonb ->> 'rule' IS NOT NULL THEN e.id END)
FROM claimed c JOIN events e ON e.id = c.event JOIN webhooks w ON w.id = c.webhook
ORDER BY 9, c.event

-- :name outbox_delivered
UPDATE outbox SET delivered_at = serin_now(), next_attempt_at = NULL, last_error = NULL
WHERE event = $1 AND webhook = $2 AND delivered_at IS NULL

-- :name outbox_failed
-- Only if nobody has claimed it since: that one's outcome counts.
UPDATE outbox SET next_attempt_at = serin_now() + make_interval(secs => $4::double precision), last_error = $5
WHERE event = $1 AND webhook = $2 AND attempts = $3 AND delivered_at IS NULL AND given_up_at IS NULL

-- :name outbox_given_up
UPDATE outbox SET given_up_at = serin_now(), next_attempt_at = NULL, last_error = $4
WHERE event = $1 AND webhook = $2 AND attempts = $3 AND delivered_at IS NULL AND given_up_at IS NULL

-- :name outbox_put_back
UPDATE outbox SET attempts = attempts - 1, next_attempt_at = serin_now()
WHERE event = $1 AND webhook = $2 AND attempts = $3 AND delivered_at IS NULL AND given_up_at IS NULL

-- :name outbox_disable
WITH disabled AS (UPDATE webhooks SET disabled_at = serin_now() WHERE id = $1 AND disabled_at IS NULL)
UPDATE outbox SET given_up_at = serin_now(), next_attempt_at = NULL, last_error = $2
WHERE webhook = $1 AND delivered_at IS NULL AND given_up_at IS NULL

-- :name outbox_expire
-- What a webhook that is down for days never got its turn with.
UPDATE outbox o SET given_up_at = serin_now(), next_attempt_at = NULL,
                    last_error = coalesce(o.last_error || '; ', '') || 'not delivered within ' || $1::text || ' days'
FROM events e
WHERE e.id = o.event AND o.delivered_at IS NULL AND o.given_up_at IS NULL
  AND o.next_attempt_at <= (SELECT serin_now()) AND e.at < (SELECT serin_now() - make_interval(days => $1::integer))
