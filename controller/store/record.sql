-- The events of a rollout that hold a decision, oldest first: the body as it was hashed, its hash and the one before it.
-- :name record_decisions
SELECT left(e.body, -1) || ',"hash":"' || encode(e.hash, 'hex') || '","prev_hash":"' || encode(e.prev_hash, 'hex') || '"}',
       e.seq
FROM events e
WHERE e.rollout = $1 AND ($2::text IS NULL OR e.seq > $2::bigint) AND e.body::jsonb #> '{data,inputs}' IS NOT NULL
ORDER BY e.seq LIMIT $3::integer

-- The other events of the service's chain between the rollout's first event and its decision with the number $2: with them
-- the decisions stand in an unbroken chain, so that one that was taken out is missed.
-- :name record_links
SELECT json_build_object('seq', e.seq, 'hash', encode(e.hash, 'hex'), 'prev_hash', encode(e.prev_hash, 'hex'))::text, e.seq
FROM events e
WHERE coalesce(e.service, '') = (SELECT r.service FROM rollouts r WHERE r.id = $1)
  AND e.seq >= (SELECT min(f.seq) FROM events f WHERE f.rollout = $1) AND e.seq < $2::bigint
  AND NOT (e.rollout IS NOT DISTINCT FROM $1 AND e.body::jsonb #> '{data,inputs}' IS NOT NULL)
  AND ($3::text IS NULL OR e.seq > $3::bigint)
ORDER BY e.seq LIMIT $4::integer

-- From where to where that part of the chain goes.
-- :name record_span
SELECT f.seq, encode(f.prev_hash, 'hex'), l.seq, encode(l.hash, 'hex')
FROM (SELECT e.seq, e.prev_hash, e.service FROM events e WHERE e.rollout = $1 ORDER BY e.seq LIMIT 1) f
JOIN events l ON coalesce(l.service, '') = coalesce(f.service, '') AND l.seq = $2

-- :name record_verdicts
SELECT json_build_object('sli', v.sli, 'verdict', v.verdict, 'at', serin_text(v.at), 'detail', v.detail)::text, v.id
FROM verdicts v
WHERE v.rollout = $1 AND ($2::text IS NULL OR v.id > $2::bigint)
ORDER BY v.id LIMIT $3::integer

-- :name record_split_blocks
SELECT json_build_object('seq', b.seq, 'start_s', b.start_s, 'n_c', b.n_c, 'n', b.n, 'w_lo', b.w_lo, 'w_hi', b.w_hi,
                         'new_step', b.new_step)::text, b.seq
FROM split_blocks b
WHERE b.rollout = $1 AND ($2::text IS NULL OR b.seq > $2::bigint)
ORDER BY b.seq LIMIT $3::integer
