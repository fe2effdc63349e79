"""What a vendor's own tools need in HTTP headers goes out with the request, and only with it."""

from __future__ import annotations

from franca import create_chat_client
from franca.testing import Simulator

MCP = {"type": "mcp", "name": "docs", "url": "https://mcp.example/sse"}


def test_a_tool_brings_its_beta_header() -> None:
    with Simulator() as sim:
        client = create_chat_client(
            "anthropic", model="claude-sonnet-4-5", base_url=sim.url, api_key="k"
        )
        client.create_completion("Hi", tools=[MCP], extra_headers={"Anthropic-Beta": "mine"})
        client.create_completion("Hi")
        with_tool, without = (r.headers.get("anthropic-beta") for r in sim.requests)
    assert with_tool is not None
    first, second = with_tool.split(",")
    assert first == "mine"
    assert second.startswith("mcp-client-")
    assert without is None
