-- When a gateway was first heard with the epoch that it has applied.
ALTER TABLE gateways ADD COLUMN applied_at timestamptz;
