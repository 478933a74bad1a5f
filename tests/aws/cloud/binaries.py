"""Where the programs are that are deployed or deploy."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CDK = ROOT / "cdk"


def bootstrap() -> Path:
    """The binary of all functions: named by the environment, else of the debug build."""
    named = os.environ.get("SMOOTHER_BOOTSTRAP_BIN")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = Path(named) if named else target / "debug" / "bootstrap"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not built: run `cargo build -p smoother-bootstrap`, or set SMOOTHER_BOOTSTRAP_BIN"
        )
    return path.resolve()


def cdk() -> Path:
    """The CDK's stock command."""
    path = CDK / "node_modules" / ".bin" / "cdk"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not installed: run `npm ci` in cdk/")
    return path.resolve()
