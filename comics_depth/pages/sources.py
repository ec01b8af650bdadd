"""Comics pages out of image files, folders, archives and PDF; archives are read in memory and
never unpacked."""

import io
import itertools
import re
import stat
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypedDict

from comics_depth.images import IMAGE_SUFFIXES
from common.errors import UserError
from common.files import read_json, regular

ARCHIVES = (".cbz", ".zip", ".pdf")
PDF_SIDE = 2400  # pixels of the long side of a page of a PDF
# Limits of an archive. Drawn pages are compressed already: as BMP or TIFF they shrink some 50
# times, zeros 1,000 times.
MOST_ENTRIES = 5_000
MOST_BYTES = 4 << 30
MOST_MEMBER_BYTES = 256 << 20
MOST_RATIO = 200
RECORD = "made_by.json"


class PageInput(NamedTuple):
    """An image to predict. name: where its results go below the output folder, may hold slashes;
    source: path, for a member `<archive>/<member>`; read: the bytes of the image file; boxes: DCM
    annotation: the one in the output folder if a person has changed it, else the one beside the
    image, else None."""

    name: str
    source: str
    read: Callable[[], bytes]
    boxes: Path | zipfile.Path | None


SINGLE = "pages"  # the contact sheet of images given by themselves


class ImageBytes(io.BytesIO):
    """An image file in memory whose name stands in the messages of files.read_image."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name

    def __repr__(self) -> str:
        return self.name


def find_pages(inputs: list[Path], output: Path) -> tuple[dict[str, list[PageInput]], list[str]]:
    """({contact sheet: pages}, what is wrong): the pages of every input, in natural order, with a
    sheet for each folder and archive and one for the files given by themselves. What lies below
    `output` is none of them.

    A name that another page has, of this call or of an earlier one into `output`, gets a number:
    `p1-2`."""
    sheets: dict[str, list[PageInput]] = {}
    problems = []
    taken = set()
    waiting = list(inputs)
    while waiting:
        try:
            title, pages, archives = _pages_of(waiting.pop(0), output.resolve())
        except UserError as error:
            problems.append(str(error))
            continue
        waiting = archives + waiting
        sheet = _free(title, {SINGLE, *sheets}.__contains__) if title else SINGLE
        kept = sheets.setdefault(sheet, [])
        for page in pages:
            # `...jpg` is a file called `..`
            inside = "/".join(part if part.strip(". ") else "page" for part in page.name.split("/"))
            name = _free(inside, lambda name, page=page: not _may_use(output, name, page, taken))
            taken.add(name.casefold())
            kept.append(page._replace(name=name, boxes=corrected_boxes(output, name) or page.boxes))
    return {title: pages for title, pages in sheets.items() if pages}, problems


def _free(name: str, is_taken: Callable[[str], bool]) -> str:
    candidates = itertools.chain([name], (f"{name}-{n}" for n in itertools.count(2)))
    return next(candidate for candidate in candidates if not is_taken(candidate))


def _may_use(output: Path, name: str, page: PageInput, taken: set[str]) -> bool:
    return (
        name.casefold() not in taken
        and read_record(output / name).get("source", page.source) == page.source
    )


class Record(TypedDict, total=False):
    """What made the results of a page: model and options, the image, the boxes that were written
    for a person to mend, and the names of all files."""

    model: str
    image_size: int | None
    averaged: bool
    page: str
    text: str
    whole_page: bool
    right_to_left: bool
    files: list[str]
    source: str
    sha256: str
    boxes: str | None
    written: list[str]


def read_record(folder: Path) -> Record:
    """What made the results in a page's folder; empty where nothing was finished."""
    try:
        return read_json(folder / RECORD, Record)
    except UserError:
        return {}


def boxes_file(output: Path, name: str) -> Path:
    return output / f"{name}.txt"


def corrected_boxes(output: Path, name: str) -> Path | None:
    """The boxes of a page in the output folder, if they are not those that were written there."""
    path = boxes_file(output, name)
    if not path.is_file():
        return None
    written = read_record(output / name).get("boxes")
    return path if path.read_text(encoding="utf-8", errors="replace") != written else None


