-- Releases that a rollback has left: not gone back to until they are baked anew.
CREATE TABLE departures (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service object_name NOT NULL,
    release object_name NOT NULL,
    bake bigint NOT NULL, -- the newest bake of the service when it was left
    at timestamptz NOT NULL,
    FOREIGN KEY (service, release) REFERENCES releases
);
CREATE INDEX departures_by_release ON departures (service, release, bake DESC);
CREATE TRIGGER departures_append_only BEFORE UPDATE OR DELETE ON departures
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The incarnation that a live rollout was last seen in. An older one than route_rev's means that the database was put back
-- behind what gateways were given: such a rollout is paused, with stable at 10,000.
ALTER TABLE rollouts ADD COLUMN incarnation integer NOT NULL DEFAULT 1;
