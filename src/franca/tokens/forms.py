"""What vendors write around texts, in tokens. Data.

Fitted to the billed prompt tokens of the wire corpus (recorded until 2026-08), or, where it has too
few, the tokens of the published chat template; docs/tokens.md says which.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from franca.tokens.tools import Style


@dataclass(slots=True, frozen=True)
class Form:
    """The tokens that are not the texts' own.

    Args:
        base: once a prompt.
        message: once a message; `system`: in its place for a system message.
        answer: once more for an earlier answer in words.
        call, result: once a tool call, a tool's answer.
        tools: once, where there are tools. tool: once a tool.
        tools_chat: once more for tools on OpenAI's chat wire.
        tool_scale: what a definition costs, to its text in `tool_style`.
        forced: once, where a tool must be called.
        schema: once, where the answer is to follow a schema. schema_scale: as `tool_scale`.
        thinking: once, where thinking is on.
        reasoning: whether what the model thought is read again in the history.
        strips: whether thoughts in tags, in the text of an earlier answer, are left out.
    """

    base: float = 4
    message: float = 4
    system: float | None = None
    answer: float = 0
    call: float = 20
    result: float = 8
    tools: float = 100
    tool: float = 10
    tools_chat: float = 0
    tool_scale: float = 1
    tool_style: Style = "json"
    forced: float = 0
    schema: float = 0
    schema_scale: float = 0
    thinking: float = 0
    reasoning: bool = False
    strips: bool = False


GPT_4O = Form(
    base=3, message=4, call=5, result=3, tools=11, tools_chat=5, tool=-1.5, tool_style="typescript",
    schema_scale=0.75,
)  # fmt: skip
GPT_5 = replace(
    GPT_4O, base=2, answer=2, call=7, result=6, tools=10, tools_chat=77, tool=5, tool_scale=0.95
)
GPT_OSS = replace(GPT_5, base=66, tools_chat=0)
CLAUDE = Form(
    base=4.5, message=2, call=46, result=4, tools=497, tool=-1, tool_scale=0.91, forced=85,
    schema=150, schema_scale=0.75, thinking=29, reasoning=True,
)  # fmt: skip
CLAUDE_4 = replace(CLAUDE, tools=318, tool=0, tool_scale=0.85)
GEMINI = Form(base=1, message=0, call=3, result=3, tools=0, tool=-4, tool_scale=0.8)
GEMINI_3 = replace(GEMINI, tool=-17.5, tool_scale=1.08)
GEMINI_WORDS = replace(GEMINI, base=0, tool=0, call=-4, result=0, tool_scale=1, tool_style="words")
NOVA_2 = Form(base=-3, message=3, system=0, call=15, result=12, tools=856, tool=0)
NOVA = replace(NOVA_2, tools=360, tool_scale=0.9)
DEEPSEEK_4 = Form(
    base=82, message=1, call=30, result=10, tools=220, tool=0, reasoning=True, strips=True
)  # fmt: skip
DEEPSEEK = Form(
    base=4, message=1, call=45, result=10, tools=218, tool=0, reasoning=True, strips=True
)
DEEPSEEK_R1 = replace(DEEPSEEK, base=2, reasoning=False)
QWEN = Form(base=3, message=5, call=18, result=8, tools=79, tool=9, strips=True)
GLM = Form(base=4, message=1, call=12, result=4, tools=100, tool=9, reasoning=True, strips=True)
GLM_45 = replace(GLM, message=2, answer=3)  # a line's end after each role, and empty thoughts
GLM_5 = replace(GLM, base=11)
KIMI = Form(base=3, message=4, tools=10, tool=12, reasoning=True)
LLAMA_3 = Form(base=30, message=5, system=0, call=15, result=4, tools=80, tool=10)
LLAMA_4 = Form(base=5, message=4, call=15, result=4, tools=85, tool=10)
LLAMA_4_GROQ = replace(LLAMA_4, tools=640)
MISTRAL = Form(base=0, message=3, call=0, result=0, tools=0, tool=12, tool_scale=1.04)
MISTRAL_SMALL = replace(MISTRAL, base=12)  # an instruction of its own
GEMMA = Form(base=5, message=4)
GROK = Form(base=5, message=3)
GROK_4 = replace(GROK, base=683)  # an instruction of its own, here and in the next two
GROK_4_FAST = replace(GROK, base=160)
GROK_CODE = replace(GROK, base=203)
MINIMAX = Form(base=18, message=4, reasoning=True)
OTHER = Form()
