"""The object itself: snapshots, overrides, threads, secrets, the lazy package."""

import contextlib
import copy
import json
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

from franca.backends import QUIRK_NAMES
from franca.errors import SettingsError
from franca.settings import Settings, json_schema, settings
from franca.settings.schema import Document

CANARY = "sk-canary-0123456789abcdef"
PLAIN = "planted canary words"


def planted() -> dict[str, Any]:
    endpoint = {
        "id": "e",
        "api_base": "http://e.test/v1",
        "api_key": CANARY,
        "credentials": {"private_key": PLAIN, "deep": [{"x": PLAIN}]},
        "headers": {"Authorization": f"Bearer {CANARY}", "X-Api-Key": PLAIN, "X-Plain": "shown"},
        "proxy": f"http://user:{PLAIN.replace(' ', '-')}@proxy.test:1",
        "access_token": PLAIN,
    }
    return {
        "endpoints": [endpoint],
        "backends": {"openai": {"models": {"m": {"endpoints": ["e"]}}}},
        "rate_limit": {
            "enabled": True,
            "redis": {"url": f"redis://:{CANARY}@redis.test/0", "password": PLAIN, "port": 1},
        },
    }


def says_nothing(text: str) -> bool:
    return "canary" not in text


def test_no_key_in_repr_or_export() -> None:
    loaded = Settings(planted())
    (target,) = loaded.resolve("openai")
    document = loaded.snapshot.document
    shown = [loaded, loaded.snapshot, target, target.endpoint, target.endpoint.api_key, document]
    assert document is not None
    for thing in (*shown, document.endpoints, document.rate_limit, vars(document)):
        assert says_nothing(repr(thing))
        assert says_nothing(str(thing))
        assert says_nothing(f"{thing}")
    exported = loaded.export()
    assert says_nothing(json.dumps(exported))
    assert exported["endpoints"][0]["headers"]["X-Plain"] == "shown"
    assert exported["endpoints"][0]["api_key"] == "***"
    assert exported["VERSION"] == "2"


def test_no_key_in_errors_or_warnings() -> None:
    document = planted()
    document["endpoints"][0] |= {"api_kye": CANARY, "rpm": CANARY, "timeout": PLAIN}
    document["endpoints"].append({"id": CANARY, "api_key": {"nested": CANARY}})
    document["endpoints"].append({"id": CANARY, "endpoint_type": CANARY})
    document["rate_limit"]["backend"] = CANARY
    document["backends"]["openai"]["models"]["m"]["endpoints"] = [CANARY + "x", 5]
    with pytest.raises(SettingsError) as caught:
        Settings(document)
    assert says_nothing(str(caught.value))
    assert says_nothing(repr(caught.value))
    document = {**planted(), "canry": CANARY, "VERSION": "1"}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        Settings(document)
    assert said
    assert all(says_nothing(str(w.message)) for w in said)


def test_keys_are_not_pickled() -> None:
    loaded = Settings(planted())
    for thing in (loaded, loaded.resolve("openai")[0], loaded.resolve("openai")[0].endpoint):
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(thing)


def test_the_document_given_is_neither_kept_nor_changed() -> None:
    document = planted()
    before = copy.deepcopy(document)
    loaded = Settings(**document)
    assert document == before
    document["endpoints"][0]["id"] = "changed"
    assert loaded.export()["endpoints"][0]["id"] == "e"


def test_a_snapshot_does_not_change() -> None:
    snapshot = Settings(planted()).snapshot
    with pytest.raises(TypeError):
        snapshot.targets["openai", "m"] = ()  # ty: ignore[invalid-assignment]
    (target,) = snapshot.resolve("openai")
    with pytest.raises(TypeError):
        target.headers["X"] = "y"  # ty: ignore[invalid-assignment]


def test_empty_settings_are_usable() -> None:
    empty = Settings()
    assert list(empty.targets()) == []
    assert empty.export() == {}
    assert empty.resolve("local", "m")[0].endpoint.url == "http://127.0.0.1:8080/v1"


def test_load_takes_other_settings() -> None:
    other = Settings(planted())
    assert Settings().load(other).resolve("openai") is other.resolve("openai")


def test_override_changes_and_puts_back() -> None:
    loaded = Settings(planted())
    before = loaded.snapshot
    with loaded.override(backends={"openai": {"models": {"n": {"endpoints": ["e"]}}}}):
        assert loaded.resolve("openai", "n")
        assert loaded.resolve("openai", "m")
    assert loaded.snapshot is before
    whole = {"VERSION": "2", "endpoints": [{"id": "x"}]}
    with contextlib.suppress(ZeroDivisionError), loaded.override(whole):
        assert list(loaded.targets()) == []
        raise ZeroDivisionError
    assert loaded.snapshot is before


def test_readers_see_one_state_or_the_other() -> None:
    """Eight threads read while another loads: old or new, never both, never an error."""

    def document(mark: str) -> dict[str, Any]:
        endpoints = [{"id": f"{mark}{i}", "api_base": f"http://{mark}.test"} for i in range(3)]
        models = {"m": {"id": mark, "endpoints": [e["id"] for e in endpoints]}}
        return {"endpoints": endpoints, "backends": {"openai": {"models": models}}}

    shared, done, wrong = Settings(document("x")), threading.Event(), []

    def read() -> None:
        while not done.is_set():
            try:
                targets = shared.resolve("openai", "m")
                marks = {(t.model_id, t.endpoint_id[0], t.endpoint.url[7]) for t in targets}
                if len(targets) != 3 or marks not in ({("x",) * 3}, {("y",) * 3}):
                    wrong.append(marks)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for i in range(60):
        shared.load(document("yx"[i % 2]))
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_schema_names_every_section_and_quirk() -> None:
    schema = json_schema()
    assert set(Document.model_fields) < set(schema["properties"])
    assert set(schema["$defs"]["Capabilities"]["properties"]) > QUIRK_NAMES
    json.dumps(schema)
    example = json.loads((Path(__file__).parents[3] / "settings.example.json").read_text("utf-8"))
    assert set(example) <= set(schema["properties"])


def test_targets_load_without_pydantic() -> None:
    code = (
        "import sys, franca.settings.target\n"
        "from franca.settings import settings, Settings, Target\n"
        "from franca.settings.adhoc import adhoc\n"
        "Settings().resolve('local', 'm')\n"
        "adhoc('local', 'm', base_url='http://l.test/v1', api_key='k')\n"
        "sys.exit('pydantic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_default_is_one_instance() -> None:
    from franca.settings.load import settings as same

    assert settings is same
