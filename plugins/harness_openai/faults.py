"""What can be wrong with one call, by what follows from it."""

from __future__ import annotations


class Fault(Exception):
    """A call without a usable answer; its text is the reason."""


class Gone(Fault):
    """The server cannot be reached, or no longer serves the model: its requests go elsewhere, and this is no
    failed attempt of theirs."""


class Dropped(Fault):
    """The connection ended without an answer: the request is repeated and the server looked at."""


class Lost(Dropped):
    """A health check found the server lost while it had the request: no failed attempt of the request's."""


class Busy(Fault):
    """The server asks for a pause: the request waits, and this is no failed attempt."""

    def __init__(self, reason: str, seconds: float | None) -> None:
        super().__init__(reason)
        #: The pause that the server asks for.
        self.seconds = seconds


class Broken(Fault):
    """An error of the server, rubbish, or nothing within the deadline: the request is repeated."""


class Refused(Fault):
    """The server will not do this request, whoever asks again."""
