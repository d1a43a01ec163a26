-- Not every gateway can apply every weight: one applies the multiples of weight_step (1/10,000), and of another weight the
-- next lower one that is.
ALTER TABLE gateways ADD COLUMN weight_step integer NOT NULL DEFAULT 1 CHECK (weight_step BETWEEN 1 AND 10000);

-- A weight as people read it: 20 is '0.2 %'.
CREATE FUNCTION weight_text(weight integer) RETURNS text IMMUTABLE LANGUAGE sql
    AS $$ SELECT trim_scale(weight / 100.0)::text || ' %' $$;
