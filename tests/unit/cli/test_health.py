"""`franca health`: each endpoint is asked a few times."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from franca.testing import Simulator, error, text_reply

KEY = "a-key-that-nobody-may-see"
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[..., Path]


def test_one_model_of_each_endpoint_is_asked(franca: Run, settings_file: Write) -> None:
    with Simulator(api_key=KEY) as sim:
        path = str(settings_file(sim.url, models=("m", "n")))
        done = franca("health", "--settings", path, "--tries", "2", "--json")
        assert sim.count == 4
    rows = json.loads(done.stdout)
    assert done.returncode == 0
    assert [row["endpoint_id"] for row in rows] == ["one", "two"]
    assert {(r["model"], r["state"], r["answered"], r["tries"]) for r in rows} == {
        ("m", "up", 2, 2)
    }
    assert all(row["latency"] > 0 and row["last_error"] is None for row in rows)


def test_shaky_and_down(franca: Run, settings_file: Write) -> None:
    with Simulator() as sim:
        refused = error(401, f"wrong key {KEY}")
        sim.script(text_reply("OK"), refused, text_reply("OK"), *[refused] * 3)
        path = str(settings_file(sim.url))
        done = franca("health", "--settings", path, "--at-once", "1", "--json")
    shaky, down = json.loads(done.stdout)
    assert done.returncode == 1
    assert (shaky["state"], shaky["answered"]) == ("shaky", 2)
    assert (down["state"], down["answered"], down["latency"]) == ("down", 0, None)
    assert down["last_error"].startswith("AuthenticationError")
    assert (shaky["breaker"], down["breaker"]) == ("closed", "open")
    assert down["out_for"] > 0
    assert KEY not in done.stdout + done.stderr


def test_the_table(franca: Run, settings_file: Write) -> None:
    with Simulator() as sim:
        done = franca("health", "--settings", str(settings_file(sim.url)), "--tries", "1")
    assert done.stdout.count("up") == 2
    assert done.stdout.count("1/1") == 2


def test_no_such_backend(franca: Run, settings_file: Write) -> None:
    path = str(settings_file("http://127.0.0.1:9"))
    assert franca("health", "--settings", path, "--backend", "openai").returncode == 2
    assert franca("health").returncode == 2
