"""The pages by their addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from harness.board import pages
from harness.board.site import build_site
from harness.contract import DataError, HarnessError
from harness.recording import blot
from harness.support import Scratch
from harness_view import asking, comparing, looks
from harness_view.guard import Guard
from harness_view.shelf import Shelf

HERE = Path(__file__).resolve().parent


def build_app(shelf: Shelf, token: str, port: int) -> ASGIApp:
    """The application; it answers those who know the token, under this port."""
    site_of_boards = Boards(shelf.boards)
    desk = looks.Desk(shelf, site_of_boards.names)
    show = Show()
    app = Starlette(
        routes=[
            Route("/", show.page("home.html", lambda request: looks.home(desk))),
            Route(
                "/study/{name}", show.page("study.html", lambda r: looks.study(desk, r.path_params["name"]))
            ),
            Route("/run/{name:path}", show.page("one_run.html", lambda r: looks.run(desk, _at(r)[0]))),
            Route("/samples/{name:path}", show.page("samples.html", lambda r: looks.samples(desk, *_at(r)))),
            Route("/sample/{name:path}", show.page("sample.html", lambda r: looks.sample(desk, *_at(r)))),
            Route("/compare", show.page("compare.html", lambda r: comparing.compare(desk, r.query_params))),
            Route("/pair", show.page("pair.html", lambda r: comparing.pair(desk, r.query_params))),
            Route("/boards/{name:path}", show.caught(site_of_boards.answer)),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        exception_handlers={404: show.absent},
    )
    return Guard(app, token, port)


def _at(request: Request) -> tuple[str, Mapping[str, str]]:
    return request.path_params["name"], request.query_params


class Show:
    """Renders templates, and errors that a user can mend as pages of their own."""

    @cached_property
    def _env(self) -> Any:
        import harness_report

        reports = Path(harness_report.__file__).resolve().parent / "templates"
        env = pages.environment(HERE / "templates", reports)
        env.globals.update(key_query=asking.key_query, link=asking.link, TRAINING=asking.TRAINING)
        return env

    def page(
        self, template: str, look: Callable[[Request], Mapping[str, Any] | Response]
    ) -> Callable[[Request], Response]:
        """An endpoint that renders what `look` gives."""

        def answer(request: Request) -> Response:
            context = look(request)
            if isinstance(context, Response):
                return context
            return self._answer(request, self._html(template, **context))

        return self.caught(answer)

    def caught(self, answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
        """The same, with errors that the user can mend as pages."""

        def endpoint(request: Request) -> Response:
            try:
                return answer(request)
            except HarnessError as error:
                status = 404 if isinstance(error, DataError) else 409
                return HTMLResponse(self._html("fault.html", fault=str(error)), status)

        return endpoint

    def absent(self, request: Request, _: Exception) -> Response:
        return HTMLResponse(self._html("fault.html", fault=f"there is no page {request.url.path}"), 404)

    def _html(self, template: str, **context: Any) -> bytes:
        html: str = self._env.get_template(template).render(**context)
        # A text may hold halves of characters, which no encoding has.
        return blot(html).encode("utf-8", "replace")

    def _answer(self, request: Request, html: bytes) -> Response:
        """The page, or word that it is the one that the browser has."""
        tag = f'"{hashlib.blake2b(html, digest_size=12).hexdigest()}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        return HTMLResponse(html, headers={"etag": tag})


class Boards:
    """The site of the boards, built anew when one of them has changed."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._built: tuple[tuple[tuple[str, int], ...], Path] | None = None
        # Made now, so that what a view before left is removed now, too.
        self._scratch = Scratch("view")

    def names(self) -> list[str]:
        """Names of the boards."""
        if self._root is None:
            return []
        return sorted(path.parent.name for path in self._root.glob("*/board.toml"))

    def answer(self, request: Request) -> Response:
        """A page of the site."""
        if self._root is None or not self.names():
            raise DataError("there are no boards here", hint="harness view --boards FOLDER")
        site = self._site(self._root).resolve()
        page = (site / request.path_params["name"]).resolve()
        if not page.is_relative_to(site) or not page.is_file():
            return RedirectResponse("/boards/index.html", 303)
        return FileResponse(page)

    def _site(self, root: Path) -> Path:
        now = tuple(sorted((str(p), p.stat().st_mtime_ns) for p in root.rglob("*") if p.is_file()))
        if self._built is None or self._built[0] != now:
            out = self._scratch.path / "site"
            build_site(root, out)
            self._built = now, out
        return self._built[1]
