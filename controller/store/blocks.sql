-- :name blocks_insert
INSERT INTO blocks (rollout, seq, sli, start_s, length_s, weight, new_step, n_c, k_c, n_b, k_b, strata, coverage)
SELECT $1::text, e.seq, e.sli, e.start_s, e.length_s, e.weight, e.new_step, e.n_c, e.k_c, e.n_b, e.k_b,
       e.strata::bigint[], e.coverage::bigint[]
FROM unnest($2::bigint[], $3::smallint[], $4::double precision[], $5::double precision[], $6::integer[], $7::boolean[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[])
     AS e (seq, sli, start_s, length_s, weight, new_step, n_c, k_c, n_b, k_b, strata, coverage)

-- :name blocks_read
SELECT sli, start_s, length_s, weight, new_step, n_c, k_c, n_b, k_b, coalesce(strata::text, ''), coalesce(coverage::text, '')
FROM blocks WHERE rollout = $1 AND seq > $2 ORDER BY seq LIMIT $3

-- :name split_blocks_insert
INSERT INTO split_blocks (rollout, seq, start_s, n_c, n, w_lo, w_hi, new_step) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- :name split_blocks_read
SELECT start_s, n_c, n, w_lo, w_hi, new_step FROM split_blocks WHERE rollout = $1 AND seq > $2
ORDER BY seq LIMIT $3
