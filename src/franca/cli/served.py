"""Which models an endpoint says it serves: GET …/models, on the endpoint's own link."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from franca.backends import ANTHROPIC_MESSAGES
from franca.errors import APIError, FrancaError
from franca.settings.target import Target
from franca.settings.wires import is_plain
from franca.transport import links
from franca.transport.failures import translate
from franca.transport.link import Link

TIMEOUT = 30.0  # seconds
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Listing:
    """One endpoint's answer.

    Args:
        targets: what the settings send there.
        names: in the order of the answer.
        error: why there are none, scrubbed of keys.
    """

    backend: str
    endpoint_id: str
    targets: tuple[Target, ...]
    names: tuple[str, ...] = ()
    error: str | None = None


def listings(targets: Iterable[Target], timeout: float = TIMEOUT) -> list[Listing]:
    """What the endpoints of these targets serve, each asked once, some at the same time.

    Args:
        timeout: seconds for each endpoint.
    """
    places: dict[tuple[str, str], list[Target]] = {}
    for target in targets:
        places.setdefault((target.backend, target.endpoint_id), []).append(target)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda group: _listing(tuple(group), timeout), places.values()))


def _listing(targets: tuple[Target, ...], timeout: float) -> Listing:
    target = targets[0]
    place = (target.backend, target.endpoint_id, targets)
    if not is_plain(target.endpoint.type):
        return Listing(*place, error=f"{target.endpoint.type} endpoints do not list models")
    try:
        return Listing(*place, tuple(_asked(target, timeout)))
    except FrancaError as error:
        return Listing(*place, error=f"{type(error).__name__}: {error}")


def _asked(target: Target, timeout: float) -> list[str]:
    """The models' names.

    Raises:
        FrancaError: the endpoint cannot be asked, or does not answer.
    """
    link = links.acquire(target.endpoint)
    try:
        found = names(_got(link, target, timeout))
        if found is None:
            raise APIError(
                "the answer lists no models",
                backend=target.backend,
                endpoint_id=target.endpoint_id,
            )
        return found
    except FrancaError:
        raise
    except Exception as error:
        if (ours := translate(error, target)) is None:
            raise
        raise ours from None
    finally:
        links.release(target.endpoint, link)


def _got(link: Link, target: Target, timeout: float) -> Any:
    fresh = {"authorization": f"Bearer {link.key()}"} if link.key else {}
    options: dict[str, Any] = {"max_retries": 0, "timeout": timeout}
    options |= {"headers": {**fresh, **target.headers}}
    path = "/models"
    if target.wire == ANTHROPIC_MESSAGES:
        options |= {"params": {"limit": 1000}}
        if not str(link.sdk.base_url).rstrip("/").endswith("/v1"):
            path = "/v1/models"
    return link.sdk.get(path, cast_to=object, options=options)


def names(answer: Any) -> list[str] | None:
    """The names in an answer of OpenAI's or Anthropic's form, or a bare list; None in another."""
    keys = ("data", "models")
    if isinstance(answer, dict):
        answer = next((answer[key] for key in keys if key in answer), None)
    if not isinstance(answer, list):
        return None
    found = [r.get("id") or r.get("name") if isinstance(r, dict) else r for r in answer]
    return [name for name in found if isinstance(name, str)]
