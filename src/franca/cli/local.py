"""`franca local`: a GGUF file behind an OpenAI- and Anthropic-compatible server, by llama.cpp."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn
from urllib.parse import urlsplit

import typer

from franca.cli import weights
from franca.cli.command import emit, note
from franca.errors import FrancaError, MissingExtraError
from franca.settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class LocalServerError(FrancaError):
    """The model cannot be served."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """What to serve, and how.

    Args:
        path: the GGUF file.
        port: 0 takes any free one.
        api_key: asked of callers; required where `host` is not loopback.
        alias: the model's name to callers; else the file's.
        context: tokens for each call, prompt and answer together.
        parallel: calls served at once.
        threads: that compute; None leaves it to llama.cpp. They wait for each other by spinning:
            on a busy machine one may answer a small model's calls many times faster than two.
    """

    path: Path
    host: str = "127.0.0.1"
    port: int = 8080
    api_key: str | None = field(default=None, repr=False)
    alias: str | None = None
    context: int = 2048
    parallel: int = 2
    threads: int | None = None
    verbose: bool = False

    @property
    def name(self) -> str:
        """The model's name to callers."""
        return self.alias or self.path.stem


def find(model: Path | None) -> Path:
    """The file to serve: the one named, or the demo's model in the cache.

    Raises:
        LocalServerError: there is none, or it is no GGUF file.
    """
    path = model or weights.cached()
    if path is None:
        raise LocalServerError("name a GGUF file, or run `franca demo` once to fetch a small one")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise LocalServerError(f"{path} cannot be read: {error.strerror}") from error
    if magic != b"GGUF":
        raise LocalServerError(f"{path} is not a GGUF file")
    return path


def serve(model: LocalModel, *, exit_with_parent: bool = False, as_json: bool = False) -> None:
    """Serve until Ctrl-C, SIGTERM or, where a parent holds our stdin, its end; then the process
    ends too.

    The address goes to stdout, on a line of its own, once the model is loaded.

    Raises:
        MissingExtraError: xllamacpp is not installed.
        LocalServerError: the server does not start.
    """
    ending = _Ending()
    server = start(model)
    ending.status = 0
    url = server.listening_address
    if as_json:
        emit({"url": url, "openai": f"{url}/v1", "anthropic": url, "model": model.name})
    else:
        typer.echo(url)  # a parent reads this line
    if not exit_with_parent:
        note("OpenAI at /v1, Anthropic at /; Ctrl-C ends it")
    _wait(exit_with_parent)
    ending.end()


def place(path: Path) -> dict[str, Any]:
    """Where the settings look for the backend `local`: host, port, key, the model's name.

    Raises:
        SettingsError: they cannot be used, or have no such backend.
    """
    (target, *_) = Settings().load(path).resolve("local")
    endpoint = target.endpoint
    url = urlsplit(endpoint.url)
    found = {"host": url.hostname, "port": url.port, "alias": target.model_id}
    key = endpoint.api_key.reveal() if endpoint.api_key else None
    return {name: value for name, value in {**found, "api_key": key}.items() if value}


def start(model: LocalModel) -> Any:
    """The running server of xllamacpp; it stops when it is collected."""
    if model.host not in _LOOPBACK and not model.api_key:
        raise LocalServerError(f"listening on {model.host} takes an --api-key")
    try:
        xllamacpp: Any = import_module("xllamacpp")
    except ImportError as error:
        raise MissingExtraError("xllamacpp", "local") from error
    try:
        return xllamacpp.Server(_params(xllamacpp.CommonParams(), model))
    except RuntimeError as error:
        raise LocalServerError(
            f"the server did not start on {model.host}:{model.port}; its reason is above"
        ) from error


def _params(params: Any, model: LocalModel) -> Any:
    params.model.path = str(model.path)
    params.hostnames = [model.host]
    params.port = model.port
    params.n_parallel = model.parallel
    params.n_ctx = model.context * model.parallel  # llama.cpp divides it among the calls
    if model.threads:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = model.threads
    params.model_alias = {model.name}
    params.api_keys = [model.api_key] if model.api_key else []
    params.ui = False
    params.endpoint_slots = False  # it would show other callers' prompts
    params.cors_origins = "http://127.0.0.1"  # no web page may read answers
    params.verbosity = 3 if model.verbose else 1
    return params


class _Ending:
    """A signal ends the process where it stands, with a status that says whether it was ready.

    What is raised in one of the server's callbacks would be dropped, and a server that has only
    just begun never ends of itself: it is not unwound. There is nothing of ours to tidy.
    """

    def __init__(self) -> None:
        self.status = 130
        signal.signal(signal.SIGTERM, self.end)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
            signal.signal(signal.SIGINT, self.end)

    def end(self, number: int = 0, frame: FrameType | None = None) -> NoReturn:
        with suppress(OSError):  # no terminal, or stderr is closed
            if os.isatty(2):
                os.write(2, b"\n")  # after the ^C that it shows
        os._exit(self.status)


def _wait(exit_with_parent: bool) -> None:
    if exit_with_parent:
        sys.stdin.buffer.read()
        return
    while True:
        time.sleep(60)
