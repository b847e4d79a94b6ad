"""A small server that speaks the Hub's endpoints for data sets: repository facts, trees, files."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Repository:
    """One data set: file name -> content, at one commit."""

    files: dict[str, bytes]
    commit: str
    gated: bool = False


@dataclass
class Hub:
    """A running server."""

    repositories: dict[str, Repository]
    url: str = ""
    #: Method and path of every request.
    requests: list[str] = field(default_factory=list)
    #: The token that writing needs; without one nothing can be written.
    token: str = ""
    #: Repositories that were made here -> whether they are private.
    made: dict[str, bool] = field(default_factory=dict)


def jsonl(rows: list[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def data_set(
    split: str, rows: list[dict[str, object]], *, config: str = "default", commit: str = ""
) -> Repository:
    """A repository with one jsonl file, its split and config declared in the card."""
    card = (
        "---\nconfigs:\n- config_name: " + config + "\n  data_files:\n  - split: " + split
        + "\n    path: data/" + split + ".jsonl\n---\n"
    )  # fmt: skip
    files = {"README.md": card.encode(), f"data/{split}.jsonl": jsonl(rows)}
    return Repository(files, commit or hashlib.sha1(repr(rows).encode()).hexdigest())


@contextmanager
def serving(repositories: dict[str, Repository]) -> Iterator[Hub]:
    """Serve on a free port."""
    hub = Hub(repositories)

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(body=True, posted=content)

    def _answer(self, *, body: bool, posted: bytes = b"") -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        self.served.requests.append(f"{self.command} {path}")
        parts = [part for part in path.split("/") if part]
        if self.command == "POST" and (
            parts[:2] == ["api", "repos"] or parts[4:5] in (["preupload"], ["commit"])
        ):
            self._write(parts, posted)
        elif parts[:2] == ["api", "validate-yaml"]:
            self._json({"errors": [], "warnings": []}, body)
        elif parts[:2] == ["api", "datasets"] and len(parts) >= 4:
            self._api("/".join(parts[2:4]), parts[4:], posted, body)
        elif parts[:1] == ["datasets"] and len(parts) >= 6 and parts[3] == "resolve":
            self._file("/".join(parts[1:3]), parts[4], "/".join(parts[5:]), body)
        else:
            self._send(404, b"{}", body)

    def _write(self, parts: list[str], posted: bytes) -> None:
        """Making a repository, and a commit of files as they are (no LFS)."""
        if not self.served.token or self.headers.get("Authorization") != f"Bearer {self.served.token}":
            self._fail(401, "", "Invalid credentials in Authorization header", True)
            return
        if parts[1] == "repos":
            asked = json.loads(posted)
            name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
            self.served.made[name] = bool(asked.get("private") or asked.get("visibility") == "private")
            self.served.repositories.setdefault(name, Repository({}, "0" * 40))
            self._json({"url": f"{self.served.url}/datasets/{name}", "name": name, "id": name}, True)
            return
        repository = self.served.repositories["/".join(parts[2:4])]
        if parts[4] == "preupload":
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                for file in json.loads(posted)["files"]
            ]
            self._json({"files": files}, True)
            return
        for line in posted.splitlines():
            change = json.loads(line)
            if change["key"] == "file":
                repository.files[change["value"]["path"]] = base64.b64decode(change["value"]["content"])
        repository.commit = hashlib.sha1(posted).hexdigest()
        address = f"{self.served.url}/datasets/{'/'.join(parts[2:4])}/commit/{repository.commit}"
        self._json({"success": True, "commitOid": repository.commit, "commitUrl": address}, True)

    def _repository(self, name: str, revision: str, body: bool) -> Repository | None:
        repository = self.served.repositories.get(name)
        if repository is None:
            self._fail(401, "RepoNotFound", "Repository not found", body)
        elif repository.gated:
            self._fail(403, "GatedRepo", f"Access to dataset {name} is restricted", body)
        elif revision not in ("main", repository.commit):
            self._fail(404, "RevisionNotFound", f"Invalid rev id: {revision}", body)
            repository = None
        return None if repository is None or repository.gated else repository

    def _api(self, name: str, rest: list[str], posted: bytes, body: bool) -> None:
        revision = rest[1] if len(rest) > 1 else "main"
        repository = self._repository(name, revision, body)
        if repository is None:
            return
        entries = [self._entry(path, content) for path, content in repository.files.items()]
        if not rest or rest[0] == "revision":
            facts = {
                "id": name, "sha": repository.commit, "private": False, "gated": False, "disabled": False,
                "tags": [], "downloads": 0, "likes": 0,
                "siblings": [{"rfilename": path} for path in repository.files],
            }  # fmt: skip
            self._json(facts, body)
        elif rest[0] == "tree":
            inside = "/".join(rest[2:])
            recursive = "recursive=true" in self.path.lower()
            listed = [e for e in entries if str(e["path"]).startswith(inside)]
            if not recursive:
                folders = sorted({str(e["path"]).split("/")[0] for e in entries if "/" in str(e["path"])})
                if not inside:
                    listed = [e for e in entries if "/" not in str(e["path"])]
                    listed += [{"type": "directory", "path": f, "oid": "0" * 40, "size": 0} for f in folders]
            self._json(listed, body)
        elif rest[0] == "paths-info":
            asked = self._asked(posted)
            known = {str(e["path"]): e for e in entries}
            folders = {path.rpartition("/")[0] for path in known if "/" in path}
            listed = [known[path] for path in asked if path in known]
            listed += [
                {"type": "directory", "path": p, "oid": "0" * 40, "size": 0} for p in asked if p in folders
            ]
            self._json(listed, body)
        else:
            self._send(404, b"{}", body)

    def _asked(self, posted: bytes) -> list[str]:
        if "json" in (self.headers.get("Content-Type") or ""):
            return list(json.loads(posted).get("paths", []))
        return urllib.parse.parse_qs(posted.decode()).get("paths", [])

    def _entry(self, path: str, content: bytes) -> dict[str, object]:
        return {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}

    def _file(self, name: str, revision: str, path: str, body: bool) -> None:
        repository = self._repository(name, revision, body)
        if repository is None:
            return
        content = repository.files.get(path)
        if content is None:
            self._fail(404, "EntryNotFound", "Entry not found", body)
            return
        self._send(
            200, content, body,
            {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": repository.commit,
             "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"},
        )  # fmt: skip

    def _json(self, value: object, body: bool) -> None:
        self._send(200, json.dumps(value).encode(), body, {"Content-Type": "application/json"})

    def _fail(self, code: int, name: str, message: str, body: bool) -> None:
        headers = {"X-Error-Code": name, "X-Error-Message": message}
        self._send(code, json.dumps({"error": message}).encode(), body, headers)

    def _send(self, code: int, content: bytes, body: bool, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)
