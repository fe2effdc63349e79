"""One row a backend: wire, addresses, key variable, quirks. A 17th backend is a line here.

Addresses are the vendors' own documentation's, as of 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from franca.backends import builtin
from franca.backends.quirks import Quirks
from franca.types import BackendType

OPENAI_CHAT = "openai-chat"
ANTHROPIC_MESSAGES = "anthropic-messages"


@dataclass(slots=True, frozen=True)
class Row:
    """A backend as data.

    Args:
        url: the base URL by region; the first one is the default.
        key: the environment variable the vendor's own SDK reads.
        default_model: for a first try without settings, None where there is none worth naming.
        tools_at: `Quirks.builtin_tools` at addresses that begin so, in place of the row's.
    """

    backend: BackendType
    urls: dict[str, str]
    key: str | None
    wire: str = OPENAI_CHAT
    quirks: Quirks = field(default_factory=Quirks)
    default_model: str | None = None
    tools_at: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def url(self, region: str | None = None) -> str:
        """The base URL for a region; a region with none of its own takes the first."""
        return self.urls.get(region or "", next(iter(self.urls.values()), ""))


_THINKING_TYPE = Quirks(thinking="thinking_type", resend_reasoning="tool_calls")

_ROWS = (
    Row(
        BackendType.OpenAI,
        {"intl": "https://api.openai.com/v1"},
        "OPENAI_API_KEY",
        quirks=Quirks(
            max_tokens_field="max_completion_tokens",
            thinking="reasoning_effort",
            developer_role=True,
            unsupported=("top_k",),
            builtin_tools=builtin.OPENAI,
        ),
        default_model="gpt-6-luna",
    ),
    Row(
        BackendType.Anthropic,
        {"intl": "https://api.anthropic.com"},
        "ANTHROPIC_API_KEY",
        wire=ANTHROPIC_MESSAGES,
        quirks=Quirks(
            thinking="anthropic",
            resend_reasoning="always",
            cached_limited=False,
            url_files=True,
            builtin_tools=builtin.ANTHROPIC,
        ),
        default_model="claude-sonnet-4-6",
    ),
    Row(
        BackendType.DeepSeek,
        {"cn": "https://api.deepseek.com"},
        "DEEPSEEK_API_KEY",
        quirks=_THINKING_TYPE.merge(
            json_schema=False, unsupported=("n", "seed"), builtin_tools=builtin.DEEPSEEK
        ),
        default_model="deepseek-flash",
        tools_at={"https://api.deepseek.com/anthropic": builtin.DEEPSEEK_MESSAGES},
    ),
    Row(
        BackendType.Gemini,
        {"intl": "https://generativelanguage.googleapis.com/v1beta/openai"},
        "GEMINI_API_KEY",
        quirks=Quirks(thinking="thinking_config", url_images=False, builtin_tools=builtin.GEMINI),
        default_model="gemini-3.8-flash",
    ),
    Row(
        BackendType.Qwen,
        {
            "cn": "https://dashscope.aliyuncs.com/compatible-mode/v1",
            "intl": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        },
        "DASHSCOPE_API_KEY",
        quirks=Quirks(thinking="enable_thinking", builtin_tools=builtin.QWEN),
        default_model="qwen-plus",
    ),
    Row(
        BackendType.Groq,
        {"intl": "https://api.groq.com/openai/v1"},
        "GROQ_API_KEY",
        quirks=Quirks(
            max_tokens_field="max_completion_tokens",
            thinking="reasoning_effort",
            reasoning_field="reasoning",
            think_tags=True,
            unsupported=("logprobs", "top_logprobs", "logit_bias"),
            builtin_tools=builtin.GROQ,
        ),
        default_model="openai/gpt-oss-120b",
    ),
    Row(
        BackendType.Mistral,
        {"intl": "https://api.mistral.ai/v1"},
        "MISTRAL_API_KEY",
        quirks=Quirks(
            thinking="reasoning_effort",
            renamed=(("seed", "random_seed"),),
            unsupported=("logprobs", "top_logprobs", "logit_bias", "user"),
            stream_usage=False,
            url_files=True,
            tool_media=True,  # and no user's turn may follow a tool's answer
            builtin_tools=builtin.MISTRAL,
        ),
        default_model="mistral-small-latest",
    ),
    Row(
        BackendType.Moonshot,
        {"cn": "https://api.moonshot.cn/v1", "intl": "https://api.moonshot.ai/v1"},
        "MOONSHOT_API_KEY",
        quirks=_THINKING_TYPE.merge(builtin_tools=builtin.MOONSHOT),
        default_model="kimi-k2.6",
    ),
    Row(
        BackendType.MiniMax,
        {"cn": "https://api.minimaxi.com/v1", "intl": "https://api.minimax.io/v1"},
        "MINIMAX_API_KEY",
        quirks=Quirks(
            think_tags=True,
            resend_reasoning="always",
            reasoning_field="<think>",
            builtin_tools=builtin.MINIMAX,
        ),
        default_model="MiniMax-M3",
    ),
    Row(BackendType.Yi, {"cn": "https://api.lingyiwanwu.com/v1"}, "YI_API_KEY"),
    Row(
        BackendType.ZhiPuAI,
        {"cn": "https://open.bigmodel.cn/api/paas/v4", "intl": "https://api.z.ai/api/paas/v4"},
        "ZHIPUAI_API_KEY",
        quirks=_THINKING_TYPE.merge(
            json_schema=False, renamed=(("user", "user_id"),), builtin_tools=builtin.ZHIPUAI
        ),
        default_model="glm-4.6",
        tools_at={
            "https://api.z.ai/api/paas/": builtin.ZAI,
            "https://api.z.ai/api/coding/paas/": builtin.ZAI,
        },
    ),
    Row(
        BackendType.Baichuan,
        {"cn": "https://api.baichuan-ai.com/v1"},
        "BAICHUAN_API_KEY",
        quirks=Quirks(builtin_tools=builtin.BAICHUAN),
    ),
    Row(
        BackendType.StepFun,
        {"cn": "https://api.stepfun.com/v1", "intl": "https://api.stepfun.ai/v1"},
        "STEPFUN_API_KEY",
        quirks=Quirks(reasoning_field="reasoning", builtin_tools=builtin.STEPFUN),
    ),
    Row(
        BackendType.XAI,
        {"intl": "https://api.x.ai/v1"},
        "XAI_API_KEY",
        quirks=Quirks(thinking="reasoning_effort", builtin_tools=builtin.XAI),
        default_model="grok-4.3",
    ),
    Row(
        BackendType.Ernie,
        {"cn": "https://qianfan.baidubce.com/v2"},
        "QIANFAN_API_KEY",
        quirks=Quirks(
            thinking="enable_thinking",
            max_tokens_field="max_completion_tokens",
            builtin_tools=builtin.ERNIE,
        ),
    ),
    Row(
        BackendType.Xiaomi,
        {"cn": "https://api.xiaomimimo.com/v1"},
        "XIAOMI_API_KEY",
        quirks=_THINKING_TYPE.merge(
            max_tokens_field="max_completion_tokens", builtin_tools=builtin.XIAOMI
        ),
    ),
    Row(
        BackendType.Local,
        {"intl": "http://127.0.0.1:8080/v1"},
        None,
        quirks=Quirks(think_tags=True, thinking="reasoning_effort"),
    ),
    Row(
        BackendType.OpenRouter,
        {"intl": "https://openrouter.ai/api/v1"},
        "OPENROUTER_API_KEY",
        quirks=Quirks(
            thinking="reasoning_object",
            resend_reasoning="always",
            reasoning_field="reasoning",
            url_files=True,
            builtin_tools=builtin.OPENROUTER,
        ),
    ),
    Row(
        BackendType.SiliconFlow,
        {"cn": "https://api.siliconflow.cn/v1", "intl": "https://api.siliconflow.com/v1"},
        "SILICONFLOW_API_KEY",
        quirks=Quirks(thinking="enable_thinking"),
    ),
    Row(
        BackendType.Doubao,
        {"cn": "https://ark.cn-beijing.volces.com/api/v3"},
        "ARK_API_KEY",
        quirks=_THINKING_TYPE.merge(builtin_tools=builtin.DOUBAO),
    ),
    Row(
        BackendType.Hunyuan,
        {"cn": "https://api.hunyuan.cloud.tencent.com/v1"},
        "HUNYUAN_API_KEY",
        quirks=Quirks(thinking="enable_thinking", builtin_tools=builtin.HUNYUAN),
    ),
)

BACKENDS: dict[BackendType, Row] = {row.backend: row for row in _ROWS}
