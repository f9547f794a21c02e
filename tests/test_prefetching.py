"""Threads that read ahead: in order, side by side, no further than they may."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_codec_bpe.data.prefetching import prefetched

ITEMS = st.lists(st.one_of(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=5)), max_size=40)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def flat(items: list[Any]) -> list[int]:
    return [each for item in items for each in (item if isinstance(item, list) else [item])]


def stream(items: list[Any], pause: float = 0.0) -> Generator[Any, None, None]:
    for item in items:
        time.sleep(pause * random.random())
        yield stream(item, pause) if isinstance(item, list) else item


def ahead(items: Generator[Any, None, None], **options: Any) -> Generator[Any, None, None]:
    defaults: dict[str, Any] = {
        "num_threads": 3,
        "ahead": 16,
        "weight": lambda item: item,
        "limit": 10,
    }
    return prefetched(items, **{**defaults, **options})


@given(ITEMS, st.integers(1, 4), st.integers(0, 20))
def test_all_comes_out_in_order(items: list[Any], num_threads: int, limit: int) -> None:
    assert list(ahead(stream(items), num_threads=num_threads, limit=limit)) == flat(items)


def test_whatever_is_done_first() -> None:
    items = [[i, i + 1, i + 2] for i in range(50)]
    assert list(ahead(stream(items, pause=0.005), num_threads=8)) == flat(items)


def test_no_more_threads_are_started_than_have_work() -> None:
    """A machine does not have as many as somebody may ask for."""
    items = ahead(stream([[1], [2], [3]]), num_threads=1_000_000, ahead=4)
    before = threading.active_count()
    assert next(items) == 1
    assert threading.active_count() - before <= 1 + 6
    assert list(items) == [2, 3]


def test_streams_run_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=30)

    def meets() -> Generator[int, None, None]:
        yield meeting.wait()

    def streams() -> Generator[Any, None, None]:
        yield from (meets() for _ in range(3))

    assert sorted(ahead(streams())) == [0, 1, 2]


@pytest.mark.parametrize("num_threads", [1, 4])
@pytest.mark.parametrize(("weight", "length"), [(1, 20), (100, 1), (0, 1)])
def test_no_more_waits_than_may(num_threads: int, weight: int, length: int) -> None:
    begun, made = [], []

    def counted(number: int) -> Generator[int, None, None]:
        begun.append(number)
        for _ in range(length):
            made.append(weight)
            yield weight

    def streams() -> Generator[Any, None, None]:
        yield from map(counted, range(1_000))

    items = ahead(streams(), num_threads=num_threads, limit=10, ahead=6)
    for taken, _ in enumerate(items, start=1):
        if taken % 20 == 0:
            time.sleep(0.02)  # they go on, as far as they may
            # What may wait, what is waited for, and what each thread has in its hands.
            assert sum(made) - taken * weight <= 10 + weight * (1 + num_threads)
            # The one that is taken from, those that wait, and one that waits to wait.
            assert len(begun) <= taken // length + 1 + 6 + 1
        if taken == 200:
            break
    items.close()


def test_closing_it_begins_nothing_more() -> None:
    begun = []

    def slow(number: int) -> Generator[int, None, None]:
        begun.append(number)
        time.sleep(0.05)
        yield 100

    def streams() -> Generator[Any, None, None]:
        yield from map(slow, range(16))

    items = ahead(streams(), num_threads=1)
    next(items)
    items.close()
    assert len(begun) <= 3


def test_a_process_that_leaves_it_open_ends() -> None:
    code = (
        "from hf_codec_bpe.data.prefetching import prefetched\n"
        "streams = ((100 for _ in range(5)) for _ in range(40))\n"
        "items = prefetched(streams, num_threads=2, ahead=9, weight=int, limit=120)\n"
        "print(next(items))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    assert done.stdout == b"100\n"


def test_errors_come_where_they_were() -> None:
    def broken() -> Generator[int, None, None]:
        yield 2
        raise OSError("the disk is gone")

    def streams() -> Generator[Any, None, None]:
        yield stream([0, 1], pause=0.01)
        yield broken()
        yield stream([3])

    found: list[int] = []
    with pytest.raises(OSError, match="the disk is gone"):
        found.extend(ahead(streams()))
    assert found == [0, 1, 2]


def test_an_error_between_streams() -> None:
    def streams() -> Generator[Any, None, None]:
        yield stream([0, 1], pause=0.01)
        raise OSError("the network is gone")

    found: list[int] = []
    with pytest.raises(OSError, match="the network is gone"):
        found.extend(ahead(streams()))
    assert found == [0, 1]


def test_closing_it_closes_what_it_goes_through() -> None:
    closed, begun = [], threading.Barrier(3, timeout=30)

    def endless(name: str) -> Generator[int, None, None]:
        try:
            begun.wait()
            while True:
                yield 1
        finally:
            closed.append(name)

    kept = [endless("first"), endless("second")]  # so that nothing is closed for being forgotten

    def streams() -> Generator[Any, None, None]:
        try:
            yield from kept
            while True:
                yield 1
        finally:
            closed.append("streams")

    kept_streams = streams()
    items = ahead(kept_streams)
    threading.Thread(target=begun.wait).start()  # then both are
    assert next(items) == 1
    items.close()
    assert sorted(closed) == ["first", "second", "streams"]
