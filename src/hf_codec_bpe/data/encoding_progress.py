"""How far encoding is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from types import TracebackType

from tqdm import tqdm

from .source_encoding import EncodedSource

__all__ = ["Progress"]


class Progress:
    """Counts clips as they pass, and shows hours of audio per second and the time left.

    Args:
        is_shown: Whether there is a bar.
        total: How many clips there are; `None` if nobody can tell.
    """

    def __init__(self, is_shown: bool, total: int | None) -> None:
        self.num_encoded = 0
        self.seconds = 0.0
        self.num_failed = 0
        self._bar = tqdm(total=total, unit="clip", desc="Encoding", disable=not is_shown)
        self._start = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()

    def counting(self, results: Iterable[EncodedSource]) -> Iterator[EncodedSource]:
        """Yields results unchanged and counts them."""
        for result in results:
            yield result
            self.add(int(not result.error), result.seconds, int(bool(result.error)))

    def add(self, num_encoded: int, seconds: float, num_failed: int) -> None:
        """Counts clips, perhaps of another process."""
        self.num_encoded += num_encoded
        self.seconds += seconds
        self.num_failed += num_failed
        hours = self.seconds / 3600
        speed = hours / max(time.monotonic() - self._start, 1e-9)
        self._bar.set_postfix_str(
            f"{hours:.2f} h of audio, {speed:.4f} h/s, {self.num_failed} failed", refresh=False
        )
        self._bar.update(num_encoded + num_failed)
