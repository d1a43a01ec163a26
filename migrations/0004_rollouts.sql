-- Rollouts, their evidence, and the routes they write.
CREATE TABLE rollouts (
    id text PRIMARY KEY,
    service object_name NOT NULL REFERENCES services,
    release object_name NOT NULL,
    stable object_name,
    phase text NOT NULL CHECK (phase IN ('pending', 'progressing', 'paused', 'baking', 'completed', 'aborted',
                                         'rolled_back')),
    resume_phase text CHECK (resume_phase IN ('pending', 'progressing', 'baking')),
    step integer NOT NULL DEFAULT 0 CHECK (step >= 0), -- 0 while pending, then 1 ..
    canary_weight weight NOT NULL DEFAULT 0,
    -- frozen when it starts
    plan jsonb NOT NULL,
    policy jsonb NOT NULL,
    slos jsonb NOT NULL,
    salt text NOT NULL,
    fix boolean NOT NULL DEFAULT false,
    retry_of text REFERENCES rollouts,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    -- what happens to it
    rule text NOT NULL,
    reason text NOT NULL,
    unproven boolean NOT NULL DEFAULT false,
    phase_since timestamptz NOT NULL,
    step_entered_at timestamptz,  -- when this step's weight was written
    step_since timestamptz,       -- when the gateways had applied it
    blind_since timestamptz,      -- since when data have been missing; NULL = not
    alarmed integer NOT NULL DEFAULT 0, -- guardrails (1 << sli) whose pause or notice was given
    muted jsonb NOT NULL DEFAULT '[]',
    ended_at timestamptz,
    row_version bigint NOT NULL DEFAULT 1,
    -- who works on it now; a tick whose epoch is not current writes nothing
    lease_owner text,
    lease_epoch bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    FOREIGN KEY (service, release) REFERENCES releases,
    FOREIGN KEY (service, stable) REFERENCES releases,
    CHECK ((phase = 'paused') = (resume_phase IS NOT NULL)),
    CHECK ((phase IN ('completed', 'aborted', 'rolled_back')) = (ended_at IS NOT NULL)),
    CHECK (stable IS DISTINCT FROM release)
);
CREATE UNIQUE INDEX rollouts_one_live ON rollouts (service)
    WHERE phase IN ('pending', 'progressing', 'paused', 'baking');
CREATE INDEX rollouts_by_service ON rollouts (service, id DESC);

CREATE FUNCTION guard_rollout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.service, NEW.release, NEW.stable, NEW.plan, NEW.policy, NEW.slos, NEW.salt, NEW.fix, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.service, OLD.release, OLD.stable, OLD.plan, OLD.policy, OLD.slos, OLD.salt, OLD.fix, OLD.created_at)
    THEN
        RAISE EXCEPTION 'rollout %: what is frozen at the start cannot change', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.ended_at IS NOT NULL AND NEW.phase <> OLD.phase THEN
        RAISE EXCEPTION 'rollout % has ended as %', OLD.id, OLD.phase USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.lease_epoch < OLD.lease_epoch OR NEW.row_version < OLD.row_version THEN
        RAISE EXCEPTION 'rollout %: lease epoch and row version only grow', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER rollouts_guard BEFORE UPDATE ON rollouts FOR EACH ROW EXECUTE FUNCTION guard_rollout();
CREATE TRIGGER rollouts_kept BEFORE DELETE ON rollouts FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE rollout_evidence (
    rollout text PRIMARY KEY REFERENCES rollouts,
    state bytea NOT NULL,          -- decision/evidence.h, versioned codec
    source_state jsonb NOT NULL DEFAULT '{}', -- cursors of a source that is polled
    quality text NOT NULL DEFAULT 'none' CHECK (quality IN ('none', 'cohort', 'aged', 'completion')),
    blocks bigint NOT NULL DEFAULT 0,
    observed_at timestamptz NOT NULL,
    lease_epoch bigint NOT NULL DEFAULT 0
);

CREATE FUNCTION guard_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.lease_epoch < (SELECT lease_epoch FROM rollouts WHERE id = NEW.rollout) THEN
        RAISE EXCEPTION 'rollout %: this lease is over', NEW.rollout USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER rollout_evidence_guard BEFORE INSERT OR UPDATE ON rollout_evidence
    FOR EACH ROW EXECUTE FUNCTION guard_evidence();

CREATE TABLE verdicts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rollout text NOT NULL REFERENCES rollouts,
    sli text NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('pass', 'fail', 'inconclusive', 'no_data', 'error')),
    at timestamptz NOT NULL,
    detail jsonb NOT NULL
);
CREATE INDEX verdicts_newest ON verdicts (rollout, sli, id DESC);
CREATE TRIGGER verdicts_append_only BEFORE UPDATE OR DELETE ON verdicts FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A fail is not forgotten, whatever is measured later.
CREATE FUNCTION guard_verdict() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.verdict <> 'fail' AND EXISTS (SELECT FROM verdicts v WHERE v.rollout = NEW.rollout AND v.sli = NEW.sli
                                                                 AND v.verdict = 'fail') THEN
        RAISE EXCEPTION 'rollout %: % has failed; a fail stays', NEW.rollout, NEW.sli
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER verdicts_monotone BEFORE INSERT ON verdicts FOR EACH ROW EXECUTE FUNCTION guard_verdict();

