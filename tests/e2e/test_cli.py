"""The command line `serin` against a real daemon: what people type, what they see, and how it ends."""
import json
import os
import pty
import re
import select
import subprocess
import textwrap
import time

import pytest

import serin
from serin import CLI, first_release, service, wait_for

SLOW = {"plan": {"steps": [{"weight": "12.5%", "bake": "1h"}, {"weight": "50%", "bake": "90m"},
                           {"weight": "100%", "bake": "1h"}]}}
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    """No file of the user and no variable of the caller has a say."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("SERIN_URL", "SERIN_TOKEN", "SERIN_TOKEN_FILE", "SERIN_CA_FILE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def client(world):
    return world.client()


@pytest.fixture
def run(world):
    def call(*words, code=0, role="admin", stdin=None):
        return serin.cli(world.daemon, world.tokens[role], *words, check=code, stdin=stdin, timeout=60)
    return call


def bare(*words, stdin=None, timeout=60, **env):
    """With this environment alone."""
    kept = {name: os.environ[name] for name in ("PATH", "XDG_CONFIG_HOME", "HOME", "LANG") if name in os.environ}
    return subprocess.run([CLI, *words], env={**kept, **env}, capture_output=True, text=True, timeout=timeout, input=stdin)


def of(world, role="admin"):
    return {"SERIN_URL": f"http://{world.daemon.control}", "SERIN_TOKEN": world.tokens[role]}


def prepared(client, name, releases=("v1", "v2")):
    service(client, name, policy=SLOW, releases=releases)
    first_release(client, name)


def live(client, name, release="v2"):
    rollout = client.post(f"/v1/services/{name}/rollouts", {"release": release, "allow_no_gateway": True})["id"]
    wait_for("serving", lambda: client.get(f"/v1/rollouts/{rollout}")["weight"] > 0)
    return rollout


# --- apply ----------------------------------------------------------------------------------------------------------------

APP = """
kind: Release          # the order of documents does not matter
service: desk
name: v1
artifacts: [prompt/desk, model/desk, tool/desk@1]
changelog: |
  The first.
  It has two lines.
fallback:
  default: {message: "Sorry.", action: "Try again."}
parameters: {temperature: 0.2, on: yes, "no": "off"}
---
kind: Artifact
name: prompt/desk
file: prompts/desk.txt
changelog: first
---
kind: Artifact
name: model/desk
content: {provider: sim, model: m-1}
---
kind: Artifact
name: tool/desk
file: tools/search.json
---
kind: Policy
service: desk
plan: {steps: [{weight: 12.5%, bake: 1h}, {weight: 50%, bake: 90m}, {weight: 100%, bake: 1h}]}
guardrails:
  refusal: {maturity: 1s, budget_share: 0}
expected_rps: 50
---
kind: Slos
service: desk
slos:
  refusal: {objective: 90}
  ttft: {objective: 95, threshold: 2s}
