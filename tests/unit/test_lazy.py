"""A package's names: each leads somewhere, and is loaded no sooner than it is used."""

import importlib
import subprocess
import sys

import pytest

PACKAGES = "chat_clients media server settings testing tokens wire.anthropic_messages"
PACKAGES += " wire.openai_chat"


@pytest.mark.parametrize("package", PACKAGES.split())
def test_each_name_leads_somewhere(package: str) -> None:
    module = importlib.import_module(f"franca.{package}")
    assert dir(module) == sorted(module.__all__)
    assert all(getattr(module, name) is not None for name in module.__all__)
    with pytest.raises(AttributeError, match=f"'franca.{package}' has no attribute 'nope'"):
        _ = module.nope


def test_a_name_loads_its_module_once_at_its_first_use() -> None:
    code = """if True:
        import sys, franca.tokens as tokens
        print("franca.tokens.prices" in sys.modules, "cost" in vars(tokens))
        print(tokens.cost is sys.modules["franca.tokens.prices"].cost, "cost" in vars(tokens))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True", "True"]
