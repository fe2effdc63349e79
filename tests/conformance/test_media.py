"""The recorded conversations through `format_messages`, which looks at every picture in them."""

from typing import Any

import corpus
import pytest

from franca.chat_clients import format_messages
from franca.types import BackendType


def no_fetch(url: str) -> bytes:
    raise AssertionError(f"fetched {url}")


@pytest.mark.parametrize(
    ("wire", "limit"), [("openai-chat", None), ("anthropic-messages", None), ("openai-chat", 8000)]
)
def test_every_conversation_goes_out_as_it_was_recorded(wire: str, limit: int | None) -> None:
    media = 0
    for record in corpus.records(wire):
        request: dict[str, Any] = record["request"]
        messages = list(request["messages"])
        if "system" in request:
            messages.insert(0, {"role": "system", "content": request["system"]})
        backend = record["vendor"] if record["vendor"] in list(BackendType) else None
        out = format_messages(
            messages, backend, wire=wire, max_image_dimension=limit, fetch=no_fetch
        )
        assert out == messages, corpus.name(record)
        media += str(messages).count("base64")
    assert media > 0
