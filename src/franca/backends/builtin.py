"""How each vendor is asked for the tools that it runs itself: values of `Quirks.builtin_tools`.

Only what the vendors' own documentation shows for the wire in question, as of 2026-11. Absent are
those that offer them on another API alone (OpenAI's Responses: xAI, Doubao; Gemini's own), and
those whose call the caller must answer (Moonshot's `$web_search`).
"""

from __future__ import annotations

from typing import Any

Forms = dict[str, dict[str, Any]]

_SITES = {
    "max_uses": "${max_uses}",
    "allowed_domains": "${allowed_domains}",
    "blocked_domains": "${blocked_domains}",
}
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
OPENAI: Forms = {  # of the models that search
    "web_search": {
        "web_search_options": {
            "search_context_size": "${search_context_size}",
            "user_location": "${approximate_location}",
        }
    }
}
QWEN: Forms = {
    "web_search": {"enable_search": True},
    "code_execution": {"enable_code_interpreter": True},  # of thinking models, streamed
}
GROQ: Forms = {  # of gpt-oss; the compound systems have theirs on
    "web_search": {"tools": [{"type": "browser_search"}]},
    "code_execution": {"tools": [{"type": "code_interpreter"}]},
}
MISTRAL: Forms = {
    "web_search": {"tools": [{"type": "web_search"}]},
    "code_execution": {"tools": [{"type": "code_interpreter"}]},
    "file_search": {"tools": [{"type": "document_library", "library_ids": "${vector_store_ids}"}]},
}
ZHIPUAI: Forms = {
    "web_search": {
        "tools": [
            {
                "type": "web_search",
                "web_search": {
                    "enable": True,
                    "search_engine": "search_pro",
                    "search_result": True,
                },
            }
        ]
    }
}
BAICHUAN: Forms = {
    "web_search": {"tools": [{"type": "web_search", "web_search": {"enable": True}}]},
}
STEPFUN: Forms = {
    "web_search": {
        "tools": [{"type": "web_search", "function": {"description": "Searches the web."}}]
    }
}
ERNIE: Forms = {
    "web_search": {
        "web_search": {"enable": True, "enable_citation": True, "enable_trace": True},
    }
}
XIAOMI: Forms = {
    "web_search": {"tools": [{"type": "web_search", "user_location": "${user_location}"}]},
}
HUNYUAN: Forms = {"web_search": {"enable_enhancement": True, "search_info": True}}
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
    "web_fetch": {"tools": [{"type": "openrouter:web_fetch"}]},
}
