"""The media of a conversation made ready for where it goes; the caller's messages stay as they are.

What has no picture, sound or document passes as the same object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from franca.errors import CallError, InvalidRequestError
from franca.media.header import read_header
from franca.media.shrink import fit
from franca.media.sources import audio, content, decoded, document, is_elsewhere, is_http, text
from franca.settings.target import Target
from franca.types import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Message,
    NativePart,
    Part,
    TextPart,
    ToolResult,
)
from franca.wire.policy import refuse

LEFT_OUT = "[A picture was here; this model reads text only.]"
"""Stands in for a picture that goes to a model without vision."""
MAX_FETCHED = 64 * 1024 * 1024
"""Bytes that are fetched at most for one conversation."""

Fetch = Callable[[str], bytes]
_MEDIA = (ImagePart, AudioPart, DocumentPart)
_AT_ONCE = 4  # fetches in flight


@dataclass(slots=True, frozen=True)
class Rules:
    """What is to be done.

    Args:
        vision: False puts `LEFT_OUT` in place of pictures.
        process: whether pictures are looked at and drawn anew where they must; see `fit`.
        max_dimension: pixels of a picture's longest side.
        fetched: by URL, what was fetched, or why not.
    """

    vision: bool = True
    process: bool = True
    max_dimension: int | None = None
    fetched: Mapping[str, bytes | CallError] = field(default_factory=dict)


def settle(
    messages: list[Message],
    targets: Sequence[Target],
    policy: str = "strict",
    *,
    vision: bool | None = None,
    process: bool = True,
    fetch: Fetch | None = None,
) -> list[Message]:
    """The conversation as any of the targets takes it; the same list where it holds no media.

    Files and bytes are read, pictures brought to what the targets take (see `fit`; the least
    `max_image_dimension` holds), URLs fetched where a target's vendor does not (`url_images`,
    `url_files`).
    For targets of which none has vision the policy decides: `strict` refuses pictures, `warn`
    puts a line of text in their place, `passthrough` sends them.

    Args:
        vision: instead of what the targets say; False puts the line of text, unasked.
        process: False leaves pictures as they are, and fetches nothing.
        fetch: gets the bytes at a URL, in threads; None: `franca.media.fetch`.

    Raises:
        InvalidRequestError: names the place of what cannot be sent.
        ConnectionError, TimeoutError: a URL could not be fetched.
        MissingExtraError: a picture must be drawn anew, and Pillow is not installed.
    """
    if not has_media(messages):
        return messages
    if vision is None:
        vision = _has_vision(messages, targets, policy)
    sides = [t.max_image_dimension for t in targets if t.max_image_dimension is not None]
    kinds: list[type[Part]] = []
    if vision and not all(target.quirks.url_images for target in targets):
        kinds.append(ImagePart)
    if not all(target.quirks.url_files for target in targets):
        kinds.append(DocumentPart)
    found = fetched(_addresses(messages, tuple(kinds)), fetch) if process and kinds else {}
    return changed(messages, Rules(vision, process, min(sides, default=None), found))


async def asettle(
    messages: list[Message], targets: Sequence[Target], policy: str = "strict", **how: Any
) -> list[Message]:
    """The same, off the event loop."""
    if not has_media(messages):
        return messages
    return await asyncio.to_thread(settle, messages, targets, policy, **how)


def has_media(messages: Iterable[Message]) -> bool:
    """Whether there is anything for `settle` to do."""
    return any(_holds(message.content, _is_medium) for message in messages)


def _holds(parts: Any, is_one: Callable[[Part], bool]) -> bool:
    if not isinstance(parts, list):
        return False
    return any(
        is_one(part) or (isinstance(part, ToolResult) and _holds(part.content, is_one))
        for part in parts
    )


def _is_medium(part: Part) -> bool:
    return isinstance(part, _MEDIA) or _local(part) is not None


def _is_picture(part: Part) -> bool:
    return isinstance(part, ImagePart) or _local(part) is not None


def _has_vision(messages: list[Message], targets: Sequence[Target], policy: str) -> bool:
    """False where pictures are to be replaced."""
    if any(target.native_multimodal is not False for target in targets):
        return True
    if not targets or not any(_holds(message.content, _is_picture) for message in messages):
        return True
    target = targets[0]
    return refuse(f"{target.backend} ({target.model}) does not take pictures", policy, target)


def _addresses(messages: Iterable[Message], kinds: tuple[type[Part], ...]) -> list[str]:
    """The URLs of such parts, each once."""
    found: list[str] = []

    def note(part: Part, place: str) -> Part:
        url = getattr(part, "url", None) if isinstance(part, kinds) else None
        if isinstance(url, str) and is_http(url):
            found.append(url)
        return part

    _mapped(messages, note)
    return list(dict.fromkeys(found))


def fetched(urls: Sequence[str], fetch: Fetch | None) -> dict[str, bytes | CallError]:
    """What is at each URL, or why it could not be had; nothing more after `MAX_FETCHED` bytes."""
    if not urls:
        return {}
    from concurrent.futures import ThreadPoolExecutor  # as the fetching, seldom needed

    from franca.media.fetching import fetch as guarded

    get = fetch or guarded
    sizes: list[int] = []

    def one(url: str) -> bytes | CallError:
        try:
            if sum(sizes) > MAX_FETCHED:
                raise InvalidRequestError(f"more than {MAX_FETCHED} bytes by URL in one call")
            got = get(url)
        except CallError as error:
            return error
        sizes.append(len(got))
        return got

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="franca-fetch") as pool:
        return dict(zip(urls, pool.map(one, urls), strict=True))


def changed(messages: Iterable[Message], rules: Rules) -> list[Message]:
    """The conversation by the rules.

    Raises:
        InvalidRequestError: names the place of the part that cannot be sent.
    """

    def change(part: Part, place: str) -> Part:
        try:
            return _changed(part, rules)
        except CallError as error:
            error.message = f"{place}: {error.message}"
            error.args = (error.message,)
            raise

    return _mapped(messages, change)


def _mapped(messages: Iterable[Message], change: Callable[[Part, str], Part]) -> list[Message]:
    out = []
    for i, message in enumerate(messages):
        parts = message.content
        if isinstance(parts, list):
            new = _mapped_parts(parts, f"messages[{i}]", change)
            message = message if new is parts else replace(message, content=new)
        out.append(message)
    return out


def _mapped_parts(
    parts: list[Part], within: str, change: Callable[[Part, str], Part]
) -> list[Part]:
    """The same list where nothing has changed."""
    new: list[Part] = []
    for i, part in enumerate(parts):
        place = f"{within}.content[{i}]"
        if isinstance(part, ToolResult) and isinstance(part.content, list):
            inner = _mapped_parts(part.content, place, change)
            new.append(part if inner is part.content else replace(part, content=inner))
        else:
            new.append(change(part, place))
    return parts if all(a is b for a, b in zip(parts, new, strict=True)) else new


def _changed(part: Part, rules: Rules) -> Part:
    part = _local(part) or part
    if isinstance(part, ImagePart):
        return _picture(part, rules) if rules.vision else _left_out(part)
    if isinstance(part, DocumentPart):
        return _document(part, rules)
    if isinstance(part, AudioPart) and isinstance(part.data, bytes | Path):
        return replace(audio(part.data), transcript=part.transcript, extra=part.extra)
    return part


def _local(part: Part) -> ImagePart | None:
    """The picture of a dict in OpenAI's form that holds a `Path` or bytes in place of a URL."""
    if not isinstance(part, NativePart) or part.block.get("type") != "image_url":
        return None
    given: Any = part.block.get("image_url")
    shape = given if isinstance(given, Mapping) else {"url": given}
    if not isinstance(shape.get("url"), bytes | Path):
        return None
    extra = {k: v for k, v in part.block.items() if k not in ("type", "image_url")}
    return ImagePart(shape["url"], detail=shape.get("detail"), extra=extra or None)


