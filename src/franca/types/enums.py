"""The closed sets of words."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal


class BackendType(StrEnum):
    """A vendor. The plain string works wherever a member does."""

    OpenAI = "openai"
    Anthropic = "anthropic"
    DeepSeek = "deepseek"
    Gemini = "gemini"
    Qwen = "qwen"
    Groq = "groq"
    Mistral = "mistral"
    Moonshot = "moonshot"
    MiniMax = "minimax"
    Yi = "yi"
    ZhiPuAI = "zhipuai"
    Baichuan = "baichuan"
    StepFun = "stepfun"
    XAI = "xai"
    Ernie = "ernie"
    Xiaomi = "xiaomi"
    Local = "local"
    OpenRouter = "openrouter"
    SiliconFlow = "siliconflow"
    Doubao = "doubao"
    Hunyuan = "hunyuan"


class EndpointType(StrEnum):
    """How an endpoint is spoken to; `default` takes its backend's own wire."""

    Default = "default"
    OpenAI = "openai"
    OpenAIAzure = "openai_azure"
    OpenAIVertex = "openai_vertex"
    Anthropic = "anthropic"
    AnthropicVertex = "anthropic_vertex"
    AnthropicBedrock = "anthropic_bedrock"


Role = Literal["system", "developer", "user", "assistant", "tool"]

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "pause", "error", "other"]
