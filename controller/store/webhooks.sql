-- :name webhook_insert
INSERT INTO webhooks (id, url, service, secret) VALUES ($1, $2, $3, $4)

-- One webhook ($1), or all, newest first.
-- :name webhook_list
SELECT json_build_object(
           'id', w.id, 'url', w.url, 'service', w.service, 'created_at', serin_text(w.created_at),
           'disabled_at', serin_text(w.disabled_at),
           'pending', (SELECT count(*) FROM outbox o WHERE o.webhook = w.id AND o.delivered_at IS NULL
                       AND o.given_up_at IS NULL),
           'last_delivered_at', (SELECT serin_text(max(o.delivered_at)) FROM outbox o WHERE o.webhook = w.id),
           'last_error', (SELECT o.last_error FROM outbox o WHERE o.webhook = w.id AND o.last_error IS NOT NULL
                          ORDER BY o.event DESC LIMIT 1))::text,
       w.id
FROM webhooks w
WHERE ($1::text IS NULL OR w.id = $1::text) AND ($2::text IS NULL OR w.id < $2::text)
ORDER BY w.id DESC LIMIT $3::integer

-- :name webhook_disable
UPDATE webhooks SET disabled_at = serin_now() WHERE id = $1 AND disabled_at IS NULL RETURNING url, service

-- :name webhook_drop_pending
UPDATE outbox SET given_up_at = serin_now()
WHERE webhook = $1 AND delivered_at IS NULL AND given_up_at IS NULL
