"""Who may look: whoever knows the token, from this machine, and only with requests that read.

A page of another site can make the browser ask this server: the cookie stays behind (`SameSite`), a foreign
host name is refused (DNS rebinding), and what comes back can be neither framed nor read elsewhere. Pages run
this server's own script alone and load nothing from other places, whatever stands in a completion.
"""

from __future__ import annotations

import secrets
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.board import pages

#: Pages may be styled where they stand: charts are SVG with colours. The script inside boards' pages is ours.
POLICY: Final = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self' {boards}; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
HOSTS: Final = ("127.0.0.1", "localhost")
TOKEN: Final = "token"


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)


class Guard:
    """Lets through what may be answered, and takes the token out of the address."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app, self._token = app, token
        self._headers = {**HEADERS, "content-security-policy": POLICY.format(boards=pages.script_source())}
        # Cookies do not tell ports apart.
        self._cookie = f"harness_view_{port}"
        self._hosts = {host if port == 80 else f"{host}:{port}" for host in HOSTS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        request = Request(scope)
        answer = self._answer(request)
        await (answer or self._app)(scope, receive, sealed)

    def _answer(self, request: Request) -> Response | None:
        """What is answered instead; None lets the request through."""
        if request.headers.get("host") not in self._hosts:
            return PlainTextResponse("This page is asked for by another name.", 421)
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("This page only reads.", 405)
        given = request.query_params.get(TOKEN)
        if given is not None and self._right(given):
            return self._admitted(request)
        if self._right(request.cookies.get(self._cookie, "")):
            return None
        return PlainTextResponse(
            "This page needs its token: open the address that `harness view` printed.\n", 403
        )

    def _admitted(self, request: Request) -> Response:
        """The same address without the token, which the browser keeps from now on."""
        rest = [(name, value) for name, value in request.query_params.multi_items() if name != TOKEN]
        # One slash: two, of whatever sort, would name another host.
        path = "/" + request.scope["raw_path"].decode("ascii").lstrip("/\\")
        answer = RedirectResponse(path + (f"?{urlencode(rest)}" if rest else ""), 303)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="lax", path="/")
        return answer

    def _right(self, given: str) -> bool:
        return secrets.compare_digest(given.encode("utf-8", "replace"), self._token.encode())
