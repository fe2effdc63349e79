"""The vendors' SDK clients, and the HTTP clients beneath them, built from an endpoint."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from franca.errors import MissingExtraError, SettingsError, scrub
from franca.settings.target import Endpoint
from franca.transport.clock import HOOKS
from franca.types import EndpointType

_ANTHROPIC = frozenset(
    {EndpointType.Anthropic, EndpointType.AnthropicVertex, EndpointType.AnthropicBedrock}
)
_NO_KEY = "none"  # the SDKs insist on one; a local server does not look

DIRECT = frozenset({EndpointType.OpenAI, EndpointType.OpenAIVertex, EndpointType.Anthropic})
"""The types whose headers are static: requests go out on the HTTP client itself."""


def http_client(endpoint: Endpoint, *, is_async: bool) -> Any:
    """A pooled HTTP client for an endpoint, with its proxy and certificates.

    Raises:
        SettingsError: the proxy or a certificate cannot be used; shows neither's content.
    """
    package = import_module("anthropic" if endpoint.type in _ANTHROPIC else "openai")
    options: dict[str, Any] = {"proxy": endpoint.proxy} if endpoint.proxy else {}
    if endpoint.verify is not True:
        options["verify"] = _tls(endpoint)
    if not (is_async or endpoint.type in DIRECT):
        options["event_hooks"] = HOOKS
    kind = package.DefaultHttpxClient
    if is_async:  # aiohttp's pool is twice as cheap; what has options is left to the plain one
        kind = package.DefaultAsyncHttpxClient if options else package.DefaultAioHttpClient
    try:
        return kind(**options)
    except (ValueError, TypeError, ImportError):
        if not endpoint.proxy:
            raise
        line = f"endpoints.{endpoint.id}.proxy: expected a URL with http, https or socks5"
        raise SettingsError([line]) from None  # the library's own words show its password


def sdk_client(endpoint: Endpoint, http: Any, *, is_async: bool) -> Any:
    """The vendor's SDK client for an endpoint, on that HTTP client, its retries off.

    Raises:
        MissingExtraError: the cloud's library is not installed.
        SettingsError: the endpoint lacks what its cloud needs.
    """
    module, name, arguments = _KINDS[endpoint.type]
    kind = getattr(import_module(module), f"Async{name}" if is_async else name)
    options = {key: value for key, value in arguments(endpoint).items() if value is not None}
    try:
        return kind(**options, http_client=http, max_retries=0)
    except (ValueError, TypeError) as error:
        words = scrub(str(error), endpoint.secrets())
        raise SettingsError([f"endpoints.{endpoint.id}: {words}"]) from None


def key_source(endpoint: Endpoint) -> Callable[[], str] | None:
    """What gives the key anew at each call, None where it stays the same."""
    if endpoint.type is EndpointType.OpenAIVertex and endpoint.api_key is None:
        return _google_token(endpoint)
    secret = endpoint.api_key
    return None if secret is None or secret.fixed else secret.reveal


def _tls(endpoint: Endpoint) -> bool | ssl.SSLContext:
    verify = endpoint.verify
    if isinstance(verify, bool):
        return verify
    try:
        return _context(*((None, None, verify) if isinstance(verify, str) else verify))
    except (OSError, ValueError) as error:  # a file that is absent, or of another kind
        why = getattr(error, "strerror", None) or type(error).__name__
        files = verify if isinstance(verify, str) else ", ".join(filter(None, verify))
        line = f"endpoints.{endpoint.id}.verify: cannot use {files}: {why}"
        raise SettingsError([line]) from None


def _context(
    certificate: str | None, key: str | None = None, ca: str | None = None
) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca or None)
    if certificate:
        context.load_cert_chain(certificate, key or None)
    return context


def _key(endpoint: Endpoint) -> str:
    secret = endpoint.api_key
    return (secret.reveal() if secret and secret.fixed else "") or _NO_KEY


def _openai(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "base_url": endpoint.url or _vertex_url(endpoint),
        "api_key": _key(endpoint),
        "organization": endpoint.organization,
    }


def _vertex_url(endpoint: Endpoint) -> str | None:
    if endpoint.type is not EndpointType.OpenAIVertex:
        return None
    given = dict(endpoint.credentials)
    place, project = _location(endpoint) or "global", given.get("project_id")
    if not project:
        raise SettingsError([f"endpoints.{endpoint.id}.credentials.project_id: is missing"])
    host = "aiplatform" if place == "global" else f"{place}-aiplatform"
    path = f"projects/{project}/locations/{place}/endpoints/openapi"
    return f"https://{host}.googleapis.com/v1/{path}"


def _azure(endpoint: Endpoint) -> dict[str, Any]:
    given = dict(endpoint.credentials)
    secret = endpoint.api_key
    token = given.get("azure_ad_token")
    return {
        "azure_endpoint": endpoint.url,
        "api_version": given.get("api_version") or "2024-10-21",
        "api_key": None if token else (_key(endpoint) if secret and secret.fixed else None),
        "azure_ad_token": token,
        "azure_ad_token_provider": secret.reveal if secret and not secret.fixed else None,
        "organization": endpoint.organization,
    }


def _anthropic(endpoint: Endpoint) -> dict[str, Any]:
    return {"base_url": endpoint.url or None, "api_key": _key(endpoint)}


def _anthropic_vertex(endpoint: Endpoint) -> dict[str, Any]:
    given = dict(endpoint.credentials)
    return {
        "base_url": endpoint.url or None,
        "region": _location(endpoint),
        "project_id": given.get("project_id"),
        # one that changes goes out as each request's own header
        "access_token": _key(endpoint) if endpoint.api_key else None,
        "credentials": None if endpoint.api_key else _google_credentials(endpoint),
    }


def _anthropic_bedrock(endpoint: Endpoint) -> dict[str, Any]:
    given = dict(endpoint.credentials)
    _extra("botocore", "bedrock")
    _extra("boto3", "bedrock")
    return {
        "base_url": endpoint.url or None,
        "aws_region": given.get("aws_region") or endpoint.region,
        "aws_access_key": given.get("aws_access_key") or given.get("access_key"),
        "aws_secret_key": given.get("aws_secret_key") or given.get("secret_key"),
        "aws_session_token": given.get("aws_session_token") or given.get("session_token"),
        "aws_profile": given.get("aws_profile"),
        "api_key": endpoint.api_key.reveal() if endpoint.api_key else None,
    }


def _location(endpoint: Endpoint) -> str | None:
    given = dict(endpoint.credentials)
    return given.get("location") or given.get("region") or endpoint.region


def _extra(module: str, extra: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise MissingExtraError(module, extra) from None


def _google_credentials(endpoint: Endpoint) -> Any:
    """A service account's credentials from the settings, or the machine's own."""
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    _extra("google.auth.transport.requests", "vertex")
    given = dict(endpoint.credentials)
    if given.get("private_key"):
        accounts = _extra("google.oauth2.service_account", "vertex")
        return accounts.Credentials.from_service_account_info(given, scopes=scopes)
    if given.get("refresh_token"):
        users = _extra("google.oauth2.credentials", "vertex")
        return users.Credentials.from_authorized_user_info(given, scopes=scopes)
    return _extra("google.auth", "vertex").default(scopes=scopes)[0]


def _google_token(endpoint: Endpoint) -> Callable[[], str]:
    credentials = _google_credentials(endpoint)

    def token() -> str:
        if not credentials.valid:
            requests = sys.modules["google.auth.transport.requests"]
            credentials.refresh(requests.Request())
        return credentials.token

    return token


_KINDS: dict[EndpointType, tuple[str, str, Callable[[Endpoint], dict[str, Any]]]] = {
    EndpointType.OpenAI: ("openai", "OpenAI", _openai),
    EndpointType.OpenAIVertex: ("openai", "OpenAI", _openai),
    EndpointType.OpenAIAzure: ("openai", "AzureOpenAI", _azure),
    EndpointType.Anthropic: ("anthropic", "Anthropic", _anthropic),
    EndpointType.AnthropicVertex: ("anthropic", "AnthropicVertex", _anthropic_vertex),
    EndpointType.AnthropicBedrock: ("anthropic", "AnthropicBedrock", _anthropic_bedrock),
}
