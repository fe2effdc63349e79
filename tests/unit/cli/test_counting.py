"""`franca tokens` and `franca cost`."""

import json
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from franca.testing import Simulator
from franca.tokens import MODEL_PRICING, count_tokens, estimate_batch_cost, estimate_cost

KEY = "a-key-that-nobody-may-see"
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[..., Path]
TEXT = "How many tokens is this, and is it 数 too?"


def test_tokens_of_a_text_a_file_and_stdin(franca: Run, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT, "utf-8")
    count = count_tokens(TEXT, "gpt-5")
    as_text = franca("tokens", TEXT, "--model", "gpt-5")
    assert as_text.stdout.startswith(f"{count} tokens (gpt-5's own vocabulary")
    of_file = franca("tokens", "text.txt", "--model", "gpt-5")
    assert of_file.stdout.startswith(f"text.txt: {count} tokens")
    for arguments in (["-"], []):
        piped = franca("tokens", *arguments, "--model", "gpt-5", "--json", stdin=TEXT)
        told = json.loads(piped.stdout)
        assert (told["tokens"], told["characters"], told["exact"]) == (count, len(TEXT), True)


def test_an_estimate_says_so(franca: Run) -> None:
    assert "an estimate for claude" in franca("tokens", TEXT, "--model", "claude-sonnet-4-5").stdout
    assert "no known model" in franca("tokens", TEXT).stdout
    assert franca("tokens", "a").stdout.startswith("1 token (")


def test_tokens_of_what_is_no_text(franca: Run, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"\x89PNG\xff")
    for done in (franca("tokens", "picture"), franca("tokens", "-", stdin=b"\xff\xfe")):
        assert done.returncode == 1
        assert "not UTF-8" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_model_of_the_settings(franca: Run, settings_file: Write) -> None:
    models = {"quick": {"id": "deepseek-chat", "endpoints": ["one"]}}
    path = str(settings_file("http://127.0.0.1:9", backends={"deepseek": {"models": models}}))
    told = json.loads(
        franca("tokens", TEXT, "--model", "quick", "--json", "--settings", path).stdout
    )
    assert told["tokens"] == count_tokens(TEXT, "deepseek-chat")
    priced = franca(
        *("cost", "--model", "quick", "--prompt-tokens", "1000", "--json", "--settings", path)
    )
    expected = estimate_cost(1000, 0, "deepseek-chat", "deepseek")
    assert expected
    assert Decimal(json.loads(priced.stdout)["cost"]["amount"]) == expected.amount


def test_the_cost_of_a_call(franca: Run) -> None:
    call = ("cost", "--model", "gpt-5-mini", "--prompt-tokens", "12000")
    call += ("--completion-tokens", "800", "--cached", "1000")
    bill = estimate_cost(12000, 800, "gpt-5-mini", cached_tokens=1000)
    assert bill
    told = json.loads(franca(*call, "--json").stdout)["cost"]
    assert (Decimal(told["amount"]), told["currency"]) == (bill.amount, "USD")
    assert sum(map(Decimal, told["parts"].values())) == bill.amount
    shown = franca(*call)
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"USD {told['amount']}\n")


def test_the_cost_in_a_batch(franca: Run) -> None:
    call = ("cost", "--model", "gpt-5-mini", "--prompt-tokens", "12000", "--batch", "--json")
    bill = estimate_batch_cost([(12000, 0)], "gpt-5-mini")
    assert bill
    assert Decimal(json.loads(franca(*call).stdout)["cost"]["amount"]) == bill.amount


