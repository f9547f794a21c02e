"""Threads that work ahead, as far as they may."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Condition, Thread
from typing import Generic, TypeVar

__all__ = ["prefetched"]

T = TypeVar("T")

STREAMS_AHEAD = 16
"""How many streams at least may be begun or wait for a thread."""


def prefetched(
    items: Generator[T | Generator[T, None, None], None, None],
    *,
    num_threads: int,
    weight: Callable[[T], float],
    limit: float,
) -> Generator[T, None, None]:
    """Goes through `items`, and through the streams among them, ahead of who takes what they give.

    All comes out in order, whatever is done first. An error comes out where it would have.

    Args:
        items: Runs in a thread of its own, and is closed there.
        num_threads: How many threads go through the streams, one each; likewise.
        weight: How much an item of a stream counts while it waits.
        limit: How much may wait. Of each stream one item may in any case.
    """
    room, order = _Room(limit), _Room(max(STREAMS_AHEAD, 2 * num_threads))
    queue: _Buffer[T | _Buffer[T]] = _Buffer(order, lambda _: 1)
    pool = ThreadPoolExecutor(num_threads, thread_name_prefix="prefetching")

    def begun() -> Generator[T | _Buffer[T], None, None]:
        with closing(items):
            for item in items:
                if isinstance(item, Generator):
                    buffer = _Buffer(room, weight)
                    pool.submit(_fill, buffer, item)
                    yield buffer
                else:
                    yield item

    feeder = Thread(target=_fill, args=(queue, begun()), name="prefetching", daemon=True)
    feeder.start()
    try:
        for item in queue:
            if isinstance(item, _Buffer):
                yield from item
            else:
                yield item
    finally:
        order.close()
        room.close()
        feeder.join()
        pool.shutdown()


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


class _Room:
    """How much may wait in some buffers together."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.taken = 0.0
        self.is_closed = False
        self.changed = Condition()

    def close(self) -> None:
        """Nobody takes any more."""
        with self.changed:
            self.is_closed = True
            self.changed.notify_all()


class _Buffer(Generic[T]):
    """What waits to be taken, between one thread that puts and one that takes."""

    def __init__(self, room: _Room, weight: Callable[[T], float]) -> None:
        self._room = room
        self._weight = weight
        self._items: deque[T] = deque()
        self._is_over = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Waits for room, unless nothing waits here; `False` if nobody takes any more."""
        room, weight = self._room, self._weight(item)
        with room.changed:
            room.changed.wait_for(
                lambda: room.is_closed or not self._items or room.taken + weight <= room.limit
            )
            self._items.append(item)
            room.taken += weight
            room.changed.notify_all()
            return not room.is_closed

    def end(self, error: BaseException | None) -> None:
        with self._room.changed:
            self._is_over, self._error = True, error
            self._room.changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        room = self._room
        while True:
            with room.changed:
                room.changed.wait_for(lambda: self._items or self._is_over)
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                room.taken -= self._weight(item)
                room.changed.notify_all()
            yield item
