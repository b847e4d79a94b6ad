"""One place where jobs run: a server that is started, probed, used, and replaced at any doubt."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from harness_runner import frames
from harness_runner.server import WIRE as PROTOCOL

from harness.contract import Job, Raw
from harness_sandbox import exchange
from harness_sandbox.channel import Channel, ChannelError, Launcher, StartError

#: Longest start of a server until its first words, in seconds.
START_SECONDS: Final = 60.0
PROBE: Final = Job(
    "print(6 * 7)", cpu_seconds=5, wall_seconds=20, memory_mb=128, output_bytes=64, result_bytes=64
)


@dataclass(slots=True)
class SlotStats:
    """What a slot went through."""

    jobs: int = 0
    starts: int = 0
    #: Servers replaced because something was wrong with them.
    anomalies: int = 0
    strays: int = 0
    #: Seconds at jobs, and CPU seconds of servers and jobs, as the servers count them.
    busy_s: float = 0.0
    cpu_s: float = 0.0


class Slot:
    """Runs jobs one at a time; used by one thread."""

    def __init__(self, number: int, launcher: Launcher, *, recycle_after: int, probe_idle: float) -> None:
        self.number = number
        self.stats = SlotStats()
        self._launcher = launcher
        self._recycle_after = recycle_after
        self._probe_idle = probe_idle
        self._channel: Channel | None = None
        self._served = 0
        self._used = 0.0
        #: Since when it has been at a job.
        self._began: float | None = None
        #: CPU seconds of this server that were counted.
        self._spent = 0.0

    def run(self, job: Job) -> Raw:
        """Run a job; raises ChannelError if the server failed, which is then already replaced."""
        channel = self._ready()
        self._began = began = time.monotonic()
        try:
            header, parts, key = self._exchange(channel, job)
        except BaseException:
            self.stats.anomalies += 1
            self.drop()
            raise
        finally:
            self._began = None
            self.stats.busy_s += time.monotonic() - began
        spent = float(header.get("spent_s", 0.0))
        self.stats.cpu_s += spent - self._spent
        self._spent = spent
        self._served += 1
        self._used = time.monotonic()
        self.stats.jobs += 1
        raw = exchange.reply(header, parts, key)
        self.stats.strays += raw.strays
        if raw.status == "infra_error":
            self.stats.anomalies += 1
        if (
            not self._launcher.warm
            or not header.get("clean")
            or raw.status == "infra_error"
            or self._served >= self._recycle_after
        ):
            self.drop()
        return raw

    @property
    def busy_s(self) -> float:
        """Seconds at jobs so far, the one under way included."""
        began = self._began
        return self.stats.busy_s + (0.0 if began is None else time.monotonic() - began)

    def drop(self) -> None:
        """End the server; the next job gets a fresh one."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.kill()

    def _ready(self) -> Channel:
        if self._channel is not None and time.monotonic() - self._used > self._probe_idle:
            try:
                self._probe(self._channel)
            except ChannelError:
                self.stats.anomalies += 1
                self.drop()
        if self._channel is None:
            self._channel = self._start()
        return self._channel

    def _start(self) -> Channel:
        channel = self._launcher.start(self.number)
        self.stats.starts += 1
        try:
            deadline = time.monotonic() + START_SECONDS
            header, _ = self._receive(channel, deadline)
            if header.get("op") != "hello" or header.get("wire") != PROTOCOL:
                raise ChannelError(
                    f"the server inside speaks another version of the frames' protocol than {PROTOCOL}: "
                    f"it says {header}; build its image or tree again with `harness sandbox build`"
                )
            if self._launcher.warm:
                self._probe(channel)
        except ChannelError as error:
            channel.kill()
            raise StartError(str(error)) from error
        except BaseException:
            channel.kill()
            raise
        self._served, self._spent = 0, 0.0
        return channel

    def _probe(self, channel: Channel) -> None:
        raw = exchange.reply(*self._exchange(channel, PROBE))
        if raw.status != "ok" or raw.stdout != b"42\n":
            raise ChannelError(f"the health probe failed: {raw.status} {raw.stdout!r} {raw.reason}")

    def _exchange(self, channel: Channel, job: Job) -> tuple[dict[str, Any], dict[str, bytes], bytes]:
        header, parts = exchange.request(job)
        deadline = time.monotonic() + exchange.longest(job)
        channel.send(frames.pack(header, parts), deadline)
        answer, body = self._receive(channel, deadline)
        if answer.get("op") != "done":
            raise ChannelError(f"an unexpected answer: {answer}"[:300])
        exchange.check(answer)
        return answer, body, parts.get("key", b"")

    def _receive(self, channel: Channel, deadline: float) -> tuple[dict[str, Any], dict[str, bytes]]:
        def read(view: memoryview) -> int:
            return channel.read_into(view, deadline)

        try:
            frame = frames.read_header(read)
            if frame is None:
                raise ChannelError(f"the server ended. {channel.last_words()}".strip())
            header, length = frame
            body = memoryview(bytearray(length))
            if frames.read_exactly(read, body) < length:
                raise ChannelError(f"the server ended inside a frame. {channel.last_words()}".strip())
        except frames.FrameError as error:
            raise ChannelError(str(error)) from error
        return header, {name: bytes(part) for name, part in frames.slices(header, body).items()}
