"""The libraries that are compared, and how one calls each.

Each is loaded when it is the subject: the others need not be installed.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

MESSAGES = [{"role": "user", "content": "Say the word, please."}]
MODULES = {
    "sdk": "openai",
    "franca": "franca",
    "litellm": "litellm",
    "any-llm": "any_llm",
    "vv-llm": "vv_llm",
    "http": "openai",
}
"""The subjects, and the module that each is."""


def load(name: str) -> Any:
    """The module of that name."""
    return import_module(name)


class Subject:
    """How one library makes each kind of call; a kind that it has no word for is left out."""

    sync: Any

    def __init__(self, url: str) -> None:
        self.url, self.v1 = url, f"{url}/v1"

    def first(self) -> Any:
        """A fresh process's first call, without settings."""
        return self.sync()


class Sdk(Subject):
    """The vendors' own: openai and, where it is asked, anthropic."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._openai = load("openai")
        self._options = {"base_url": self.v1, "api_key": "x"}
        self._client = self._openai.OpenAI(**self._options)
        self._aclient: Any = None
        self._anthropic: Any = None

    def _async(self) -> Any:
        if self._aclient is None:
            self._aclient = self._openai.AsyncOpenAI(**self._options)
        return self._aclient.chat.completions

    def sync(self) -> Any:
        answer = self._client.chat.completions.create(model="m", messages=MESSAGES)
        return answer.choices[0].message.content

    async def aio(self) -> Any:
        return (await self._async().create(model="m", messages=MESSAGES)).choices[0].message.content

    def stream(self) -> str:
        chunks = self._client.chat.completions.create(
            model="m", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)

    async def astream(self) -> str:
        chunks = await self._async().create(
            model="m", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        return "".join([c.choices[0].delta.content or "" async for c in chunks if c.choices])

    def anthropic(self) -> Any:
        if self._anthropic is None:
            self._anthropic = load("anthropic").Anthropic(base_url=self.url, api_key="x")
        create = self._anthropic.messages.create
        return create(model="m", max_tokens=1024, messages=MESSAGES).content[0].text


class Franca(Subject):
    """This project, with limits on that nobody reaches."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._franca = load("franca")
        self._sync: Any = None
        self._aclient: Any = None
        self._anthropic: Any = None

    @property
    def _client(self) -> Any:
        if self._sync is None:
            self._sync = self._limited(self._franca.create_chat_client, "local", self.v1)
        return self._sync

    def first(self) -> Any:
        return self.make().create_completion(MESSAGES).content

    def make(self) -> Any:
        create = self._franca.create_chat_client
        return create("local", model="m", base_url=self.v1, api_key="x")

    def _limited(self, create: Any, backend: str, base_url: str) -> Any:
        place = {"base_url": base_url, "api_key": "x", "rpm": 10**8, "tpm": 10**12}
        return create(backend, model="m", endpoints=[{**place, "concurrent_requests": 10**6}])

    def _async(self) -> Any:
        if self._aclient is None:
            create = self._franca.create_async_chat_client
            self._aclient = self._limited(create, "local", self.v1)
        return self._aclient

    def flow(self, calls: int) -> float:
        """CPU seconds that the flow adds to a call, which is fed a reply at once."""
        import flows

        return flows.flow(calls)

    def limits(self, calls: int) -> float:
        """CPU seconds that the limits add to a call's flow, which is fed a reply at once."""
        import flows

        return flows.limits(calls)

    def sync(self) -> Any:
        return self._client.create_completion(MESSAGES).content

    async def aio(self) -> Any:
        return (await self._async().create_completion(MESSAGES)).content

    def stream(self) -> str:
        return "".join(delta.content or "" for delta in self._client.create_stream(MESSAGES))

    async def astream(self) -> str:
        deltas = self._async().create_stream(MESSAGES)
        return "".join([delta.content or "" async for delta in deltas])

    def anthropic(self) -> Any:
        if self._anthropic is None:
            create = self._franca.create_chat_client
            self._anthropic = self._limited(create, "anthropic", self.url)
        return self._anthropic.create_completion(MESSAGES, max_tokens=1024).content


class Functions(Subject):
    """A library with `completion` and `acompletion`; `_openai` is what they are told."""

    _lib: Any
    _openai: dict[str, Any]

    def sync(self) -> Any:
        return self._lib.completion(**self._openai).choices[0].message.content

    async def aio(self) -> Any:
        return (await self._lib.acompletion(**self._openai)).choices[0].message.content

    def stream(self) -> str:
        chunks = self._lib.completion(**self._openai, stream=True)
        return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)

    async def astream(self) -> str:
        chunks = await self._lib.acompletion(**self._openai, stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in chunks if c.choices])


class Litellm(Functions):
    """litellm's functions, which keep their clients."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._lib = load("litellm")
        self._options = {"messages": MESSAGES, "api_key": "x"}
        self._openai = {**self._options, "model": "openai/m", "api_base": self.v1}

    def anthropic(self) -> Any:
        options = {**self._options, "model": "anthropic/m", "api_base": self.url}
        return self._lib.completion(**options, max_tokens=1024).choices[0].message.content


class AnyLlm(Functions):
    """any-llm's client; its functions make a new one for each call, at twenty times the cost."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._lib = load("any_llm").AnyLLM.create("openai", api_key="x", api_base=self.v1)
        self._openai = {"model": "m", "messages": MESSAGES}


class VvLlm(Subject):
    """vv-llm's clients, from a settings document."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._clients = load("vv_llm.chat_clients")
        models = {"gpt-4o": {"id": "gpt-4o", "endpoints": ["here"]}}
        here = {"id": "here", "api_base": self.v1, "api_key": "x"}
        load("vv_llm.settings").settings.load(
            {"VERSION": "2", "endpoints": [here], "backends": {"openai": {"models": models}}}
        )
        self._client = self._clients.create_chat_client("openai", model="gpt-4o")
        self._aclient: Any = None

    def _async(self) -> Any:
        if self._aclient is None:
            self._aclient = self._clients.create_async_chat_client("openai", model="gpt-4o")
        return self._aclient

    def sync(self) -> Any:
        return self._client.create_completion(messages=MESSAGES).content

    async def aio(self) -> Any:
        return (await self._async().create_completion(messages=MESSAGES)).content

    def stream(self) -> str:
        chunks = self._client.create_stream(messages=MESSAGES)
        return "".join(chunk.content or "" for chunk in chunks)

    async def astream(self) -> str:
        chunks = await self._async().create_stream(messages=MESSAGES)
        return "".join([chunk.content or "" async for chunk in chunks])


class Http(Subject):
    """The HTTP client that both SDKs stand on, bare: how low one may go with it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._lib = load("openai")
        self._client = self._lib.DefaultHttpxClient()
        self._aclient: Any = None
        self._call = (f"{self.v1}/chat/completions", {"model": "m", "messages": MESSAGES})

    def sync(self) -> Any:
        url, body = self._call
        return self._client.post(url, json=body).json()["choices"][0]["message"]["content"]

    async def aio(self) -> Any:
        self._aclient = self._aclient or self._lib.DefaultAsyncHttpxClient()
        url, body = self._call
        answer = await self._aclient.post(url, json=body)
        return answer.json()["choices"][0]["message"]["content"]


SUBJECTS: dict[str, Callable[[str], Subject]] = {
    "sdk": Sdk,
    "franca": Franca,
    "litellm": Litellm,
    "any-llm": AnyLlm,
    "vv-llm": VvLlm,
    "http": Http,
}
