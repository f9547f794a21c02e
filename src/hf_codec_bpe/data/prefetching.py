"""A thread that works ahead, as far as it may."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from threading import Condition, Thread
from typing import Generic, TypeVar

__all__ = ["prefetched"]

T = TypeVar("T")


def prefetched(
    items: Generator[T, None, None], weight: Callable[[T], float], limit: float
) -> Generator[T, None, None]:
    """Goes through `items` in a thread of its own, ahead of who takes them.

    Args:
        items: Runs in the thread, and is closed there; an error comes out where it would have.
        weight: How much an item counts while it waits.
        limit: How much may wait. A heavier item waits alone.
    """
    buffer: _Buffer[T] = _Buffer(weight, limit)
    thread = Thread(target=_fill, args=(buffer, items), name="prefetching", daemon=True)
    thread.start()
    try:
        yield from buffer
    finally:
        buffer.close()
        thread.join()


def _fill(buffer: _Buffer[T], items: Generator[T, None, None]) -> None:
    try:
        for item in items:
            if not buffer.put(item):
                break
        items.close()
    except BaseException as error:
        buffer.end(error)
    else:
        buffer.end(None)


class _Buffer(Generic[T]):
    """What waits to be taken, between one thread that puts and one that takes."""

    def __init__(self, weight: Callable[[T], float], limit: float) -> None:
        self._weight = weight
        self._limit = limit
        self._items: deque[T] = deque()
        self._total = 0.0
        self._is_over = False
        self._is_closed = False
        self._error: BaseException | None = None
        self._changed = Condition()

    def put(self, item: T) -> bool:
        """Waits for room; `False` if nobody takes any more."""
        weight = self._weight(item)
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_closed or not self._items or self._total + weight <= self._limit
            )
            self._items.append(item)
            self._total += weight
            self._changed.notify_all()
            return not self._is_closed

    def end(self, error: BaseException | None) -> None:
        with self._changed:
            self._is_over, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._is_over)
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                self._total -= self._weight(item)
                self._changed.notify_all()
            yield item