def _pages_of(path: Path, output: Path) -> tuple[str, list[PageInput], list[Path]]:
    """(title, empty for a single image; pages; archives still to be opened) of a file, an archive
    or a folder. Raises UserError."""
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    if path.is_dir():
        inside = [
            p
            for p in path.rglob("*")
            if not _hidden(p.relative_to(path)) and output not in p.resolve().parents
        ]
        inside = sorted((p for p in inside if p.is_file()), key=_natural)
        images = [p for p in inside if p.suffix.lower() in IMAGE_SUFFIXES]
        archives = [p for p in inside if p.suffix.lower() in ARCHIVES]
        if not images and not archives:
            raise UserError(
                f"{path}: expected images or archives ({', '.join(ARCHIVES)}), found none"
            )
        named = [(p, p.relative_to(path).with_suffix("").as_posix()) for p in images]
        return path.resolve().name, [_file_page(p, name) for p, name in named], archives
    regular(path)
    if path.suffix.lower() == ".pdf":
        return path.stem, _pdf_pages(path), []
    if path.suffix.lower() in ARCHIVES:
        return path.stem, _archive_pages(path), []
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        known = ", ".join((*IMAGE_SUFFIXES, *ARCHIVES))
        raise UserError(
            f"{path}: expected a folder or a file of {known}; convert or unpack it first"
        )
    return "", [_file_page(path, path.stem)], []


def _natural(path: Path | PurePosixPath) -> list:
    """Sorts p2 before p10."""
    return [
        (int(part), "") if part.isdecimal() else (0, part)
        for part in re.split(r"([0-9]+)", path.as_posix())
    ]


def _hidden(path: Path | PurePosixPath) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


def _file_page(path: Path, name: str) -> PageInput:
    beside = path.with_suffix(".txt")
    return PageInput(
        name, str(path.resolve()), path.read_bytes, beside if beside.is_file() else None
    )


def _archive_pages(path: Path) -> list[PageInput]:
    """Pages of an archive. Raises UserError if it is broken, asks for paths outside itself, or
    would grow too large."""
    try:
        archive = zipfile.ZipFile(path)  # stays open for as long as one of its pages lives
        check_members(archive.infolist())
    except Exception as error:  # a reader of foreign files may fail in any way
        raise UserError(
            f"{path}: refused ({error or type(error).__name__}); nothing of it was read"
        ) from error
    members = {
        PurePosixPath(info.filename): info for info in archive.infolist() if not info.is_dir()
    }
    images = [
        name for name in members if name.suffix.lower() in IMAGE_SUFFIXES and not _hidden(name)
    ]
    if not images:
        raise UserError(f"{path}: expected images in this archive, found none")
    pages = []
    for name in sorted(images, key=_natural):
        beside = members.get(name.with_suffix(".txt"))
        beside = zipfile.Path(archive, beside.filename) if beside else None
        read = partial(archive.read, members[name])
        place = f"{path.stem}/{name.with_suffix('')}"
        pages.append(PageInput(place, f"{path.resolve()}/{name}", read, beside))
    return pages


def _pdf_pages(path: Path) -> list[PageInput]:
    """Pages of a PDF, drawn when they are read. Raises UserError if it is broken or locked, or its
    reader is missing."""
    try:
        import pypdfium2
    except ImportError:
        raise UserError(f"{path}: PDF needs a reader: pip install pypdfium2") from None
    try:
        document = pypdfium2.PdfDocument(path)
        count = len(document)
    except pypdfium2.PdfiumError as error:
        raise UserError(f"{path}: not a readable PDF ({error})") from error

    def read(n: int) -> bytes:
        page = document[n]
        image = page.render(scale=PDF_SIDE / max(page.get_size())).to_pil()
        content = io.BytesIO()
        image.save(content, "PNG", compress_level=1)
        return content.getvalue()

    return [
        PageInput(f"{path.stem}/{n + 1:03d}", f"{path.resolve()}/{n + 1}", partial(read, n), None)
        for n in range(count)
    ]


def check_members(members: list[zipfile.ZipInfo]) -> None:
    """Raises UserError naming the first member of an archive that is a link, encrypted, lies
    outside the archive's own folder or is a bomb. zipfile reads no more of a member than the size
    checked here."""
    if len(members) > MOST_ENTRIES:
        raise UserError(f"{len(members)} entries, more than the limit of {MOST_ENTRIES}")
    total = sum(member.file_size for member in members)
    for member in members:
        parts = re.split(r"[/\\]", member.filename)
        size, ratio = member.file_size, member.file_size / max(member.compress_size, 1)
        if ".." in parts or not parts[0] or re.match("[a-zA-Z]:", parts[0]):
            wrong = "has a path that leads out of the archive"
        elif stat.S_ISLNK(member.external_attr >> 16):
            wrong = "is a symbolic link"
        elif member.flag_bits & 1 or member.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            # other methods unpack without bound
            wrong = "is encrypted or not compressed by deflate; pack it again"
        elif (
            size > MOST_MEMBER_BYTES
            or total > MOST_BYTES
            or (size > 1 << 20 and ratio > MOST_RATIO)
        ):
            wrong = (
                f"would unpack to {size} bytes, {ratio:.0f} times its size ({total} in all);"
                f" at most {MOST_MEMBER_BYTES}, {MOST_RATIO} times, {MOST_BYTES} in all"
            )
        else:
            continue
        raise UserError(f"{member.filename!r} {wrong}")
