"""A document against the schema: pydantic's findings in our words, without any value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, get_args

from franca.settings.problems import Step, nearest, place
from franca.settings.schema import Document
from franca.settings.upgrade import BACKEND_NAMES

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

_EXTRA = "extra_forbidden"


def _has(value: Any, step: Step) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)


def _steps(location: Iterable[Step], document: Any) -> tuple[Step, ...]:
    """The steps that are the document's own: pydantic adds the names of union members."""
    steps: list[Step] = []
    value = document
    for step in location:
        if _has(value, step):
            value = value[step]
            steps.append(step)
    return tuple(steps)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _known_names(location: Iterable[Step]) -> list[str]:
    """The fields of the part at a location; names of list and dict items lead to no field."""
    part: type[BaseModel] = Document
    for step in location:
        field = part.model_fields.get(str(step))
        part = (_model_in(field.annotation) if field else None) or part
    return list(part.model_fields)


def _got(error: ErrorDetails) -> str:
    value = error["input"]
    return "null" if value is None else type(value).__name__


def _unknown(error: ErrorDetails, document: Any) -> str:
    *parents, name = _steps(error["loc"], document)
    if len(error["loc"]) == 1 and name in BACKEND_NAMES:
        return f"{name}: expected under backends.{name} in version 2"
    hint = nearest(name, _known_names(parents))
    return f"{place((*parents, name))}: unknown key{hint}"


def _expected(error: ErrorDetails) -> str:
    """What should stand there; pydantic's own sentences name types, never the value."""
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    message = message.removeprefix("expected ").split(",")[0] if "'" not in message else message
    text = f"expected {message}"
    if error["type"].endswith(("_type", "_parsing", "_error")):
        text += f", got {_got(error)}"
    words = str(error.get("ctx", {}).get("expected", ""))
    if isinstance(error["input"], str) and "'" in words:
        text = f"expected {message}" + nearest(error["input"], words.split("'")[1::2])
    return text


def _line(error: ErrorDetails, document: Any) -> tuple[str, str]:
    steps = _steps(error["loc"], document)
    if error["type"] == "missing":
        return place((*steps, error["loc"][-1])), "expected, and missing"
    return place(steps), _expected(error)


def _lines(errors: Iterable[ErrorDetails], document: Any) -> list[str]:
    """One line a place: a union's members each have their say in it."""
    said: dict[str, str] = {}
    for error in errors:
        where, what = _line(error, document)
        said[where] = f"{said[where]}, or {what}" if where in said else what
    # where a union's part has an error of its own, that says more than the union's
    whole = [w for w in said if not any(o.startswith((f"{w}.", f"{w}[")) for o in said)]
    return [f"{where}: {said[where]}" for where in whole]


def _without(value: Any, location: tuple[Step, ...]) -> Any:
    """A copy of `value` without the key at a location."""
    head, *rest = location
    if isinstance(value, list):
        return [_without(v, tuple(rest)) if i == head else v for i, v in enumerate(value)]
    if rest:
        return {k: _without(v, tuple(rest)) if k == head else v for k, v in value.items()}
    return {k: v for k, v in value.items() if k != head}


def validate(document: dict[str, Any], problems: list[str], warnings: list[str]) -> Document | None:
    """The document typed, or None where it has problems.

    Args:
        problems: takes a line for each wrong value.
        warnings: takes a line for each unknown key; the rest is read without it.
    """
    from pydantic import ValidationError

    try:
        return Document.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False)
    extra = [e for e in found if e["type"] == _EXTRA]
    warnings += [_unknown(e, document) for e in extra]
    wrong = [e for e in found if e["type"] != _EXTRA]
    problems += _lines(wrong, document)
    if wrong:
        return None
    for error in extra:
        document = _without(document, _steps(error["loc"], document))
    return validate(document, problems, warnings)
