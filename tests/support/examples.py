"""The programs in docs/examples, as modules."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

_EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def example_module(name: str) -> ModuleType:
    """The example of that name, run as its readers would import it."""
    spec = importlib.util.spec_from_file_location(name, _EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