def test_a_price_that_nobody_knows(franca: Run) -> None:
    done = franca("cost", "--model", "nobodys-model", "--prompt-tokens", "1", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["cost"] is None
    assert franca("cost", "--model", "gpt-5-mini").returncode == 2


def record(model: str = "gpt-5-mini", backend: str = "openai", **more: Any) -> str:
    usage = {"prompt_tokens": 1000, "completion_tokens": 10, "cached_tokens": 100}
    return json.dumps({"model": model, "backend": backend, "usage": usage, **more})


def test_the_sum_of_a_file(franca: Run, tmp_path: Path) -> None:
    lines = [
        record(),
        record(),
        record("qwen-plus", "qwen"),
        record("qwen-plus", "qwen", cost={"amount": "7.5", "currency": "CNY"}),
    ]
    (tmp_path / "calls.jsonl").write_text("\n".join(lines) + "\n")
    done = franca("cost", "calls.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    first, second = told["models"]
    one = estimate_cost(1000, 10, "gpt-5-mini", cached_tokens=100)
    assert one
    assert (first["backend"], first["model"], first["calls"]) == ("openai", "gpt-5-mini", 2)
    assert (first["prompt_tokens"], first["cached_tokens"]) == (2000, 200)
    assert Decimal(first["cost"]["USD"]) == 2 * one.amount
    assert second["calls"] == 2
    total = told["total"]
    assert (total["calls"], total["completion_tokens"]) == (4, 40)
    other = estimate_cost(1000, 10, "qwen-plus", "qwen", cached_tokens=100)
    assert other
    assert total["cost"] == {**first["cost"], **second["cost"]}
    assert Decimal(total["cost"]["CNY"]) == other.amount + Decimal("7.5")
    table = franca("cost", "calls.jsonl").stdout
    assert "openai/gpt-5-mini" in table
    assert "4,000" in table


@pytest.mark.parametrize(
    "torn", [b'{"model": "gpt-5-mini", "usage": {"prom', b"null", b"\xff\xfe", b'{"usage": 3}']
)
def test_a_line_that_is_no_record(franca: Run, tmp_path: Path, torn: bytes) -> None:
    (tmp_path / "calls.jsonl").write_bytes(torn + b"\n\n" + record().encode() + b"\n")
    done = franca("cost", "calls.jsonl", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["unreadable"], told["total"]["calls"]) == ([1], 1)
    assert "line 1" in done.stderr


def test_an_unknown_price_is_not_zero(franca: Run, tmp_path: Path) -> None:
    (tmp_path / "calls.jsonl").write_text(f"{record()}\n{record('nobodys', 'local')}\n")
    done = franca("cost", "calls.jsonl", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["total"]["unpriced"] == 1
    assert "not known" in franca("cost", "calls.jsonl").stdout


def test_a_batch_file_costs_what_batches_do(franca: Run, tmp_path: Path) -> None:
    (tmp_path / "calls.jsonl").write_text(record(usage={"prompt_tokens": 1000}))
    # A result without its answer's tokens has no cost.
    assert franca("cost", "calls.jsonl").returncode == 1
    usage = {"prompt_tokens": 1000, "completion_tokens": 10}
    (tmp_path / "calls.jsonl").write_text(record(usage=usage))
    told = json.loads(franca("cost", "calls.jsonl", "--batch", "--json").stdout)
    bill = estimate_batch_cost([(1000, 10)], "gpt-5-mini")
    assert bill
    assert Decimal(told["total"]["cost"]["USD"]) == bill.amount


def test_what_ask_writes_cost_reads(franca: Run, settings_file: Write, tmp_path: Path) -> None:
    assert "gpt-5-mini" in MODEL_PRICING
    with Simulator(api_key=KEY) as sim:
        models = {"gpt-5-mini": {"endpoints": ["one"]}}
        path = str(settings_file(sim.url, backends={"openai": {"models": models}}))
        answers = [franca("ask", "Hi", "--json", "--settings", path).stdout for _ in range(2)]
    (tmp_path / "calls.jsonl").write_text("".join(answers))
    told = json.loads(franca("cost", "calls.jsonl", "--json").stdout)
    amounts = [Decimal(json.loads(answer)["cost"]["amount"]) for answer in answers]
    assert Decimal(told["total"]["cost"]["USD"]) == sum(amounts)
    assert franca("cost", "absent.jsonl").returncode == 1
