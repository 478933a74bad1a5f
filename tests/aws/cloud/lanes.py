"""The lanes of these tests, and the quotas that the simulator enforces on them."""

from house.models import CLAUDE, LLAMA, NOVA, TITAN
from house.server import toml_table

# One model and lane for each kind of trouble, so that the tests do not meet.
STEADY = CLAUDE  # a quota that is used up
ROOMY = NOVA  # none
MORTAL = TITAN  # short patience with a call, for workers that die
SHAKY = LLAMA  # breaks, and has a lane to fall back to

QUOTA = 30_000


def lanes_toml(endpoint: str) -> str:
    common = {
        "region": "us-east-1",
        "endpoint": endpoint,
        "tokens_per_minute": 100_000_000,
        "output_burndown": 1,
        "max_output_tokens": 4_096,
        "max_concurrency": 64,
    }
    shaky = {
        "models": [SHAKY],
        "breaker_min_calls": 5,
        "breaker_window_ms": 10_000,
        "breaker_open_ms": 2_000,
        "fallback": ["spare"],
    }
    lanes = {
        "steady": {"models": [STEADY], "tokens_per_minute": QUOTA},
        "roomy": {"models": [ROOMY]},
        "mortal": {"models": [MORTAL], "call_timeout_ms": 4_000, "chunk_timeout_ms": 4_000},
        "shaky": shaky,
        "spare": {"models": [SHAKY], "region": "us-west-2", "standby": True},
    }
    return "\n".join(toml_table(f"lanes.{name}", {**common, **keys}) for name, keys in lanes.items())


def simulator_settings() -> dict:
    return {
        "output_burndown": 1,
        "latency": {"base_ms": 20, "per_token_ms": 1},
        "models": {STEADY: {"tokens_per_minute": QUOTA}},
    }
