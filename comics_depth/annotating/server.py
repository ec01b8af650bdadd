"""The web server under the annotation pages: who may ask, and errors as JSON."""

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

HERE = Path(__file__).parent
MAX_BODY = 1 << 20  # bytes; an ordering of ten thousand points is smaller
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
    Who does not know the token of this run, or comes under a foreign host name (DNS rebinding),
    gets nothing. Raises UserError if the port cannot be served."""

    def __init__(
        self,
        page: str,
        images: dict[str, Path],
        reads: dict[str, Callable[[str], Any]],
        writes: dict[str, Callable[[dict], Any]],
        host: str,
        port: int,
    ):
        self.images = images
        self.host = host
        self.token = secrets.token_urlsafe(18)
        self.lock = threading.Lock()  # held from reading the state on disk to replacing it
        app = Flask(__name__, static_folder=None)
        app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
        app.before_request(self._check_request)
        app.after_request(_add_headers)
        for kind in (HTTPException, UserError, OSError, RecursionError):
            app.register_error_handler(kind, _error_as_json)
        root = f"/{self.token}/"
        app.add_url_rule(root, "page", partial(send_file, HERE / page))
        for path in [*HERE.glob("*.js"), *HERE.glob("*.css")]:
            app.add_url_rule(root + path.name, path.name, partial(send_file, path))
        for name, answer in {"image": self._image, **reads}.items():
            app.add_url_rule(root + name, f"read {name}", partial(_read, answer))
        for name, answer in writes.items():
            view = partial(_write, answer)
            app.add_url_rule(root + name, f"write {name}", view, methods=["POST"])
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:  # bound here: werkzeug would print lines of its own and exit
            with socket.create_server((host, port), family=family, backlog=128) as bound:
                self.http = make_server(host, port, app, True, 1, _Handler, fd=bound.fileno())
        except (OSError, OverflowError) as error:
            raise UserError(
                f"{host}:{port} cannot be served ({error}); try --port {port % 60000 + 1}"
            ) from error
        name = "localhost" if host in EVERY_INTERFACE else f"[{host}]" if ":" in host else host
        self.address = f"http://{name}:{self.http.port}{root}"

    def serve_until_interrupted(self) -> None:
        port = self.http.port
        print(
            f"{self.address}\nNo display here? On your machine: ssh -L {port}:localhost:{port}"
            f" {socket.gethostname()}\nand open the same address there, at localhost. Every change"
            " is saved at once; Ctrl-C ends.",
            flush=True,
        )
        self.http.serve_forever()  # until Ctrl-C

    def knows_host(self, header: str) -> bool:
        """Whether a Host header names this server. Bound to every interface, any bare IP address
        does: a rebound name is none."""
        host = re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?", header.lower(), re.ASCII)
        if host and self.host in EVERY_INTERFACE and re.fullmatch(r"\[.*\]|[\d.]+", host[1]):
            return True
        own = ("localhost", "127.0.0.1", "::1", self.host.lower())
        return host is not None and host[1].strip("[]") in own

    def image_file(self, name: Any) -> Path:
        """The image of a listed id: what a client sends is never part of a path."""
        if not isinstance(name, str) or name not in self.images:
            abort(404, f"{name!r} is not in the list")
        return self.images[name].absolute()

    def _image(self, name: str) -> Response:
        return send_file(self.image_file(name))

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
    if isinstance(error, HTTPException):
        return {"error": error.description}, error.code
    return {"error": str(error)}, 400 if isinstance(error, RecursionError) else 500
