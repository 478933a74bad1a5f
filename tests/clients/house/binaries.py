"""Where the built programs are."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def find(name: str, variable: str) -> str:
    """The program `name`: named by the environment, else of the debug build."""
    named = os.environ.get(variable)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = Path(named) if named else target / "debug" / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not built: run `cargo build -p smoother -p bedrock-sim`, or set {variable}")
    # Servers run in folders of their own.
    return str(path.resolve())


def smoother() -> str:
    return find("smoother", "SMOOTHER_BIN")


def simulator() -> str:
    return find("bedrock-sim", "BEDROCK_SIM_BIN")
