"""What deploy/quickstart says about what it stops. The demo itself is run by hand and before a release."""
import os
import shutil
import subprocess

from serin import ROOT


def test_stop_says_what_it_stopped_and_when_nothing_runs(tmp_path):
    deploy = tmp_path / "deploy"
    deploy.mkdir()
    for name in ("quickstart", "postgres-private"):
        shutil.copy(os.path.join(ROOT, "deploy", name), deploy / name)
    stop = [str(deploy / "quickstart"), "--stop"]
    said = subprocess.run(stop, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said == "==> Nothing of a quickstart runs in this checkout\n"
    home = tmp_path / "home"
    for folder in (home / "run", tmp_path / ".serin"):
        folder.mkdir(parents=True)
    (tmp_path / ".serin" / "home").write_text(f"{home}\n")
    process = subprocess.Popen(["sleep", "600"])
    try:
        (home / "run" / "serind.pid").write_text(f"{process.pid} sleep\n")
        # as its parent is this test, the process stays until it is collected; a dead one does not count
        said = subprocess.run(stop, capture_output=True, text=True, timeout=60, check=True).stdout
        assert said == f"==> Stopped: serind (process {process.pid})\n"
        assert process.wait(timeout=10) == -15
    finally:
        process.kill()
        process.wait()
    said = subprocess.run(stop, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said == "==> Nothing of a quickstart runs in this checkout\n"
