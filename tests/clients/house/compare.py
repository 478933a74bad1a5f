"""Field by field comparison of an answer through the smoother with the simulator's own."""

from typing import Any

# What differs between any two calls, whoever answers: ids, clocks, and how long it took.
VARIES = {
    "x-amzn-requestid",
    "RequestId",
    "date",
    "latencyMs",
    "x-amzn-bedrock-invocation-latency",
    "invocationLatency",
    "firstByteLatency",
    "RetryAttempts",
}

# Ids that the model's side draws anew for every answer, by how they begin.
DRAWN = ("msg_bdrk_", "toolu_bdrk_", "tooluse_")


def own_headers(headers: dict[str, str]) -> dict[str, str]:
    """The headers that the smoother adds."""
    return {name: value for name, value in headers.items() if name.startswith("x-smoother-")}


def settled(value: Any) -> Any:
    """`value` without what varies from call to call and without the smoother's own headers; a varying field
    that is present stays present, so that a missing one is still a difference."""
    if isinstance(value, dict):
        return {
            key: "varies" if key in VARIES else settled(inner)
            for key, inner in value.items()
            if not str(key).startswith("x-smoother-")
        }
    if isinstance(value, (list, tuple)):
        return [settled(inner) for inner in value]
    if isinstance(value, str) and (drawn := next((p for p in DRAWN if value.startswith(p)), None)):
        return drawn
    return value
