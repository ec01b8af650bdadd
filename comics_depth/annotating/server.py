"""The server of the web pages: token, host check, routes; works through `ssh -L`."""

import contextlib
import ipaddress
import json
import secrets
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from common.errors import UserError

MAX_BODY = 1 << 20  # bytes; an ordering of ten thousand points is smaller
EVERYWHERE = ("0.0.0.0", "::", "")
CONTENT_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; script-src 'self'; style-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Refused(UserError):
    """A request that is not served; `status` is its HTTP code."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Server(ThreadingHTTPServer):
    """Serves a page and `images` (id -> JPEG) at `http://<host>:<port>/<token>/`; port 0 takes a
    free one. A subclass adds answers: methods `on_get_<name>(id)` and `on_post_<name>(request)`
    that return a JSON object or JPEG bytes. Who does not know the token of this run, or comes under
    a foreign host name (DNS rebinding), gets nothing."""

    daemon_threads = True
    title: str

    def __init__(self, home: str, images: dict[str, Path], host: str, port: int):
        self.host, self.images, self.token = host, images, secrets.token_urlsafe(18)
        self.lock = threading.Lock()  # held from reading the state on disk to replacing it
        self.static = {
            path.name: path
            for path in Path(__file__).parent.iterdir()
            if path.suffix in CONTENT_TYPES
        }
        self.static[""] = self.static[home]
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), Handler)
        except (OSError, OverflowError) as error:
            raise UserError(
                f"{host}:{port} cannot be served ({error}); try --port {port % 60000 + 1}"
            ) from error

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(
            self
        )  # HTTPServer would ask a name server for our own name, maybe for long

    @property
    def address(self) -> str:
        host = (
            "127.0.0.1"
            if self.host in EVERYWHERE
            else f"[{self.host}]"
            if ":" in self.host
            else self.host
        )
        return f"http://{host}:{self.server_address[1]}/{self.token}/"

    def serve_until_interrupted(self) -> None:
        port = self.server_address[1]
        print(
            f"{self.title}: {self.address}\nNo display here? On your machine: ssh -L"
            f" {port}:127.0.0.1:{port} {socket.gethostname()}\nand open the same address there."
            " Every change is saved at once; Ctrl-C ends.",
            flush=True,
        )
        with self, contextlib.suppress(KeyboardInterrupt):
            self.serve_forever()

    def knows_host(self, header: str) -> bool:
        """Whether a Host header names this server. Bound to every interface, any bare IP address
        does: a rebound name is none."""
        with contextlib.suppress(ValueError):
            name = urlsplit(f"//{header}").hostname or ""
            own = name in ("localhost", "127.0.0.1", "::1", self.host.lower())
            return own or (self.host in EVERYWHERE and bool(ipaddress.ip_address(name)))
        return False

    def listed(self, name: Any) -> Path:
        """The image of a listed id: what a client sends is never part of a path."""
        if not isinstance(name, str) or name not in self.images:
            raise Refused(404, f"{name!r} is not in the list")
        return self.images[name]

    def on_get_image(self, name: str) -> bytes:
        return self.listed(name).read_bytes()


class Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = 60  # seconds; a stalled client does not hold its thread for ever

    def do_GET(self) -> None:
        status, kind = 200, "application/json"
        try:
            answer, kind = self._answer(self.command.lower())
        except (UserError, OSError) as error:
            status, answer = getattr(error, "status", 500), {"error": str(error)}
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        with contextlib.suppress(OSError):  # the browser went away
            self.send_response(status)
            for name, value in {
                **HEADERS,
                "Content-Type": kind,
                "Content-Length": str(len(body)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    do_POST = do_GET

    def _answer(self, method: str) -> tuple[dict | bytes, str]:
        body = self._body() if method == "post" else b""
        if not self.server.knows_host(self.headers.get("Host", "")):
            raise Refused(403, "this server answers to localhost and to the host it was bound to")
        path, _, query = self.path.partition("?")
        _, token, name = (path.split("/", 2) + ["-", "-"])[:3]
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise Refused(
                403, "wrong or old address: open the one that the running command printed"
            )
        if method == "get" and (file := self.server.static.get(name)):
            return file.read_bytes(), CONTENT_TYPES[file.suffix]
        route = getattr(self.server, f"on_{method}_{name}", None)
        if route is None:
            raise Refused(404, "no such page")
        answer = route(
            parse_qs(query).get("id", [""])[0] if method == "get" else self._request(body)
        )
        return answer, "image/jpeg" if isinstance(answer, bytes) else "application/json"

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Refused(411, "the length of the body is missing")
        if int(length[:20]) > MAX_BODY:
            raise Refused(413, f"the body is larger than the limit of {MAX_BODY} bytes")
        return self.rfile.read(int(length))

    def _request(self, body: bytes) -> dict:
        with contextlib.suppress(ValueError, RecursionError):
            # Plain HTML forms of other sites cannot send this type.
            if self.headers.get_content_type() == "application/json" and isinstance(
                value := json.loads(body), dict
            ):
                return value
        raise Refused(400, "expected a JSON object")

    def log_message(self, *_: Any) -> None:
        """One line a click is of no use to anybody."""
