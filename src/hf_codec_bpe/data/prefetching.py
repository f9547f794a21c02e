"""Threads that work ahead, as far as they may."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from queue import SimpleQueue
from threading import Condition, Thread
from typing import Any, Generic, TypeAlias, TypeVar

__all__ = ["prefetched"]

T = TypeVar("T")


def prefetched(
    items: Generator[T | Generator[T, None, None], None, None],
    *,
    num_threads: int,
    ahead: int,
    weight: Callable[[T], float],
    limit: float,
) -> Generator[T, None, None]:
    """Goes through `items`, and through the streams among them, ahead of whoever takes their items.

    All comes out in order, whatever is done first. An error comes out where it would have.

    Args:
        items: Runs in a thread of its own, and is closed there.
        num_threads: How many threads go through the streams, one each; likewise. No more are
            started than can have one, whatever is asked for.
        ahead: How many items and streams may be begun or wait for a thread.
        weight: How much an item of a stream counts while it waits.
        limit: How much may wait, and one item of the stream that is being taken from in any case.
            Each thread may have another one in its hands.
    """
    order, room = _Room(ahead), _Room(limit)
    queue: _Buffer[T | _Buffer[T]] = _Buffer(order, lambda _: 1)
    streams: _Streams = SimpleQueue()

    def begun() -> Generator[T | _Buffer[T], None, None]:
        with closing(items):
            for item in items:
                if isinstance(item, Generator):
                    buffer = _Buffer(room, weight)
                    streams.put((buffer, item))
                    yield buffer
                else:
                    yield item

    # Beside those ahead, one may be next in any case, and one is being taken from.
    num_threads = min(num_threads, ahead + 2)
    # Daemons: where somebody leaves this generator open, the process ends nevertheless.
    threads = [Thread(target=_fill, args=(queue, begun()), name="prefetching", daemon=True)]
    for _ in range(num_threads):
        threads.append(Thread(target=_work, args=(streams,), name="prefetching", daemon=True))
    try:
        for thread in threads:
            thread.start()
        for item in queue:
            if isinstance(item, _Buffer):
                yield from item
            else:
                yield item
    finally:
        order.close()
        room.close()
        for _ in range(num_threads):
            streams.put(None)
        for thread in threads:
            if thread.ident is not None:  # it was started
                thread.join()


def _work(streams: _Streams) -> None:
    """Goes through one stream after another until there are no more."""
    while (job := streams.get()) is not None:
        _fill(*job)


def _fill(buffer: _Buffer[T], items: Generator[T, None, None]) -> None:
    error: BaseException | None = None
    try:
        with closing(items):
            for item in () if buffer.is_closed else items:
                if not buffer.put(item):
                    break
    except BaseException as problem:
        error = problem
    buffer.end(error)


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
        self._is_next = False
        self._is_over = False
        self._error: BaseException | None = None

    @property
    def is_closed(self) -> bool:
        """Whether nobody takes any more."""
        return self._room.is_closed

    def put(self, item: T) -> bool:
        """Waits for room, unless this is what somebody waits for; `False` if nobody takes more."""
        room, weight = self._room, self._weight(item)
        with room.changed:
            room.changed.wait_for(
                lambda: (
                    room.is_closed
                    or room.taken + weight <= room.limit
                    or (self._is_next and not self._items)
                )
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
        with room.changed:
            self._is_next = True
            room.changed.notify_all()
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


_Streams: TypeAlias = "SimpleQueue[tuple[_Buffer[Any], Generator[Any, None, None]] | None]"
