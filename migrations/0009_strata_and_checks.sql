-- One statement, one time. As a volatile function it was asked again for each row, and no bound made of it could use an
-- index or leave out a partition.
ALTER FUNCTION serin_now() STABLE;

-- Strata: classes of requests that are compared each with itself; '' = what the policy does not declare.
ALTER TABLE observations ADD COLUMN stratum text NOT NULL DEFAULT '' CHECK (length(stratum) <= 64);
ALTER TABLE observations DROP CONSTRAINT observations_pkey;
ALTER TABLE observations ADD PRIMARY KEY (service, bucket_s, release, gateway, stratum);

-- Outcomes that came in time, but without the SLI.
ALTER TABLE observations ADD COLUMN absent bigint[] NOT NULL DEFAULT '{0,0,0,0,0,0,0,0,0,0,0}'
    CHECK (cardinality(absent) = 11);

-- n_c .. k_b stay the sums. strata: n_c, k_c, n_b, k_b of each stratum, NULL where there is one. coverage: outcomes that
-- arrived, and those of them without the SLI, of canary and of stable; NULL where nothing is known.
ALTER TABLE blocks ADD COLUMN strata bigint[];
ALTER TABLE blocks ADD COLUMN coverage bigint[];
ALTER TABLE blocks ADD CHECK (cardinality(strata) % 4 = 0 AND cardinality(strata) BETWEEN 8 AND 64);
ALTER TABLE blocks ADD CHECK (cardinality(coverage) = 4 AND coverage[2] BETWEEN 0 AND coverage[1]
                              AND coverage[4] BETWEEN 0 AND coverage[3]);

-- Blocks of the split check: canary's admissions of all, and the weights that gateways may have applied meanwhile.
CREATE TABLE split_blocks (
    rollout text NOT NULL REFERENCES rollouts,
    seq bigint NOT NULL,
    start_s double precision NOT NULL,
    n_c bigint NOT NULL,
    n bigint NOT NULL,
    w_lo double precision NOT NULL,
    w_hi double precision NOT NULL,
    new_step boolean NOT NULL,
    PRIMARY KEY (rollout, seq),
    CHECK (n_c BETWEEN 0 AND n),
    CHECK (w_lo BETWEEN 0 AND w_hi AND w_hi <= 1)
);
CREATE TRIGGER split_blocks_append_only BEFORE UPDATE OR DELETE ON split_blocks
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- When requests were seen, after this route was applied by every gateway, of a release that it does not name.
ALTER TABLE route_state ADD COLUMN stray_at timestamptz;