def _left_out(part: ImagePart) -> TextPart:
    kept = {k: v for k, v in (part.extra or {}).items() if k == "cache_control"}
    return TextPart(LEFT_OUT, extra=kept or None)


def _picture(part: ImagePart, rules: Rules) -> ImagePart:
    """The picture as it goes out: the same part where nothing is to be done."""
    data = _bytes(part, rules)
    if data is None:
        return part
    drawn, kind = fit(data, rules.max_dimension) if rules.process else (data, _kind(data))
    if drawn is data and kind == _named(part):
        return part
    new = replace(part, url=None, data=text(drawn), media_type=kind)
    new.extra = _moved(part.extra, f"data:{kind};base64,{new.data}")
    return new


def _bytes(part: ImagePart, rules: Rules) -> bytes | None:
    """A picture's bytes, None where it stays as it is: elsewhere, or not to be looked at."""
    given: Any = part.url if part.data is None else part.data
    if given is None:  # a file's id
        return None
    if not isinstance(given, str):
        return content(given)
    if part.data is not None:
        return decoded(given) if rules.process else None
    if is_elsewhere(given):
        return _got(given, rules)
    data = content(given)  # of a data: URL; any other text is refused
    return data if rules.process else None


def _kind(data: bytes) -> str:
    if (header := read_header(data)) is None:
        raise InvalidRequestError("not a picture of a known kind")
    return header.media_type


def _named(part: ImagePart) -> str | None:
    """What a picture that is here as text says of itself."""
    if isinstance(part.data, str):
        return part.media_type
    url = part.url if isinstance(part.url, str) else ""
    return url[5:].partition(";")[0] if url[:5].lower() == "data:" else None


def _got(url: str, rules: Rules) -> bytes | None:
    got = rules.fetched.get(url)
    if isinstance(got, CallError):
        raise got
    return got


def _document(part: DocumentPart, rules: Rules) -> DocumentPart:
    given: Any = part.url if part.url is not None else part.data
    if isinstance(given, bytes | Path):
        made = document(given, filename=part.filename)
        return replace(made, extra=part.extra)
    if part.url is None:
        return part
    if not is_elsewhere(part.url):
        content(part.url)  # raises, unless it is a data: URL
        return part
    got = _got(part.url, rules)
    if got is None:
        return part
    made = document(got, filename=part.filename)
    made.extra = _moved(part.extra, f"data:{made.media_type};base64,{text(got)}")
    return made


def _moved(extra: dict[str, Any] | None, url: str) -> dict[str, Any] | None:
    """`extra` with the new address where a wire's own form had the old one."""
    if not extra:
        return extra
    new = dict(extra)
    for name in ("image_url", "document_url"):
        if isinstance(old := new.get(name), Mapping):
            new[name] = {**old, "url": url}
        elif old is not None:
            new[name] = url
    if isinstance(old := new.get("file"), Mapping):
        new["file"] = {**old, "file_data": url}
    return new
