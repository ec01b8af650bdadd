"""Two pages for a person's eye, served by the standard library: ordering points by depth, and the hand check of the
text-free crops. They work on a machine without a display through `ssh -L`."""

import contextlib
import io
import ipaddress
import json
import os
import secrets
import shutil
import socket
import socketserver
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from comics_depth.files import UserError, find_image, image_size, read_image, read_json, write_json
from comics_depth.layout import Layout, find_named, names_of, read_manifest
from comics_depth.orderings import Point, read_ordering, write_ordering

MAX_BODY = 1 << 20  # bytes; an ordering of ten thousand points is smaller
MAX_LEVEL = 9999
EVERYWHERE = ("0.0.0.0", "::", "")
CONTENT_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
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
    """Serves a page and `images` (id -> JPEG) at `http://<host>:<port>/<token>/`; port 0 takes a free one. A subclass
    adds answers: methods `on_get_<name>(id)` and `on_post_<name>(request)` that return a JSON object or JPEG bytes.
    Who does not know the token of this run, or comes under a foreign host name (DNS rebinding), gets nothing."""

    daemon_threads = True
    title: str

    def __init__(self, home: str, images: dict[str, Path], host: str, port: int):
        self.host, self.images, self.token = host, images, secrets.token_urlsafe(18)
        self.lock = threading.Lock()  # held from reading the state on disk to replacing it
        self.static = {path.name: path for path in Path(__file__).parent.iterdir() if path.suffix in CONTENT_TYPES}
        self.static[""] = self.static[home]
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), Handler)
        except (OSError, OverflowError) as error:
            raise UserError(f"{host}:{port} cannot be served ({error}); try --port {port % 60000 + 1}") from error

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer would ask a name server for our own name, maybe for long

    @property
    def address(self) -> str:
        host = "127.0.0.1" if self.host in EVERYWHERE else f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.server_address[1]}/{self.token}/"

    def serve_until_interrupted(self) -> None:
        port = self.server_address[1]
        print(f"{self.title}: {self.address}\nNo display here? On your machine: ssh -L {port}:127.0.0.1:{port} "
              f"{socket.gethostname()}\nand open the same address there. Every change is saved at once; Ctrl-C ends.",
              flush=True)  # fmt: skip
        with self, contextlib.suppress(KeyboardInterrupt):
            self.serve_forever()

    def knows_host(self, header: str) -> bool:
        """Whether a Host header names this server. Bound to every interface, any bare IP address does: a rebound name
        is none."""
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
            for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
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
            raise Refused(403, "wrong or old address: open the one that the running command printed")
        if method == "get" and (file := self.server.static.get(name)):
            return file.read_bytes(), CONTENT_TYPES[file.suffix]
        route = getattr(self.server, f"on_{method}_{name}", None)
        if route is None:
            raise Refused(404, "no such page")
        answer = route(parse_qs(query).get("id", [""])[0] if method == "get" else self._request(body))
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
            if self.headers.get_content_type() == "application/json" and isinstance(value := json.loads(body), dict):
                return value
        raise Refused(400, "expected a JSON object")

    def log_message(self, *_: Any) -> None:
        """One line a click is of no use to anybody."""


class OrderingServer(Server):
    """The page on which a person orders points of `frames` by depth; every change is in `layout.ordering(frame)` at
    once. A frame without points has no file, so it never counts as done. Raises UserError if a frame has no image or
    the port is taken."""

    title = "depth orderings"

    def __init__(self, layout: Layout, frames: list[str], host: str, port: int):
        images = {frame: layout.frame(frame) for frame in frames}
        missing = [f"{path} is missing" for path in images.values() if not path.exists()]
        if missing or not frames:
            found = missing[0] if missing else "there are no frames to order"
            raise UserError(f"{found}; run first: {layout.command('datasets_preparation.py --crop_frames')}")
        self.layout, self.manifest = layout, read_manifest(layout)
        self.meant = names_of({*frames, *self.manifest})
        super().__init__("order.html", images, host, port)

    def _file(self, frame: str) -> Path:
        """An old file is edited in place under its 2020 name, unless other frames could claim it."""
        found = None
        with contextlib.suppress(UserError):
            found = find_named(self.layout.orderings, frame, (".txt",), self.meant)
        return found or self.layout.ordering(frame)

    def _points(self, frame: str) -> list[Point]:
        path = self._file(frame)
        try:
            return read_ordering(path) if path.exists() else []
        except UnicodeDecodeError:
            raise UserError(f"{path}: not a text file") from None

    def _page(self, frame: str) -> Path | None:
        page = self.manifest.get(frame, {}).get("page")
        return find_image(self.layout.dcm_images, page) if page else None

    def _read(self, frame: str) -> dict:
        """{points} of a frame, with an error where its file is malformed."""
        try:
            return {"points": self._points(frame)}
        except UserError as error:
            hint = "Mend or delete that file, then reload; it is left as it is."
            return {"points": [], "error": f"{error}. {hint}"}

    def on_get_state(self, _: str) -> dict:
        read = {frame: self._read(frame) for frame in self.images}
        return {"frames": [{"id": frame, **found, "points": len(found["points"])} for frame, found in read.items()]}

    def on_get_frame(self, frame: str) -> dict:
        height, width = image_size(self.listed(frame))
        data = {"width": width, "height": height}
        with contextlib.suppress(UserError):  # a broken page costs the view beside, not the frame
            if page := self._page(frame):
                data["page"] = {"box": self.manifest[frame]["box"], "size": image_size(page)[::-1]}
        return data | self._read(frame)

    def on_get_page(self, frame: str) -> bytes:
        self.listed(frame)
        if not (page := self._page(frame)):
            raise Refused(404, "the page of this frame is not there")
        small, buffer = Image.fromarray(read_image(page)), io.BytesIO()  # browsers show no TIFF
        small.thumbnail((1400, 1400))
        small.save(buffer, "JPEG", quality=88)
        return buffer.getvalue()

    def on_post_save(self, request: dict) -> dict:
        """Replaces the points `before`, which the page believes to be on disk, by `points`."""
        frame = request.get("id")
        height, width = image_size(self.listed(frame))
        points, before = _as_points(request.get("points")), _as_points(request.get("before"))
        for object_level, intra_level, x, y in (point for point in points if point not in before):  # old ones may stay
            if not (0 <= x < width and 0 <= y < height):
                raise Refused(400, f"point {x}, {y} lies outside the frame ({width}x{height} pixels)")
            if not (1 <= object_level <= MAX_LEVEL and 1 <= intra_level <= MAX_LEVEL):
                raise Refused(400, f"levels go from 1 to {MAX_LEVEL}, found {object_level} {intra_level}")
        with self.lock:
            path = self._file(frame)
            if self._points(frame) not in (before, points):  # a malformed file raises and stays
                raise Refused(409, f"{path} was changed elsewhere meanwhile; reload the frame to see it")
            if points:
                write_ordering(path, points)
            else:
                path.unlink(missing_ok=True)
        return {"points": len(points)}


