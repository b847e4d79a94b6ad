"""One HTTP call to a server, its failures sorted into faults."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from harness.contract import EngineError
from harness_openai.faults import Broken, Busy, Dropped, Fault, Gone, Refused
from harness_openai.protocol import error_text

#: Longest answer that is read, in bytes: some 100k tokens with their log-probabilities.
MAX_BYTES: Final = 64 << 20
CONNECT_SECONDS: Final = 10.0
#: Longest pause that a server may ask for, in seconds.
LONGEST_PAUSE: Final = 600.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls with the key in their headers and never in a message."""

    http: aiohttp.ClientSession
    key: str | None
    #: Where the key comes from, for messages.
    key_name: str | None

    async def call(self, method: str, url: str, body: bytes | None, deadline: float) -> bytes:
        """The body of a successful answer.

        Raises:
            Fault: which one says what to do next.
            EngineError: the server refuses the key.
        """
        try:
            async with (
                asyncio.timeout(deadline),
                self.http.request(method, url, data=body, headers=self._headers()) as response,
            ):
                content = await self._content(response)
                if response.status < 300:
                    return content
                reason = f"{response.status} {self._hide(error_text(content))}".strip()
                raise self._fault(url, response.status, reason, asked_pause(response.headers))
        except TimeoutError:
            raise Broken(f"no answer within {deadline:g} s") from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Gone(f"no connection: {_brief(error)}") from None
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError) as error:
            raise Dropped(f"the connection ended: {_brief(error)}") from None
        except aiohttp.ClientError as error:
            raise Broken(f"rubbish: {_brief(error)}") from None

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        return headers

    async def _content(self, response: aiohttp.ClientResponse) -> bytes:
        parts, size = [], 0
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > MAX_BYTES:
                raise Broken(f"rubbish: an answer of more than {MAX_BYTES >> 20} MiB")
        return b"".join(parts)

    def _fault(self, url: str, status: int, reason: str, after: float | None) -> Fault:
        if status in (401, 403):
            given = f"the key of {self.key_name}" if self.key_name else "a request without a key"
            raise EngineError(
                f"refuses {given}: {reason}", where=url, hint="set api_key_env and that variable"
            )
        if status in (404, 405):
            return Gone(reason)
        if status in (429, 503):
            return Busy(reason, after)
        if status >= 500 or status in (408, 409, 425):
            return Broken(reason)
        return Refused(reason)

    def _hide(self, text: str) -> str:
        return text.replace(self.key, "***") if self.key else text


def asked_pause(headers: Mapping[str, str]) -> float | None:
    """The pause that a server asks for, in seconds; None if it asks for none.

    `retry-after-ms` goes before `Retry-After`, which is a number of seconds or a date (RFC 9110, 10.2.3). A
    date is held against the server's own clock if its answer has one (`Date`).
    """
    for name, unit in (("retry-after-ms", 1000.0), ("Retry-After", 1.0)):
        said = headers.get(name)
        if said is None:
            continue
        try:
            seconds = float(said) / unit
        except ValueError:
            when = _time(said)
            if when is None:
                continue
            seconds = when - (_time(headers.get("Date", "")) or time.time())
        if math.isfinite(seconds):
            return min(max(seconds, 0.0), LONGEST_PAUSE)
    return None


def _time(date: str) -> float | None:
    """A date of HTTP as seconds since the epoch."""
    try:
        when = parsedate_to_datetime(date)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__} {error}".strip()[:200]
