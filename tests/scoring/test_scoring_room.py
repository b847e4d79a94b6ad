"""Room for so many samples: whoever is cancelled, whenever, leaves the room that there was."""

from __future__ import annotations

import asyncio
import threading

import pytest

from harness.scoring.room import Room


async def _cancelled(task: asyncio.Task[object]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_who_is_cancelled_as_room_is_given_passes_it_on() -> None:
    async def go() -> None:
        room = Room(1)
        await room.enter()
        gone, stays = (asyncio.create_task(room.enter()) for _ in range(2))
        await asyncio.sleep(0)
        room.leave()  # to the first, which has not heard of it
        await _cancelled(gone)
        await asyncio.wait_for(stays, 30)

    asyncio.run(go())


def test_one_room_serves_event_loops_of_many_threads() -> None:
    room, most, inside = Room(2), [0], [0]
    lock = threading.Lock()

    async def one() -> None:
        async with room.held():
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            await asyncio.sleep(0.001)
            with lock:
                inside[0] -= 1

    async def many() -> None:
        await asyncio.gather(*[one() for _ in range(20)])

    threads = [threading.Thread(target=asyncio.run, args=(many(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert (most[0], inside[0]) == (2, 0)
