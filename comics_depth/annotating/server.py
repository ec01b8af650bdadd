"""The web server under the annotation pages: who may ask, and errors as JSON."""

import contextlib
import re
import secrets
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, request, send_file
from werkzeug.exceptions import HTTPException
from werkzeug.serving import WSGIRequestHandler, make_server

from common.errors import UserError

Views = dict[str, Callable[[Any], Any]]
HERE = Path(__file__).parent
EVERY_INTERFACE = ("0.0.0.0", "::")
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


class AnnotationServer:
    """Serves a page and `images` (id -> file) at `address`, `http://<host>:<port>/<token>/`; port 0
    takes a free one. `reads`: name -> answer to an id; `writes`: name -> answer to a JSON object.
    Without the token of this run, or under a foreign host name (DNS rebinding), one gets nothing.
    Raises UserError if the port cannot be served."""

    def __init__(
        self, page: str, images: dict[str, Path], reads: Views, writes: Views, host: str, port: int
    ):
        self.images = images
        self.host = host or "0.0.0.0"
        self.token = secrets.token_urlsafe(18)
        self.lock = threading.Lock()  # held from reading the state on disk to replacing it
        app = Flask(__name__, static_folder=None)
        app.config["MAX_CONTENT_LENGTH"] = 1 << 20  # an ordering of ten thousand points is smaller
        app.before_request(self._check_request)
        app.after_request(_add_headers)
        for kind in (HTTPException, UserError, OSError, RecursionError):
            app.register_error_handler(kind, _error_as_json)
        root = f"/{self.token}/"
        app.add_url_rule(root, page, partial(send_file, HERE / page))
        for path in [*HERE.glob("*.js"), *HERE.glob("*.css")]:
            app.add_url_rule(root + path.name, path.name, partial(send_file, path))
        reads = {"image": lambda name: send_file(self.image_file(name)), **reads}
        for name, answer in reads.items():
            app.add_url_rule(root + name, name, partial(_read, answer))
        for name, answer in writes.items():
            app.add_url_rule(root + name, name, partial(_write, answer), methods=["POST"])
        try:  # bound here: werkzeug would print lines of its own and exit
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.create_server((host, port), family=family, backlog=128) as bound:
                options = {"threaded": True, "request_handler": _Handler}
                self.http = make_server(host, port, app, fd=bound.fileno(), **options)
        except (OSError, OverflowError) as error:
            hint = f"try --port {port % 60000 + 1}"
            raise UserError(f"{host}:{port} cannot be served ({error}); {hint}") from error
        name = f"[{host}]" if ":" in host else host
        name = "localhost" if self.host in EVERY_INTERFACE else name
        self.address = f"http://{name}:{self.http.port}{root}"

    def serve_until_interrupted(self) -> None:
        tunnel = f"ssh -L {self.http.port}:localhost:{self.http.port} {socket.gethostname()}"
        print(f"{self.address}\nFrom another machine: {tunnel}, and open the same address there.")
        print("Every change is saved at once; Ctrl-C ends.", flush=True)
        self.http.serve_forever()  # until Ctrl-C

    def knows_host(self, header: str) -> bool:
        """Whether a Host header names this server; of one bound to every interface, any IP address
        does."""
        match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?", header.lower(), re.ASCII)
        name = match[1].strip("[]") if match else ""
        if self.host in EVERY_INTERFACE and re.fullmatch(r"[\d.]+|.*:.*", name):
            return True
        return name in ("localhost", "127.0.0.1", "::1", self.host.lower())

    def image_file(self, name: Any) -> Path:
        """The image of a listed id: what a client sends is never part of a path."""
        if not isinstance(name, str) or name not in self.images:
            abort(404, f"{name!r} is not in the list")
        return self.images[name].absolute()

    def _check_request(self) -> None:
        host = request.headers.get("Host", "")
        if not self.knows_host(host):
            abort(403, "this server answers to localhost and to the host it was bound to")
        if not secrets.compare_digest(request.path.split("/")[1].encode(), self.token.encode()):
            abort(403, "wrong or old address: open the one that the running command printed")
        if request.method == "POST" and request.headers.get("Origin") != f"http://{host}":
            abort(403, "only the page of this server may write")


class _Handler(WSGIRequestHandler):
    timeout = 60  # seconds; a stalled client does not hold its thread for ever

    def handle(self) -> None:
        with contextlib.suppress(ValueError):  # werkzeug's, for an address such as http://[::1
            super().handle()

    def log(self, *_: Any) -> None:
        """One line a click is of no use to anybody."""


def _read(answer: Callable[[str], Any]) -> Any:
    return answer(request.args.get("id", ""))


def _write(answer: Callable[[dict], Any]) -> Any:
    value = request.get_json()  # only if sent as JSON, which a form of another site cannot do
    return answer(value) if isinstance(value, dict) else abort(400, "expected a JSON object")


def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


def _error_as_json(error: Exception) -> tuple[dict, int]:
    """What HTTP knows has a code of its own; JSON nested too deeply is the client's fault."""
    code = 400 if isinstance(error, RecursionError) else 500
    return {"error": getattr(error, "description", str(error))}, getattr(error, "code", code)
