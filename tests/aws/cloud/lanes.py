"""The lanes of these tests, and the quotas that the simulator enforces on them."""

from house.models import CLAUDE, CLAUDE_OLD, LLAMA, NOVA, TITAN
from house.server import toml_table

# One model and lane for each kind of trouble, so that the tests do not meet.
STEADY = CLAUDE  # a quota that is used up
ROOMY = NOVA  # none
MORTAL = TITAN  # short patience with a call, for workers that die
SHAKY = LLAMA  # breaks, and has a lane to fall back to
FRAIL = CLAUDE_OLD  # one try: the first error makes a dead letter
LEAVING = "amazon.nova-pro-v1:0"  # its lane is taken out while requests wait
COMING = "amazon.nova-micro-v1:0"  # a lane of it is added later
NARROW = "amazon.nova-premier-v1:0"  # one call at a time, of which the last ones' times tell how long others wait
SLIM = "us.amazon.nova-lite-v1:0"  # one call at a time, for a backlog

QUOTA = 30_000
MOST_BODY = 30_000_000


def lanes_toml(
    endpoint: str,
    without: tuple[str, ...] = (),
    more: dict[str, dict] | None = None,
    extra: str = "",
) -> str:
    """The configuration; `without` some lanes, with `more`, and `extra` tables after them."""
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
        "frail": {"models": [FRAIL], "max_tries": 1, "breaker_min_calls": 1_000_000},
        "leaving": {"models": [LEAVING]},
        "narrow": {"models": [NARROW], "max_concurrency": 1},
        "slim": {"models": [SLIM], "max_concurrency": 1},
        **(more or {}),
    }
    kept = {name: keys for name, keys in lanes.items() if name not in without}
    tables = [toml_table(f"lanes.{name}", {**common, **keys}) for name, keys in kept.items()]
    server = toml_table("server", {"max_body_bytes": MOST_BODY})
    return "\n".join([server, *tables, extra])


def simulator_settings() -> dict:
    return {
        "output_burndown": 1,
        "latency": {"base_ms": 20, "per_token_ms": 1},
        "models": {STEADY: {"tokens_per_minute": QUOTA}},
    }
