"""What the token server is asked, and its answer: from bytes to bytes, with nothing of HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NotRequired

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    with_config,
)
from typing_extensions import TypedDict  # pydantic takes the standard one from 3.12 on

from franca.errors import InvalidRequestError
from franca.tokens import family_of, get_message_token_counts, text_tokens
from franca.types import BackendType


@with_config(ConfigDict(extra="allow"))
class Block(TypedDict):
    """A part of a message, in OpenAI's or Anthropic's form."""

    type: str


@with_config(ConfigDict(extra="allow"))
class Turn(TypedDict):
    """A message, in OpenAI's or Anthropic's form."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: NotRequired[str | list[Block] | None]


class _Question(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(max_length=256)] = ""
    backend: BackendType | None = None


class TextQuestion(_Question):
    """How many tokens a text has."""

    text: str


class MessagesQuestion(_Question):
    """How many tokens a prompt is billed."""

    messages: list[Turn]
    tools: list[dict[str, Any]] | None = None


def _kind(value: Any) -> str:
    return "messages" if isinstance(value, Mapping) and "messages" in value else "text"


Question = Annotated[
    Annotated[TextQuestion, Tag("text")] | Annotated[MessagesQuestion, Tag("messages")],
    Discriminator(_kind),
]
QUESTION: TypeAdapter[TextQuestion | MessagesQuestion] = TypeAdapter(Question)


class Count(BaseModel):
    """The answer."""

    total_tokens: Annotated[int, Field(ge=0, description="The tokens.")]
    model: Annotated[str, Field(description="As it was asked.")]
    family: Annotated[str, Field(description="Whose way of counting was taken.")]
    fallback: Annotated[
        bool, Field(description="The name is unknown: it was counted as its backend's models are.")
    ]
    exact: Annotated[
        bool,
        Field(description="A text counted in the model's own vocabulary; all else is an estimate."),
    ]


def answer(body: bytes | bytearray) -> bytes:
    """A question's answer, both as JSON.

    Raises:
        InvalidRequestError: it is no question; says where.
    """
    try:
        question = QUESTION.validate_json(body)
    except ValidationError as error:
        lines = (f"{_place(e['loc'])}: {e['msg']}" for e in error.errors(include_input=False))
        raise InvalidRequestError("; ".join(lines)[:2000]) from None
    return _counted(question).model_dump_json().encode()


def _counted(question: TextQuestion | MessagesQuestion) -> Count:
    model, backend = question.model, question.backend
    family = family_of(model, backend)
    if isinstance(question, TextQuestion):
        total, exact = text_tokens(question.text, family), family.exact
    else:
        total, exact = _prompt(question), False
    fallback = family_of(model).name == "other"
    return Count(
        total_tokens=total, model=model, family=family.name, fallback=fallback, exact=exact
    )


def _prompt(question: MessagesQuestion) -> int:
    try:
        return get_message_token_counts(
            messages=question.messages,
            tools=question.tools,
            model=question.model,
            backend=question.backend,
        )
    except InvalidRequestError:
        raise
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        why = f"messages or tools: not of a known form ({type(error).__name__})"
        raise InvalidRequestError(why) from None


def _place(path: Iterable[int | str]) -> str:
    """`messages[0].content` of a path; its first step says which question it was."""
    steps = list(path)[1:]
    written = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps)
    return written.lstrip(".") or "the body"