CREATE TABLE blocks (
    rollout text NOT NULL REFERENCES rollouts,
    seq bigint NOT NULL,
    sli smallint NOT NULL CHECK (sli BETWEEN 0 AND 31),
    start_s double precision NOT NULL,
    length_s double precision NOT NULL,
    weight weight NOT NULL,
    new_step boolean NOT NULL,
    n_c bigint NOT NULL, k_c bigint NOT NULL, n_b bigint NOT NULL, k_b bigint NOT NULL,
    PRIMARY KEY (rollout, seq),
    CHECK (k_c BETWEEN 0 AND n_c AND k_b BETWEEN 0 AND n_b)
);
CREATE TRIGGER blocks_append_only BEFORE UPDATE OR DELETE ON blocks FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Routes: the row holds the canary's weight, stable has the rest, so that they sum to 10,000 by construction. No canary:
-- stable has all. No stable (first release): the canary has all. Neither: the service serves nothing, and says so.
CREATE TABLE routes (
    service object_name NOT NULL REFERENCES services,
    epoch bigint NOT NULL CHECK (epoch >= 1),
    stable object_name,
    canary object_name,
    canary_weight weight NOT NULL DEFAULT 0,
    rollout text REFERENCES rollouts,
    salt text NOT NULL DEFAULT '',
    written_at timestamptz NOT NULL,
    PRIMARY KEY (service, epoch),
    FOREIGN KEY (service, stable) REFERENCES releases,
    FOREIGN KEY (service, canary) REFERENCES releases,
    CHECK (canary IS NOT NULL OR canary_weight = 0),
    CHECK (stable IS NOT NULL OR canary IS NULL OR canary_weight = 10000),
    CHECK (stable IS NULL OR canary IS NULL OR stable <> canary)
);
CREATE TRIGGER routes_append_only BEFORE UPDATE OR DELETE ON routes FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What is true of the newest route of a service.
CREATE TABLE route_state (
    service object_name PRIMARY KEY REFERENCES services,
    epoch bigint NOT NULL,
    rev bigint NOT NULL,
    valid_until timestamptz, -- lease on canary weight; NULL = no canary
    applied_at timestamptz,  -- every live gateway has it
    FOREIGN KEY (service, epoch) REFERENCES routes
);
CREATE INDEX route_state_rev ON route_state (rev);

CREATE FUNCTION guard_route() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.epoch <> coalesce((SELECT max(epoch) FROM routes WHERE service = NEW.service), 0) + 1 THEN
        RAISE EXCEPTION 'service %: epoch % does not follow the last', NEW.service, NEW.epoch
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER routes_epoch BEFORE INSERT ON routes FOR EACH ROW EXECUTE FUNCTION guard_route();

-- When a release was proven by a completed rollout: what a rollback may go back to.
CREATE TABLE bakes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service object_name NOT NULL,
    release object_name NOT NULL,
    rollout text NOT NULL REFERENCES rollouts,
    at timestamptz NOT NULL,
    FOREIGN KEY (service, release) REFERENCES releases
);
CREATE INDEX bakes_newest ON bakes (service, id DESC);
CREATE TRIGGER bakes_append_only BEFORE UPDATE OR DELETE ON bakes FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE quarantines (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service object_name NOT NULL REFERENCES services,
    behaviour bytea NOT NULL,
    rollout text NOT NULL REFERENCES rollouts,
    reason text NOT NULL,
    since timestamptz NOT NULL,
    lifted_at timestamptz,
    lifted_by text,
    lift_reason text,
    CHECK ((lifted_at IS NULL) = (lift_reason IS NULL) AND (lifted_at IS NULL) = (lifted_by IS NULL))
);
CREATE UNIQUE INDEX quarantines_active ON quarantines (service, behaviour) WHERE lifted_at IS NULL;

CREATE FUNCTION quarantine_of(service text, release text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT q.id FROM releases r JOIN quarantines q ON q.service = r.service AND q.behaviour = r.behaviour
    WHERE r.service = $1 AND r.name = $2 AND q.lifted_at IS NULL
$$;

CREATE TABLE freezes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason text NOT NULL,
    since timestamptz NOT NULL,
    by text NOT NULL,
    lifted_at timestamptz,
    lifted_by text
);
CREATE UNIQUE INDEX freezes_one ON freezes ((true)) WHERE lifted_at IS NULL;
