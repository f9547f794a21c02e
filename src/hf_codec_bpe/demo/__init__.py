"""A first minute with the package: a round trip, and a page to try it on."""

from __future__ import annotations

from ..bundled import demo_clip, demo_repo

__all__ = ["demo_clip", "demo_repo"]
