-- Coverage is counted by stratum, as the outcomes are: four numbers a stratum.
ALTER TABLE blocks DROP CONSTRAINT blocks_coverage_check;
ALTER TABLE blocks ADD CONSTRAINT blocks_coverage_check
    CHECK (cardinality(coverage) % 4 = 0 AND cardinality(coverage) BETWEEN 4 AND 64
           AND coverage[2] BETWEEN 0 AND coverage[1] AND coverage[4] BETWEEN 0 AND coverage[3]);
