"""The public names are a promise: one more is a decision, one less a break."""

import franca

NAMES = """
APIError AsyncChatClient AsyncChatStream AuthenticationError BackendType CallError ChatClient
ChatCompletion ChatDelta ChatStream ConnectionError ContentFilterError ContextLengthError
EndpointType FrancaError InvalidRequestError Message MissingExtraError NotFoundError
PermissionDeniedError ProviderError RateLimitError RateLimiter Settings SettingsError
StreamInterrupted TimeoutError ToolCall Usage __version__ create_async_chat_client
create_chat_client MODEL_PRICING count_messages_tokens count_tokens estimate_batch_cost
estimate_cost format_messages get_message_token_counts get_token_counts total_cost CallEvent Hooks
"""


def test_the_public_names() -> None:
    assert sorted(franca.__all__) == sorted(NAMES.split())
    assert dir(franca) == sorted(franca.__all__)


def test_each_leads_somewhere() -> None:
    assert all(getattr(franca, name) is not None for name in franca.__all__)


def test_errors_say_that_they_are_francas() -> None:
    assert issubclass(franca.ConnectionError, franca.FrancaError)
    assert issubclass(franca.TimeoutError, franca.FrancaError)
