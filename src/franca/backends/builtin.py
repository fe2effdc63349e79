"""How each vendor is asked for the tools that it runs itself: values of `Quirks.builtin_tools`.

Each form stands under the page or the package that shows it, read in 2026-11. Where a vendor has a
tool, but not on the wire that franca speaks to it, a sentence stands in the form's place: what the
refusal says, and what to do instead. What is absent is not known to be offered at all.
"""

from __future__ import annotations

from typing import Any

Forms = dict[str, dict[str, Any] | str]

_SITES = {
    "max_uses": "${max_uses}",
    "allowed_domains": "${allowed_domains}",
    "blocked_domains": "${blocked_domains}",
}


def _elsewhere(where: str, *kinds: str) -> Forms:
    said = f"it is part of {where} alone; give the model a function of your own"
    return dict.fromkeys(kinds, said)


# anthropic 2.12: types/tool_union_param.py, types/beta/beta_request_mcp_server_url_definition_param
ANTHROPIC: Forms = {
    "web_search": {
        "tools": [
            {
                "type": "web_search_20250305",
                "name": "web_search",
                **_SITES,
                "user_location": "${user_location}",
            }
        ]
    },
    "web_fetch": {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch", **_SITES}]},
    "code_execution": {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
    "mcp": {
        "mcp_servers": [
            {
                "type": "url",
                "name": "${name}",
                "url": "${url}",
                "authorization_token": "${authorization_token}",
            }
        ],
        "tools": [
            {
                "type": "mcp_toolset",
                "mcp_server_name": "${name}",
                "default_config": "${others_off}",
                "configs": "${each_allowed}",
            }
        ],
    },
}
# openai 3.54: types/chat/completion_create_params.py, WebSearchOptions; of the models that search
OPENAI: Forms = {
    "web_search": {
        "web_search_options": {
            "search_context_size": "${search_context_size}",
            "user_location": "${approximate_location}",
        }
    },
    **_elsewhere("OpenAI's Responses API", "code_execution", "file_search", "mcp"),
}
# api-docs.deepseek.com/guides/web_tools.md shows the Messages form; that of Chat Completions is
# said to be there too, but no copy of it could be read
DEEPSEEK: Forms = dict.fromkeys(
    ("web_search", "web_fetch"),
    "use DeepSeek's other address: an endpoint of endpoint_type 'anthropic' with api_base "
    "https://api.deepseek.com/anthropic",
)
DEEPSEEK_MESSAGES: Forms = {  # of deepseek-flash
    "web_search": {"tools": [{"type": "deepseek_web_search", "name": "deepseek_web_search"}]},
    "web_fetch": {"tools": [{"type": "deepseek_read_url", "name": "deepseek_read_url"}]},
}
# ai.google.dev/gemini-api/docs/openai: functions alone
GEMINI = _elsewhere("Google's own API", "web_search", "web_fetch", "code_execution", "file_search")
# help.aliyun.com/zh/model-studio/web-search, …/qwen-code-interpreter
QWEN: Forms = {
    "web_search": {"enable_search": True},
    "code_execution": {"enable_code_interpreter": True},  # of thinking models, streamed
    **_elsewhere("Model Studio's Responses API", "web_fetch", "file_search"),
}
# groq 1.7: types/chat/chat_completion_tool_param.py; console.groq.com/docs/tool-use/remote-mcp
GROQ: Forms = {  # of gpt-oss; the compound systems have theirs on
    "web_search": {"tools": [{"type": "browser_search"}]},
    "code_execution": {"tools": [{"type": "code_interpreter"}]},
    **_elsewhere("Groq's Responses API", "mcp"),
}
# mistralai 3.7: client/models/chatcompletionrequest.py;
# docs.mistral.ai/resources/cookbooks/mistral-connectors-05-connectors-in-completions
MISTRAL: Forms = {
    "file_search": {"tools": [{"type": "document_library", "library_ids": "${vector_store_ids}"}]},
    "mcp": "register the server with Mistral, and pass its connector as a tool: "
    "{'type': 'connector', 'connector_id': its name}",
    **_elsewhere("Mistral's Conversations API", "web_search", "code_execution"),
}
# platform.kimi.ai/docs/guide/use-web-search
MOONSHOT: Forms = {
    "web_search": "Moonshot's search is a call that you answer with its own arguments: pass "
    "{'type': 'builtin_function', 'function': {'name': '$web_search'}}, without thinking"
}
# docs.bigmodel.cn/api-reference, and docs.z.ai/api-reference/llm/chat-completion (its OpenAPI
# document), /guides/capabilities/mcp-call: the two addresses know different engines
_ZHIPUAI_SEARCH = {
    "enable": True,
    "search_result": True,
    "search_domain_filter": "${only_allowed_domain}",
    "content_size": "${search_context_size}",
}
_ZHIPUAI: Forms = {
    "file_search": {
        "tools": [{"type": "retrieval", "retrieval": {"knowledge_id": "${only_vector_store_id}"}}]
    },
    "mcp": {
        "tools": [
            {
                "type": "mcp",
                "mcp": {
                    "server_label": "${name}",
                    "server_url": "${url}",
                    "transport_type": "${transport}",
                    "headers": "${all_headers}",
                    "allowed_tools": "${allowed_tools}",
                },
            }
        ]
    },
}


def _zhipuai(engine: str) -> Forms:
    search = {"search_engine": engine, **_ZHIPUAI_SEARCH}
    return {"web_search": {"tools": [{"type": "web_search", "web_search": search}]}, **_ZHIPUAI}


ZHIPUAI = _zhipuai("search_std")
ZAI = _zhipuai("search_pro_jina")
# platform.baichuan-ai.com/docs/api; lobehub/lobe-chat, model-runtime/src/providers/baichuan
BAICHUAN: Forms = {
    "web_search": {"tools": [{"type": "web_search", "web_search": {"enable": True}}]},
}
# platform.stepfun.com/docs/zh/guides/developer/web-search and /retrieval
STEPFUN: Forms = {
    "web_search": {
        "tools": [{"type": "web_search", "function": {"description": "Searches the web."}}]
    },
    "file_search": {
        "tools": [
            {
                "type": "retrieval",
                "function": {
                    "name": "file_search",
                    "description": "Searches the given documents.",
                    "options": {
                        "vector_store_id": "${only_vector_store_id}",
                        "prompt_template": "Answer {{query}} from: {{knowledge}}",
                    },
                },
            }
        ]
    },
}
# cloud.baidu.com/doc/qianfan-docs/s/Wm8r4sw29
ERNIE: Forms = {
    "web_search": {
        "web_search": {"enable": True, "enable_citation": True, "enable_trace": True},
    }
}
# platform.xiaomimimo.com/docs/en-US/usage-guide/tool-calling/web-search
XIAOMI: Forms = {
    "web_search": {"tools": [{"type": "web_search", "user_location": "${user_location}"}]},
}
# cloud.tencent.com/document/product/1729/111007
HUNYUAN: Forms = {"web_search": {"enable_enhancement": True, "search_info": True}}
# openrouter 1.3.84: components/chatfunctiontool.py, websearchconfig.py, webfetchservertoolconfig.py
OPENROUTER: Forms = {
    "web_search": {
        "tools": [
            {
                "type": "openrouter:web_search",
                "parameters": {
                    "max_uses": "${max_uses}",
                    "allowed_domains": "${allowed_domains}",
                    "excluded_domains": "${blocked_domains}",
                    "search_context_size": "${search_context_size}",
                    "user_location": "${user_location}",
                },
            }
        ]
    },
    "web_fetch": {"tools": [{"type": "openrouter:web_fetch", "parameters": _SITES}]},
    "code_execution": {  # with another engine, the commands are left to the caller
        "tools": [{"type": "openrouter:bash", "parameters": {"engine": "openrouter"}}]
    },
}
# xai-sdk 1.21: tools.py; docs.x.ai/developers/tools/remote-mcp; on Chat Completions
# search_parameters is answered with 410 (github.com/vercel/ai/pull/15713)
XAI = _elsewhere("xAI's Responses API", "web_search", "code_execution", "file_search", "mcp")
# volcengine.com/docs/82379/1756990
DOUBAO = _elsewhere("Ark's Responses API", "web_search")
# docs.openclaw.ai/tools/minimax-search
MINIMAX: Forms = {
    "web_search": "MiniMax has it at an address of its own, /v1/coding_plan/search: give the model "
    "a function that asks there"
}
