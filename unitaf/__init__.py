"""Dialogue scripts in, speech and fitting facial animation out, in bulk.

``generate`` voices and animates a script; ``open_store`` reads what it made.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unitaf.pipelines.generate import generate
    from unitaf.pipelines.store import open_store

__all__ = ["generate", "open_store"]


def __getattr__(name: str) -> Any:
    # Ray is imported when it is asked for: models and nouns are used without it.
    if name == "generate":
        from unitaf.pipelines.generate import generate

        return generate
    if name == "open_store":
        from unitaf.pipelines.store import open_store

        return open_store
    raise AttributeError(f"module 'unitaf' has no attribute {name!r}")