---
kind: Service
name: desk
description: the help desk
sticky: conversation
"""


@pytest.fixture
def app(tmp_path):
    (tmp_path / "prompts").mkdir()
    (tmp_path / "tools").mkdir()
    (tmp_path / "prompts" / "desk.txt").write_text("You help.\n  Be brief. 🐦\n", encoding="utf-8")
    (tmp_path / "tools" / "search.json").write_text('{"name": "search", "parameters": {"type": "object"}}')
    path = tmp_path / "app.yaml"
    path.write_text(APP, encoding="utf-8")
    return path


def test_apply_makes_what_the_file_says_and_twice_is_once(run, client, app):
    lines = run("apply", "-f", str(app)).stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["service", "desk", "created"], ["slos", "desk", "created"], ["policy", "desk", "created"],
        ["prompt/desk@1", "created"],
        ["model/desk@1", "created"], ["tool/desk@1", "created"], ["release", "desk", "v1", "created"]]
    assert client.get("/v1/services/desk")["sticky"] == "conversation"
    assert client.get("/v1/services/desk/slos")["slos"]["ttft"]["objective"] == 95
    assert [s["weight"] for s in client.get("/v1/services/desk/policy")["policy"]["plan"]["steps"]] in ([1250, 5000, 10000], ["12.5%", "50%", "100%"])
    assert client.get("/v1/artifacts/prompt/desk/versions/1")["content"] == "You help.\n  Be brief. 🐦\n"
    release = client.get("/v1/services/desk/releases/v1")
    assert release["changelog"] == "The first.\nIt has two lines.\n" and release["parameters"]["temperature"] == 0.2
    assert release["parameters"]["no"] == "off"
    events = len(client.get("/v1/events?service=desk&limit=200")["items"])
    again = run("apply", "-f", str(app)).stdout.splitlines()
    assert len(again) == 7 and all(line.endswith(" unchanged") for line in again)
    assert len(client.get("/v1/events?service=desk&limit=200")["items"]) == events
    assert client.get("/v1/services/desk/policy")["version"] == client.get("/v1/services/desk/slos")["version"] == 1
    # what is different is changed; a new text is a new version, and the same release cannot have it
    app.write_text(APP.replace("the help desk", "the desk").replace("objective: 90}",
                                                                    "objective: 91}").replace("name: v1", "name: v2"))
    (app.parent / "prompts" / "desk.txt").write_text("You help well.\n")
    changed = [line.split()[-1] for line in run("apply", "-f", str(app)).stdout.splitlines()]
    assert changed == ["changed", "changed", "unchanged", "created", "unchanged", "unchanged", "created"]
    app.write_text(APP.replace("The first.", "Another."))
    refused = run("apply", "-f", str(app), code=1)
    assert "immutable" in refused.stderr and "What to do now" in refused.stderr
    assert refused.stdout.splitlines()[-1].split() == ["tool/desk@1", "unchanged"], "what was before it is said"


def test_apply_from_standard_input_and_as_json(run, client, app):
    text = APP.replace("desk", "stdin").replace("prompts/stdin.txt", "prompts/desk.txt")
    documents = run("apply", "-f", "-", "--json", stdin=text.replace("prompts/desk.txt",
                                                                     str(app.parent / "prompts" / "desk.txt"))
                    .replace("tools/search.json", str(app.parent / "tools" / "search.json"))).stdout.splitlines()
    assert len(documents) == 7
    assert json.loads(documents[0]) == client.get("/v1/services/stdin")
    assert json.loads(documents[6]) == client.get("/v1/services/stdin/releases/v1")
    rollout = "kind: Rollout\nservice: stdin\nrelease: v1\nallow_no_gateway: true\nreason: from a file\n"
    started = run("apply", "-f", "-", stdin=rollout).stdout
    identity = re.search(r"started (ro_\w+)", started).group(1)
    assert "from a file" in client.get(f"/v1/rollouts/{identity}")["reason"]
    assert run("apply", "-f", "-", stdin=rollout).stdout.split()[-1] == "unchanged", "it is on its way there"


def test_apply_says_all_that_is_wrong_and_sends_nothing(run, client, tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(textwrap.dedent("""\
        kind: Service
        name: wrong
        stiky: user
        ---
        kind: Slos
        service: wrong
        slos:
          refusal: {objective: 101}
          ttft: {objective: 95}
        ---
        kind: Polcy
        service: wrong
        ---
        kind: Artifact
        name: prompt/wrong
        file: not-there.txt
        ---
        kind: Release
        service: wrong
        name: v1
        artifacts: [prompt/wrong]
        """))
    said = run("apply", "-f", str(path), code=1)
    for part in (f"{path}:3: /stiky", "did you mean", f"{path}:8: /slos/refusal/objective", "/slos/ttft/threshold", "Policy",
                 "not-there.txt",
                 "exactly one model"):
        assert part in said.stderr, (part, said.stderr)
    assert said.stdout == "" and client.request("GET", "/v1/services/wrong", raw=True)[0] == 404
    for text, part in (("kind: Service\nname: a\nname: b\n", "name"), ("kind: [", ""), ("- 1\n", "object"), ("", "no document"),
                       ("\tkind: x", ""),
                       ("kind: Service\nname: *unknown\n", ""), ("kind: Service\n", "name")):
        path.write_text(text)
        said = run("apply", "-f", str(path), code=1)
        assert part in said.stderr and said.stderr.startswith("serin: ") and said.stdout == "", (text, said.stderr)
    assert "such file" in run("apply", "-f", str(tmp_path / "none.yaml"), code=1).stderr
    path.write_text("kind: Service\nname: dry\n---\nkind: Slos\nservice: dry\nslos: {error: {objective: 99}}\n")
    assert "nothing was sent" in run("apply", "-f", str(path), "--dry-run").stdout
    assert client.request("GET", "/v1/services/dry", raw=True)[0] == 404


FIRST_STEPS = """
kind: Service
name: NAME
---
kind: Slos
service: NAME
slos: {error: {objective: 99}}
---
kind: Policy
service: NAME
---
kind: Artifact
name: model/first-steps
content: {provider: example, model: example-large, parameters: {}}
changelog: The first.
---
kind: Release
service: NAME
name: v1
artifacts: [model/first-steps]
changelog: The first.
"""


def test_the_first_steps_work_as_one_script(world, tmp_path):
    """As in the handbook, without a pause between: apply, ask for the route (until it is no longer too early), start."""
    env = {**os.environ, "SERIN_URL": f"http://{world.daemon.control}", "SERIN_TOKEN": world.tokens["engineer"], "NO_COLOR": "1",
           "PATH": f"{os.path.dirname(serin.CLI)}:{os.environ['PATH']}", "GATEWAY": f"http://{world.daemon.gateway}",
           "GATEWAY_TOKEN": world.tokens["gateway"]}
    for number in range(5):
        name = f"first-{number}"
        (tmp_path / f"{name}.yaml").write_text(FIRST_STEPS.replace("NAME", name))
        done = subprocess.run(["bash", "-e", "-c", f"""
            serin apply -f {name}.yaml
            ask() {{ curl -s "$GATEWAY/v1/routes/{name}" -H "Authorization: Bearer $GATEWAY_TOKEN" -H 'Serin-Gateway: gw-1'; }}
            answer=$(ask)
            for again in 1 2 3; do
                case $answer in *'There is no service'*) echo "$answer" >&2; sleep 1; answer=$(ask);; esac
            done
            echo "$answer"
            serin rollout start {name} v1"""], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"Service {name} has no route" in done.stdout and f"{name}: nothing -> v1" in done.stdout, done.stdout


# --- a rollout by hand ----------------------------------------------------------------------------------------------------

def test_a_rollout_from_start_to_rollback(run, client):
    prepared(client, "hand", releases=("v1", "v2", "v3"))
    refused = run("rollout", "start", "hand", "v2", code=1).stderr
    assert "No gateway of hand is heard yet; waiting up to 5 s" in refused and "was heard in the last 60 s" in refused, refused
    started = run("rollout", "start", "hand", "v2", "--allow-no-gateway", "--reason", "try it").stdout
    rollout = started.split()[0]
    assert re.match(r"ro_\w+  hand: v1 -> v2, pending, canary at 0 %\n", started) and "try it" in started
    wait_for("serving", lambda: client.get(f"/v1/rollouts/{rollout}")["weight"] > 0)
    status = run("rollout", "status", "hand").stdout
    assert f"hand: v1 -> v2  {rollout}" in status and "progressing, step 1 of 3, canary at 12.5 %" in status
    assert "canary 12.5 %" in status and "by admin-" in status
    assert re.search(r"- (1 h|59 min \d+ s|1 h 0 min) more at this weight", status), "times are for people"
    assert run("rollout", "status", rollout).stdout.splitlines()[0] == status.splitlines()[0]
    assert "paused, step 1 of 3, canary at 12.5 %" in run("rollout", "pause", "hand", "-r", "look at it").stdout
    assert "progressing" in run("rollout", "resume", "hand").stdout
    assert "canary at 2.5 %" in run("rollout", "set-weight", "hand", "2.5%").stdout
    assert client.get(f"/v1/rollouts/{rollout}")["weight"] == 250
    assert "canary at 1 %" in run("rollout", "set-weight", "hand", "1").stdout, "a bare number is a percentage"
    assert "promote" in run("rollout", "set-weight", "hand", "50%", code=1).stderr
    for wrong in ("x", "101%", "-1", "1.234%", "", "50 apples"):
        run("rollout", "set-weight", "hand", wrong, code=2)
    said = run("rollout", "mute", "hand", "refusal", "--until", "2h", "--reason", "the judge is down").stdout
    assert "Muted: refusal" in said and "the judge is down" in said and "Lowered by hand" not in said, said
    muted = run("rollout", "status", "hand").stdout
    assert re.search(r"Muted: refusal, ends in (2 h|1 h 59 min[^,]*), by admin-\S+: the judge is down", muted), muted
    assert "(muted)" in muted
    run("rollout", "mute", "hand", "refusal", code=2)
    run("rollout", "mute", "hand", "nonsense", "--until", "1h", "--reason", "x", code=2)
    for check in ("split", "coverage", "late"):  # as the runbooks have it
        said = run("rollout", "mute", "hand", check, "--until", "4h", "--reason", "known").stdout
        assert f"Muted: {check}" in said, said
    assert "step 2 of 3, canary at 50 %" in run("rollout", "promote", "hand").stdout
    listed = run("rollout", "list", "hand").stdout.splitlines()
    assert listed[0].split()[:4] == ["ROLLOUT", "RELEASE", "FROM",
                                     "PHASE"] and listed[1].split()[0] == rollout and "2/3" in listed[1]
    assert "is live" in run("rollout", "start", "hand", "v3", "--allow-no-gateway", code=1).stderr
    assert "aborted" in run("rollout", "abort", "hand", "-r", "enough").stdout
    assert client.get(f"/v1/rollouts/{rollout}")["phase"] == "aborted"
    assert "no live rollout" in run("rollout", "abort", "hand", code=1).stderr
    assert "aborted" in run("rollout", "abort", rollout).stdout, "by its id: done already"
    again = run("rollout", "retry", "hand", "--allow-no-gateway").stdout.split()[0]
    assert again != rollout and client.get(f"/v1/rollouts/{again}")["retry_of"] == rollout
    plan = run("rollout", "start", "hand", "v3", "--allow-no-gateway", "--supersede", "--plan", "-", code=0,
               stdin="steps: [{weight: 0.5%, bake: 1m}, {weight: 100%}]").stdout.split()[0]
    assert client.get(f"/v1/rollouts/{again}")["phase"] == "aborted"
    assert [s["weight"] for s in client.get(f"/v1/rollouts/{plan}")["plan"]["steps"]] == [50, 10000]
    wait_for("serving", lambda: client.get(f"/v1/rollouts/{plan}")["weight"] > 0)
    assert "canary at 0.5 %" in run("rollout", "status", "hand").stdout
    assert "completed" in run("rollout", "promote", "hand", "--full").stdout
    back = run("rollback", "hand", "--reason", "users complain").stdout
    assert re.match(r"hand: all traffic goes to v1; left v3", back) and "epoch" in back
    assert client.get("/v1/services/hand")["stable"] == "v1"
    to = run("rollback", "hand", "--to", "v3", "-r", "it was the provider").stdout
    assert "all traffic goes to v3" in to
    assert "all traffic goes to v1; left v3" in run("rollback", "hand").stdout, "v3 was taken by name; v1 is a target still"
    none = " ".join(run("rollback", "hand", code=1).stderr.split())
    assert re.search(r"no rollback target: v3 was left by a rollback; v2 never completed a rollout; v1 is the stable release now",
                     none), none
    command = re.search(r"serin (rollback hand --to v3) --reason", none).group(1)
    assert "all traffic goes to v3" in run(*command.split(), "--reason", "as it says").stdout
    refused = run("rollback", "hand", "--to", "nothing-like-it", code=1)
    assert "What to do now" in refused.stderr
    assert "was never proven" in run("rollback", "hand", "--to", "v2", code=1).stderr
    unproven = run("rollback", "hand", "--to", "v2", "-r", "it must be").stdout
    assert "all traffic goes to v2; left v3\n" in unproven and "\nv2 was never proven" in unproven, unproven
    assert "all traffic goes to v2; it did so before" in run("rollback", "hand", "--to", "v2").stdout


def test_rollback_of_a_rollout_without_traffic_says_what_stays(run, client):
    prepared(client, "early")
    run("rollout", "start", "early", "v2", "--allow-no-gateway")
    run("rollout", "pause", "early")
    if client.get(f"/v1/rollouts/{client.get('/v1/services/early')['live_rollout']}")["weight"] == 0:
        said = run("rollback", "early").stdout
        assert re.match(r"early: all traffic stays at v1; ended ro_\w+\n", said) and "it did so before" not in said, said
        assert "To leave this release: serin rollback early" in said
    else:
        assert "all traffic goes to v1; left v2" in run("rollback", "early").stdout


def test_a_first_release_is_not_advised_to_serve_nothing(run, client, world):
    service(client, "only", policy=SLOW)
    rollout = live(client, "only", "v1")
    status = " ".join(run("rollout", "status", "only").stdout.split())
    assert "rollout abort" not in status and "passed without proof" not in status, status
    assert "There is no release to go back to; to replace it: serin rollout start only RELEASE --supersede" in status
    assert "Unproven: a first release has no stable beside it" in status
    row = next(line for line in run("rollout", "status", "only").stdout.splitlines() if line.split()[:1] == ["refusal"])
    assert row.split()[-1] == "pause", row
    lower = " ".join(run("rollout", "set-weight", "only", "1%", code=1).stderr.split())
    assert "no release is stable" in lower and "--supersede" in lower and "Abort it" not in lower, lower
    run("rollout", "pause", "only")
    paused = " ".join(run("explain", "only").stdout.split())
    assert "What to do: 'serin rollout resume" in paused and "abort it" not in paused, paused
    aborted = run("rollout", "abort", "only").stdout
    assert "the service has no route now, and gateways get 404" in " ".join(aborted.split()), aborted
    gateway = serin.Client(world.daemon.gateway, world.tokens["gateway"])
    wait_for("404", lambda: gateway.request("GET", "/v1/routes/only", raw=True)[0] == 404)
    told = gateway.request("GET", "/v1/routes/only", raw=True)[2]
    assert told["detail"] == "Service only has no route: no release of it serves", told
    assert "has no route" in run("rollback", "only", code=1).stderr
    unrouted = run("rollback", "only", "--to", "v1", "-r", "back", code=1).stderr
    assert "serin rollout start only v1" in unrouted, unrouted
    again = run("rollout", "retry", "only", "--allow-no-gateway").stdout.split()[0]
    assert again != rollout
    wait_for("serving", lambda: client.get(f"/v1/rollouts/{again}")["weight"] > 0)
    said = run("rollback", "only").stdout
    assert re.match(r"only: no release serves it, it has no route; left v1, ended ro_\w+\nGateways get 404\.", said), said


def test_what_was_rolled_back_by_hand_is_said_where_it_is_looked_for(run, client):
    prepared(client, "since", releases=("v1", "v2", "v3"))
    completed = live(client, "since")
    client.post(f"/v1/rollouts/{completed}/promote", {"full": True})
    assert "Since then" not in run("explain", "since").stdout
    run("rollback", "since", "--to", "v3", "-r", "it must be")
    for command in (("explain", "since"), ("rollout", "status", "since")):
        said = run(*command).stdout
        assert "Since then: rolled back by hand to v3." in said and "To leave this release" not in said, said
    states = {line.split()[0]: line for line in run("release", "list", "since").stdout.splitlines()}
    assert " stable, unproven " in states["v3"] and " baked " in states["v2"] and " baked " in states["v1"], states
    assert "stable now, never proven" in run("release", "show", "since", "v3").stdout
    run("rollback", "since")
    assert "Since then: rolled back by hand to v2." in run("explain", "since").stdout
    states = {line.split()[0]: line for line in run("release", "list", "since").stdout.splitlines()}
    assert " stable " in states["v2"] and " new " in states["v3"] and " baked " in states["v1"], states
    newer = live(client, "since", "v3")
    client.post(f"/v1/rollouts/{newer}/abort")
    assert "Since then" not in run("explain", "since").stdout, "its route is its own"
    assert "Since then" not in run("explain", completed).stdout, "another rollout came after that"


def test_freeze_routes_events_gateways(run, client, world):
    prepared(client, "ops")
    rollout = live(client, "ops")
    assert "Frozen" in run("freeze", "--reason", "it is Friday").stdout
    try:
        assert "it is Friday" in run("freeze", "--show").stdout
        again = run("freeze", "--reason", "and Monday too")
        assert "it is Friday" in again.stdout and "the first reason stays" in again.stderr
        explained = run("explain", "ops").stdout
        assert "How long that takes is not known: advances are frozen" in explained and "serin freeze --lift" in explained
        assert "frozen" in run("rollout", "promote", "ops", code=1).stderr
        assert "it is Friday" in run("rollout", "status", "ops").stdout and "it is Friday" in run("explain", "ops").stdout
    finally:
        assert "Not frozen" in run("freeze", "--lift").stdout
    assert "Not frozen" in run("freeze", "--show").stdout
    run("freeze", code=2)
    run("freeze", "--lift", "--reason", "x", code=2)
    row = [line.split() for line in run("routes").stdout.splitlines() if line.startswith("ops ")][0]
    leases = run("routes").stdout
    assert row[2:6] == ["v1", "v2", "12.5", "%"] and ("in 15 min" in leases or "in 14 min" in leases), leases
    events = run("events", "ops", "-n", "3").stdout.splitlines()
    assert events[0].split() == ["WHEN", "WHAT", "SERVICE", "RELEASE", "BY", "RULE", "REASON"] and len(events) == 5
    assert "There are more" in events[4]
    assert "rollout.started" in run("events", "--rollout", rollout, "-n", "200").stdout
    world.gateway("ops", {}, instance="gw-of-ops").poll()
    wait_for("heard", lambda: "gw-of-ops" in run("gateways", "ops").stdout)
    listed = run("gateways").stdout.splitlines()
    assert listed[0].split() == ["GATEWAY", "SERVICE", "APPLIED", "CURRENT", "STATE", "HEARD", "PROBLEM"]
    for command in ("gateways", "events"):
        wrong = run(command, "nobody", code=1)
        assert "There is no service nobody" in wrong.stderr and "serin service list" in wrong.stderr
    explained = run("explain", "ops").stdout
    for part in ("progressing, step 1 of 3", "Rule ", "GUARDRAIL", "refusal", "What each guardrail says", "The evidence says",
                 "For the next step it needs", "What to do: ", "Stable keeps 2 % in the bake",
                 "How long that takes is not known",
                 "Gateways: 1 live"):
        assert part in explained, explained
    assert "Not proven yet, as nothing of the canary has been counted: canary no requests" in " ".join(explained.split()), explained
    client.post(f"/v1/rollouts/{rollout}/abort")


def test_a_bare_weight_that_reads_like_percent_is_asked_about(run):
    text = ("kind: Slos\nservice: chat\nslos: {error: {objective: 99}}\n---\nkind: Policy\nservice: chat\nholdback: 20\n"
            "plan: {steps: [{weight: 0.5%, bake: 1m}, {weight: 5, bake: 1m, deadline: 2m}, {weight: 100%, bake: 2m}]}\n")
    said = run("lint", "-f", "-", stdin=text.replace("weight: 0.5%", "weight: 0.01%")).stdout
    assert "holdback 0.2 %: did you mean 20%?" in said and "weight 0.05 %: did you mean 5%?" in said, said
    assert said.count("did you mean") == 2, "what has its sign is meant: " + said


def test_a_retry_says_how_long_it_takes_as_a_start_does(run, client):
    prepared(client, "again")
    policy = client.get("/v1/services/again/policy")["policy"]
    client.put("/v1/services/again/policy", {**policy, "expected_rps": 40})
    started = run("rollout", "start", "again", "v2", "--allow-no-gateway").stdout
    said = re.search(r"  At 40 requests a second \(the policy's expected_rps\) this plan .*", started)
    assert said, started
    explained = json.loads(run("explain", "again", "--json").stdout)
    assert "proven" in explained["inputs"] and not {"late", "stray", "blind_rollback"} & set(explained["inputs"]), \
        "what only the loop observes is not shown as 0"
    run("rollout", "abort", "again")
    assert said.group() in run("rollout", "retry", "again", "--allow-no-gateway").stdout
    assert "requests a second" not in run("rollout", "pause", "again").stdout


def test_a_replay_of_what_is_not_there_says_what_to_do(run):
    refused = run("replay", "ro_01M87WEEAEAMCE2025N72MZ2Q2", code=1).stderr
    assert "404" in refused and "ro_01M87WEEAEAMCE2025N72MZ2Q2" in refused and "serin rollout list" in refused, refused
    assert "serin service list" in run("replay", "nothing-like-it", code=1).stderr


def test_rollback_waits_until_the_gateways_have_it(run, client, world):
    prepared(client, "wait")
    gateway = world.gateway("wait", {"v1": {}, "v2": {}})
    gateway.reporting = False
    gateway.start()
    live(client, "wait")
    done = run("rollback", "wait", "--wait", "--timeout", "20s").stdout
    assert "all traffic goes to v1" in done and "pplied by every live gateway" in done
    gateway.stop()
    assert gateway.canary_weight() == 0


def test_rollback_says_which_gateway_is_silent_and_until_when(run, client, world):
    prepared(client, "silent")
    gateway = world.gateway("silent", {}, instance="gw-asleep")
    gateway.poll()
    live(client, "silent")
    gateway.poll()
    gateway.poll()  # it says that it has the canary's weight
    time.sleep(2.5)  # what was heard is written down once a second
    world.database.sql("UPDATE gateways SET heard_at = serin_now() - interval '2 min' WHERE instance = 'gw-asleep'")
    waited = run("rollback", "silent", "--wait", "--timeout", "3s", code=6)
    assert re.search(r"Waiting for gw-asleep: silent, last heard 2 min ago; unless it speaks, its lease on canary weight ends in "
                     r"(12|13) min", waited.stderr), waited.stderr
    assert waited.stderr.count("Waiting for") == 1, "once"
    row = [g for g in client.get("/v1/gateways?service=silent")["items"] if g["instance"] == "gw-asleep"][0]
    assert row["behind"] and row["applied_by"] and row["awaited"]


def test_one_that_only_reports_is_no_gateway_to_wait_for(run, client, world):
    prepared(client, "reported")
    gateway = world.gateway("reported", {}, instance="gw-asks")
    gateway.poll()
    live(client, "reported")
    world.gateway("reported", {}, instance="app-9").report({
        "service": "reported", "outcomes": [{"release": "v1", "age_ms": 0}]})

    def rows():
        return {g["instance"]: g for g in client.get("/v1/gateways?service=reported")["items"]}
    wait_for("both are heard", lambda: len(rows()) == 2, 20)
    row = rows()["app-9"]
    assert row["reports_only"] and not row["behind"] and not row["live"] and row["applied_by"] is None, row
    assert not rows()["gw-asks"]["reports_only"] and rows()["gw-asks"]["behind"]
    assert re.search(r"^app-9 +reported +- +\d+ +reports only ", run("gateways", "reported").stdout, re.M)
    waited = run("rollback", "reported", "--wait", "--timeout", "3s", code=6).stderr
    assert "Waiting for gw-asks" in waited and "app-9" not in waited, waited

    def applied():
        gateway.poll()  # takes it, and with the next acknowledges it
        return [r["applied_at"] for r in client.get("/v1/routes?limit=200")["items"] if r["service"] == "reported"][0]
    wait_for("applied, by those that ask", applied, 20)
    world.gateway("reported", {}, instance="app-9").poll()
    wait_for("it asks: it counts", lambda: rows()["app-9"]["live"] and not rows()["app-9"]["reports_only"], 20)


def test_versions_releases_and_the_rest(run, client, tmp_path):
    prepared(client, "rest")
    assert "has no release v9" in run("rollout", "start", "rest", "v9", code=1).stderr, "before it asks for gateways"
    file = tmp_path / "prompt.txt"
    file.write_text("One\nTwo\n")
    registered = run("version", "register", "prompt", "rest-own", "--file", str(file), "-m", "why").stdout
    assert "prompt/rest-own@1" in registered
    run("version", "register", "prompt/rest-own", "--file", "-", stdin="One\n2\n")
    listed = run("version", "list", "prompt/rest-own").stdout.splitlines()
    assert listed[0].split()[0] == "VERSION" and [line.split()[0] for line in listed[1:]] == ["2", "1"]
    assert "One\n2\n" in run("version", "show",
                             "prompt/rest-own").stdout and "Two" in run("version", "show", "prompt/rest-own@1").stdout
    for version, name in ((1, "a"), (2, "b")):
        assert "created" in run("release", "create", "rest", name, "-a", f"prompt/rest-own@{version}", "-a", "model/rest", "-m",
                                f"text {name}").stdout
    assert "exists already" in run("release", "create", "rest", "a", "-a", "prompt/rest-own@1", "-a", "model/rest", "-m",
                                   "text a").stdout
    diff = run("diff", "rest", "a", "b").stdout
    assert "prompt/rest-own changed, version 1 -> 2" in diff and "-Two\n" in diff and "+2\n" in diff and " One\n" in diff
    assert "hold the same" in run("diff", "rest", "a", "a").stdout
    shown = run("release", "show", "rest", "b").stdout
    assert "prompt/rest-own" in shown and "text b" in shown
    assert [line.split()[0] for line in run("release", "list", "rest").stdout.splitlines()[1:3]] == ["b", "a"]
    corpus = tmp_path / "corpus.yaml"
    corpus.write_text("uri: s3://x\nindex_digest: d\nembedding_model: e\n")
    run("version", "register", "corpus", "rest", "--file", str(corpus))
    assert client.get("/v1/artifacts/corpus/rest/versions/1")["ready"] is False
    run("corpus-ready", "rest", "1")
    assert client.get("/v1/artifacts/corpus/rest/versions/1")["ready"] is True
    made = run("token", "create", "rest-token", "viewer")
    secret = made.stdout.strip()
    assert secret.startswith("serin_") and "keep it" in made.stderr
    identity = [t["id"] for t in client.get("/v1/tokens?limit=200")["items"] if t["name"] == "rest-token"][0]
    assert secret not in run("token", "list", "-n", "1000").stdout
    assert "revoked" in run("token", "revoke", identity).stdout
    hook = run("webhook", "create", "http://127.0.0.1:1/x", "--service", "rest").stdout.split()
    assert hook[1].startswith("whsec_") and hook[0] in run("webhook", "list", "-n", "200").stdout
    run("webhook", "delete", hook[0])
    assert "rest" in run("service", "list", "-n", "500").stdout
    about = run("service", "show", "rest").stdout
    assert "stable: v1" in about and "12.5 %, 50 %, 100 %" in about and "90 %" in about
    assert "created" in run("service", "create", "rest-new", "-d", "described").stdout
    assert "described" in run("service", "list", "-n", "500").stdout
    # what service slos and policy print can be applied
    for kind, what in (("Slos", "slos"), ("Policy", "policy")):
        document = json.loads(run("service", what, "rest").stdout)
        document = {"kind": kind, "service": "rest", **({"slos": document} if what == "slos" else document)}
        assert run("apply", "-f", "-", stdin=json.dumps(document)).stdout.split()[-1] == "unchanged"


# --- --json is the API's ----------------------------------------------------------------------------------------------------

def test_json_is_that_of_the_api(run, client):
    prepared(client, "json")
    rollout = live(client, "json")
    client.post(f"/v1/rollouts/{rollout}/abort", {"reason": "enough"})
    wait_for("quiet", lambda: client.get(f"/v1/rollouts/{rollout}")["route"]["applied_at"])
    for words, path in ((("rollout", "status", "json"), f"/v1/rollouts/{rollout}"),
                        (("rollout", "status", rollout), f"/v1/rollouts/{rollout}"),
                        (("explain", "json"), f"/v1/rollouts/{rollout}/explain"),
                        (("rollout", "list", "json"), "/v1/services/json/rollouts"),
                        (("service", "show", "json"), "/v1/services/json"), (("service", "list"), "/v1/services"),
                        (("service", "slos", "json"), "/v1/services/json/slos"),
                        (("service", "policy", "json"), "/v1/services/json/policy"),
                        (("release", "list", "json"), "/v1/services/json/releases"),
                        (("release", "show", "json", "v1"), "/v1/services/json/releases/v1"),
                        (("diff", "json", "v1", "v2"), "/v1/services/json/releases/v1/diff/v2"), (("routes",), "/v1/routes"),
                        (("events", "json"), "/v1/events?service=json"),
                        (("events", "json", "-n", "2"), "/v1/events?service=json&limit=2"),
                        (("gateways", "json"), "/v1/gateways?service=json"), (("version", "list"), "/v1/artifacts"),
                        (("version", "list", "prompt/json"), "/v1/artifacts/prompt/json/versions"),
                        (("version", "show", "prompt/json@1"), "/v1/artifacts/prompt/json/versions/1"),
                        (("freeze", "--show"), "/v1/freeze"),
                        (("token", "list"), "/v1/tokens"), (("webhook", "list"), "/v1/webhooks")):
        def still(answer):  # an explanation has the time in its inputs
            return {k: v for k, v in answer.items() if k != "inputs"} if isinstance(answer, dict) else answer
        before = still(client.get(path))
        got = run(*words, "--json")
        if still(client.get(path)) != before:  # something else has happened meanwhile
            before, got = still(client.get(path)), run(*words, "--json")
        assert still(json.loads(got.stdout)) == before, words
        assert got.stderr == "" and got.stdout.endswith("\n")
        assert still(json.loads(run("--json", *words).stdout)) == still(json.loads(got.stdout)), "before the command too"
    started = json.loads(run("rollout", "start", "json", "v2", "--allow-no-gateway", "--json").stdout)
    assert client.get(f"/v1/rollouts/{started['id']}")["release"] == "v2"
    wait_for("serving", lambda: client.get(f"/v1/rollouts/{started['id']}")["weight"] > 0)
    for verb, phase in (("pause", "paused"), ("resume", "progressing"), ("abort", "aborted")):
        assert json.loads(run("rollout", verb, "json", "--json").stdout)["phase"] == phase
    back = run("rollback", "json", "--json", code=1)
    problem = json.loads(back.stdout)
    assert problem["status"] == 409 and problem["next_step"] and "What to do now" in back.stderr
    page = json.loads(run("events", "json", "-n", "1", "--json").stdout)
    assert json.loads(run("events", "json", "-n", "1", "--cursor", page["next_cursor"],
                          "--json").stdout)["items"][0]["seq"] == page["items"][0]["seq"] - 1


# --- how it ends ------------------------------------------------------------------------------------------------------------

def test_waiting_ends_as_the_rollout_does(world, client):
    """Five at once: completed, aborted, rolled back, timed out, paused."""
    ends = {"ends-ok": (0, "promote", {"full": True}, ()), "ends-abort": (4, "abort", {}, ()), "ends-back": (5, None, None, ()),
            "ends-time": (6, None, None, ("--timeout", "2s")),
            "ends-pause": (7, "pause", {"reason": "look"}, ("--until-paused",))}
    rollouts, waiting = {}, {}
    env = {**os.environ, **of(world), "NO_COLOR": "1"}
    for name in ends:
        prepared(client, name)
        rollouts[name] = live(client, name)
    try:
        for name, (_, _, _, more) in ends.items():
            waiting[name] = subprocess.Popen([CLI, "rollout", "status", "-w", name, *more], env=env, stdout=subprocess.PIPE,
                                             stderr=subprocess.PIPE, text=True)
        time.sleep(0.7)
        assert all(p.poll() is None for p in waiting.values()), "they wait"
        for name, (_, verb, body, _) in ends.items():
            if verb is not None:
                client.post(f"/v1/rollouts/{rollouts[name]}/{verb}", body)
        client.post("/v1/services/ends-back/rollback", {"reason": "users complain"})
        for name, (code, _, _, _) in ends.items():
            out, err = waiting[name].communicate(timeout=30)
            assert waiting[name].returncode == code, (name, out, err)
            lines = out.splitlines()
            assert re.match(r"\d{4}-\d\d-\d\dT\S+Z progressing, step 1 of 3, canary at 12.5 %", lines[0]), lines[0]
            if code != 6:
                assert len(lines) >= 2 and {0: "completed", 4: "aborted", 5: "rolled back", 7: "paused"}[code] in lines[-1], out
            else:
                assert "timed out" in err
    finally:
        for process in waiting.values():
            if process.poll() is None:
                process.kill()
            process.wait()
    # start and wait in one; and of what has ended already
    done = serin.cli(world.daemon, world.tokens["admin"], "rollout", "status", "-w", rollouts["ends-abort"], timeout=30)
    assert done.returncode == 4
    timed = serin.cli(world.daemon, world.tokens["admin"], "rollout", "start", "ends-abort", "v2", "--allow-no-gateway",
                      "--wait", "--timeout", "1s", "--json")
    assert timed.returncode == 6 and all(json.loads(line)["service"] == "ends-abort" for line in timed.stdout.splitlines())


def test_no_answer_is_3(world):
    for url in ("http://127.0.0.1:1", "http://localhost.invalid:8080", "unix:/nowhere/at.sock"):
        lost = bare("routes", SERIN_URL=url, SERIN_TOKEN="x")
        assert lost.returncode == 3 and "no answer" in lost.stderr and "Is serind running there?" in lost.stderr and lost.stdout == "", lost
    lost = bare("rollout", "abort", "ro_00000000000000000000000000", SERIN_URL="http://127.0.0.1:1", SERIN_TOKEN="x")
    assert lost.returncode == 3
    for url in ("127.0.0.1:8080", "ftp://x", "unix:relative"):
        assert bare("routes", SERIN_URL=url).returncode == 1
    # the wrong port of Serin, and something that is not Serin
    wrong = bare("routes", SERIN_URL=f"http://{world.daemon.gateway}", SERIN_TOKEN=world.tokens["admin"])
    assert wrong.returncode == 1 and "control port" in wrong.stderr


def test_who_asks(world, tmp_path):
    none = bare("routes", SERIN_URL=of(world)["SERIN_URL"])
    assert none.returncode == 1 and "401" in none.stderr and "What to do now" in none.stderr and "token" in none.stderr
    assert bare("routes", SERIN_URL=of(world)["SERIN_URL"], SERIN_TOKEN="serin_wrong").returncode == 1
    low = bare("freeze", "--lift", **of(world, "viewer"))
    assert low.returncode == 1 and "403" in low.stderr and "oncall" in low.stderr
    file = tmp_path / "token"
    file.write_text(world.tokens["viewer"] + "\n")
    assert bare("routes", SERIN_URL=of(world)["SERIN_URL"], SERIN_TOKEN_FILE=str(file)).returncode == 0
    missing = bare("routes", SERIN_URL=of(world)["SERIN_URL"], SERIN_TOKEN_FILE=str(tmp_path / "none"))
    assert missing.returncode == 1 and "such file" in missing.stderr
    folder = tmp_path / "config" / "serin"
    folder.mkdir(parents=True)
    config = folder / "config"
    config.write_text(f"# mine\nurl = {of(world)['SERIN_URL']}\ntoken = {world.tokens['viewer']}\n")
    config.chmod(0o644)
    open_to_all = bare("routes")
    assert open_to_all.returncode == 0 and "chmod 600" in open_to_all.stderr
    config.chmod(0o600)
    assert bare("routes").stderr == ""
    assert bare("routes", "--url", "http://127.0.0.1:1").returncode == 3, "the option goes before the file"
    config.write_text("ulr = x\n")
    said = bare("routes")
    assert said.returncode == 1 and "did you mean url" in said.stderr and "config:1" in said.stderr


def test_over_the_unix_socket(own_world, tmp_path):
    world = own_world(SERIN_CONTROL_SOCKET=str(tmp_path / "control.sock")).start()
    assert bare("services", SERIN_URL=f"unix:{tmp_path}/control.sock").returncode == 2
    listed = bare("service", "list", SERIN_URL=f"unix:{tmp_path}/control.sock", SERIN_TOKEN=world.tokens["viewer"])
    assert listed.returncode == 0 and "no services" in listed.stdout


def test_wrong_usage_is_2_and_helps(run):
    for words, part in ((("rolout", "start", "x", "y"), 'did you mean "serin rollout start"'),
                        (("rollout", "puase", "x"), 'did you mean "serin rollout pause"'),
                        (("pause", "x"), 'did you mean "serin rollout pause"'),
                        (("rollout", "stat", "x"), 'did you mean "serin rollout status"'),
                        (("replay", "x", "--file", "y"), "not both"), (("replay",), "give a rollout or service, or --file FILE"),
                        (("rollbak", "x"), 'did you mean "serin rollback"'),
                        (("event",), 'did you mean "serin events"'), (("frobnicate",), "no command"),
                        (("rollout",), "one more word"),
                        (("rollout", "start", "x"), "something is missing"), (("routes", "x"), "too many words"),
                        (("routes", "--jsn"), "did you mean --json"),
                        (("rollout", "status", "x", "--timeout", "soon"), "duration"), (("events", "-n", "0"), ""),
                        (("events", "-n", "x"), ""),
                        (("apply",), "-f"), (("lint",), "-f"), (("service", "show", "no name"), "no name"),
                        (("rollout", "abort", "-x"), ""),
                        (("rollout", "start", "a", "b", "--reason"), ""), (("--url",), ""), (("routes", "--json=1"), ""),
                        (("diff", "a", "b"), "missing")):
        said = run(*words, code=2)
        assert part in said.stderr and said.stderr.startswith("serin: ") and "serin help" in said.stderr, (words, said.stderr)
        assert said.stdout == ""
    overview = run(code=2).stdout
    assert "Rollouts" in overview and "Exit codes: 0 done" in overview
    assert run("help").stdout == overview == run("--help").stdout
    assert "usage: serin rollout start SERVICE RELEASE" in run("help", "rollout", "start").stdout
    assert run("rollout", "start", "--help").stdout == run("help", "rollout", "start").stdout
    assert "rollout set-weight" in run("help", "rollout").stdout
    assert re.fullmatch(r"serin \d+\.\d+\.\d+\n", run("version").stdout) and run("--version").stdout == run("version").stdout
    for line in overview.splitlines():  # every command of the overview has its help
        words = re.match(r"  ([a-z-]+(?: [a-z-]+)?)  ", line)
        if words and words.group(1) != "version":  # which is a group, too
            assert run("help", *words.group(1).split()).stdout.startswith(f"usage: serin {words.group(1)}")


# --- what terminals get -----------------------------------------------------------------------------------------------------

def on_terminal(world, *words, **env):
    """What the program writes when its output is a terminal."""
    parent, child = pty.openpty()
    kept = {name: os.environ[name] for name in ("PATH", "XDG_CONFIG_HOME", "HOME") if name in os.environ}
    process = subprocess.Popen([CLI, *words], env={**kept, **of(world), "TERM": "xterm-256color", **env}, stdin=child,
                               stdout=child, stderr=child)
    os.close(child)
    out = b""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if select.select([parent], [], [], 0.2)[0]:
            try:
                chunk = os.read(parent, 65536)
            except OSError:
                break
            if not chunk:
                break
            out += chunk
        elif process.poll() is not None:
            break
    os.close(parent)
    process.wait(timeout=10)
    return out.decode().replace("\r\n", "\n")


def test_colours_only_on_a_terminal(world, client, run):
    prepared(client, "paint")
    rollout = live(client, "paint")
    for words in (("rollout", "status", "paint"), ("explain", "paint"), ("routes",), ("rollout", "list", "paint"), ("help",)):
        plain = bare(*words, **of(world), TERM="xterm-256color")
        assert plain.returncode == 0 and "\x1b" not in plain.stdout + plain.stderr, words
        painted = on_terminal(world, *words)
        assert "\x1b[" in painted, words
        for quiet in (on_terminal(world, *words, NO_COLOR="1"), on_terminal(world, *words, TERM="dumb"),
                      on_terminal(world, *words, "--no-color")):
            assert "\x1b" not in quiet, words
        assert re.sub(r"\d+ \S+ ago|just now|in \d+ \S+.*", "", ESCAPE.sub("", painted)).split()[:6] == re.sub(
            r"\d+ \S+ ago|just now|in \d+ \S+.*", "", plain.stdout).split()[:6]
    assert "\x1b" not in bare("frobnicate", TERM="xterm").stderr and "\x1b[" in on_terminal(world, "frobnicate")
    # on a terminal the page is redrawn in place, and ends with the rollout
    client.post(f"/v1/rollouts/{rollout}/abort")
    watched = on_terminal(world, "rollout", "status", "-w", "paint")
    assert "\x1b[?7h" in watched and "aborted" in watched


def test_text_of_others_cannot_drive_the_terminal(world, client, run):
    """Reasons, names of gateways and prompts come from outside: nothing of them reaches a terminal as a command."""
    prepared(client, "evil")
    evil = "a\x1b]0;owned\x07b\x1b[2Jc\u202ed\x9be\rf\x08g"
    rollout = live(client, "evil")
    client.post(f"/v1/rollouts/{rollout}/pause", {"reason": evil})
    client.put("/v1/services/evil", {"description": evil})
    version = client.post("/v1/artifacts/prompt/evil/versions", {"content": "x\n", "changelog": evil})["version"]
    client.post("/v1/services/evil/releases", {"name": "e", "changelog": evil, "parameters": {evil: evil}, "artifacts": [
        {"kind": "prompt", "name": "evil", "version": version}, {"kind": "model", "name": "evil", "version": 1}]})
    for words in (("rollout", "status", "evil"), ("rollout", "list", "evil"), ("explain", "evil"), ("events", "evil"),
                  ("service", "list", "-n", "500"),
                  ("service", "show", "evil"), ("release", "show", "evil", "e"), ("release", "list", "evil"),
                  ("version", "list", "prompt/evil"),
                  ("diff", "evil", "v1", "e")):
        out = run(*words).stdout
        assert not set(out) & set("\x1b\x07\x08\r\x9b\u202e"), (words, out)
    assert json.loads(run("rollout", "status", "evil",
                          "--json").stdout)["reason"].endswith(evil), "for programs it is what it is"
    client.post(f"/v1/rollouts/{rollout}/abort")


# --- lint -------------------------------------------------------------------------------------------------------------------

def test_lint_needs_no_server(tmp_path):
    good = "kind: Slos\nservice: s\nslos: {refusal: {objective: 90}}\n"
    path = tmp_path / "lint.yaml"
    path.write_text(good)
    fine = bare("lint", "-f", str(path), "--rps", "100")
    assert fine.returncode == 0 and "0 errors" in fine.stdout, fine
    path.write_text(good + textwrap.dedent("""\
        ---
        kind: Policy
        service: s
        pace: time
        holdback: 0
        guardrails:
          refusal: {ceiling: 5}
        plan: {steps: [{weight: 1%, bake: 1m}, {weight: 80%, bake: 1m}, {weight: 100%, bake: 10m}]}
        """))
    bad = bare("lint", "-f", str(path), "--rps", "0.01")
    assert bad.returncode == 1 and f"{path}:10: error: the ceiling of 5 %" in bad.stdout and "warning: pace time" in bad.stdout, bad.stdout
    found = json.loads(bare("lint", "-f", str(path), "--rps", "0.01", "--json").stdout)["findings"]
    assert {f["level"] for f in found} >= {"error", "warning"}
    ceiling = [f for f in found if f["level"] == "error"][0]
    assert ceiling["pointer"] == "/guardrails/refusal/ceiling" and ceiling["line"] == 10 and ceiling["mend"] and ceiling["service"] == "s"
    path.write_text("kind: Service\nname: s\n")
    assert bare("lint", "-f", str(path)).returncode == 1
    path.write_text(good.replace("90", "900"))
    assert "/slos/refusal/objective" in bare("lint", "-f", str(path)).stderr
