"""Two Regions behind one simulator, and scripts of what goes wrong in them."""

from pathlib import Path

from . import models

SCRIPTS = Path(__file__).resolve().parents[3] / "bedrock-sim" / "scripts"
EAST, WEST = "us-east-1", "us-west-2"


def ready_made(name: str) -> str:
    """One of the simulator's own scripts."""
    return (SCRIPTS / f"{name}.toml").read_text()


def faults(shares: dict, regions: list[str] | None = None, seed: int = 1) -> str:
    """A script that strikes these shares of all calls, or of those in some Regions, until it is taken away."""
    listed = ", ".join(f'"{name}" = {share}' for name, share in shares.items())
    where = f"regions = {regions}\n".replace("'", '"') if regions else ""
    return f'seed = {seed}\n[[spans]]\nname = "faults"\n{where}faults = {{ {listed} }}\n'


def two_regions(east: dict | None = None, west: dict | None = None) -> dict:
    """The lanes `east`, and `west` that only takes what falls back to it, for one model."""
    one = {"models": [models.CLAUDE]}
    return {
        "east": {**one, "region": EAST, "fallback": ["west"], **(east or {})},
        "west": {**one, "region": WEST, "standby": True, **(west or {})},
    }


def lane(smoother, name: str) -> dict:
    """`GET /v1/lanes/{name}`."""
    return smoother.get(f"/v1/lanes/{name}").json()
