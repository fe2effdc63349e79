"""OpenTelemetry spans and metrics of a client's calls (extra `otel`).

```python
client = create_chat_client("openai", hooks=telemetry())
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from franca.errors import MissingExtraError

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from franca.flow import Hooks

__all__ = ["telemetry"]


def telemetry(
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    *,
    capture_content: bool = False,
) -> Hooks:
    """Hooks that make a span and metrics of each call, after the conventions for generative AI.

    Make them once, and give them to as many clients as there are.

    Args:
        tracer_provider, meter_provider: None for the process's own, which may be set later.
        capture_content: True puts the conversation and the answer into the span, without the
            bytes of pictures, sound and documents.

    Raises:
        MissingExtraError: opentelemetry-api is not installed.
    """
    try:
        import opentelemetry.metrics
        import opentelemetry.trace
    except ImportError:
        raise MissingExtraError("opentelemetry-api", "otel") from None
    from franca.telemetry.recorder import Recorder
    from franca.version import __version__

    tracer = opentelemetry.trace.get_tracer("franca", __version__, tracer_provider)
    meter = opentelemetry.metrics.get_meter("franca", __version__, meter_provider)
    return Recorder(tracer, meter, capture_content).hooks()