def _as_points(value: Any) -> list[Point]:
    rows = value if isinstance(value, list) else [None]
    if all(isinstance(row, list) and [type(number) for number in row] == [int] * 4 for row in rows):
        return [Point(*row) for row in rows]
    raise Refused(400, "expected a list of points, each four integers: object level, intra level, x, y")


class CheckServer(Server):
    """The page on which a person marks the crops of `layout.no_text` that still show text. Marks are kept in
    `layout.crop_marks`; the page's Finish writes `layout.no_text_checked`. Raises UserError if there are no crops or
    the port is taken."""

    title = "hand check of the text-free crops"

    def __init__(self, layout: Layout, host: str, port: int):
        self.layout, self.marks = layout, layout.crop_marks
        images = {name: layout.no_text / f"{name}.jpg" for name in _crops(layout)}
        super().__init__("check.html", images, host, port)

    def _removed(self) -> set[str]:
        names = read_json(self.marks) if self.marks.exists() else []
        if not isinstance(names, list):
            raise UserError(f"{self.marks}: expected a list of crops; mend or delete that file")
        return {name for name in self.images if name in names}

    def on_get_state(self, _: str) -> dict:
        folder = str(self.layout.no_text_checked)
        return {"crops": list(self.images), "removed": sorted(self._removed()), "folder": folder}

    def on_post_mark(self, request: dict) -> dict:
        self.listed(name := request.get("id"))
        with self.lock:
            removed = self._removed() | {name} if request.get("removed") is True else self._removed() - {name}
            write_json(self.marks, sorted(removed))
        return {"removed": sorted(removed)}

    def on_post_finish(self, _: dict) -> dict:
        with self.lock:
            removed = self._removed()
            return {"kept": accept_crops(self.layout, removed, "hand"), "removed": len(removed)}


def _crops(layout: Layout) -> dict[str, dict]:
    """Crop id -> provenance, of the crops that are there; the manifest tells them from contact sheets."""
    manifest = layout.crop_manifest
    listed = read_json(manifest) if manifest.exists() else {}
    crops = {name: value for name, value in listed.items() if (layout.no_text / f"{name}.jpg").exists()}
    if not crops:
        command = layout.command("comics2textareas.py --generate_dcm_without_text_areas")
        raise UserError(f"{manifest} lists no crop that is there; run first: {command}")
    return crops


def accept_crops(layout: Layout, removed: set[str], by: str) -> int:
    """Writes `layout.no_text_checked`: copies of all crops but `removed`, and manifest.json {who: `by`, kept, removed:
    counts, crops: {id: provenance}}. Returns how many were kept. The folder appears whole or not at all. Raises
    UserError if an id is unknown, nothing is left, or a folder of another origin is in the way."""
    crops, target = _crops(layout), layout.no_text_checked
    if unknown := removed - set(crops):
        raise UserError(f"{layout.no_text}: no such crop: {', '.join(sorted(unknown)[:5])}")
    kept = {name: value for name, value in crops.items() if name not in removed}
    if not kept:
        raise UserError(f"all {len(crops)} crops are marked as showing text: nothing is left to write")
    if target.exists() and any(target.iterdir()) and not layout.checked_manifest.exists():
        raise UserError(f"{target} was not written by this command; move it away first")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".partial-") as scratch:
            fresh = Path(scratch, "fresh")
            for name in kept:
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(layout.no_text / f"{name}.jpg", fresh / f"{name}.jpg")
            write_json(fresh / "manifest.json", {"who": by, "kept": len(kept), "removed": len(removed), "crops": kept})
            shutil.rmtree(target, ignore_errors=True)  # the crops and what is marked of them still lie in no_text
            os.replace(fresh, target)
    except OSError as error:
        raise UserError(f"{target}: could not be written ({error})") from error
    return len(kept)
