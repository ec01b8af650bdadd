"""Prepares the datasets: pages to frames, text masks, depth orderings, the teacher's depth of
photographs."""

if __name__ == "__main__":
    import common.interrupts  # noqa: F401  Ctrl-C while the rest is imported

from collections.abc import Callable
from pathlib import Path

from comics_depth.annotating.ordering import OrderingServer
from comics_depth.cli import (
    ModelSource,
    Step,
    apply_preset,
    command_line,
    model_source,
    run_main,
    run_steps,
)
from comics_depth.data.annotations import SVG_CLASSES, Box, read_boxes
from comics_depth.data.cropping import crop_frames, generate_text_masks, import_domain
from comics_depth.data.peppercarrot import import_peppercarrot
from comics_depth.images import read_image
from comics_depth.paths import SPLITS, Layout, listed_frames
from comics_depth.synthetic.world import write_world
from common.errors import UserError
from common.files import lines_of, lock

EXAMPLES = """\
  python datasets_preparation.py --crop_frames --generate_text_masks  pages -> frames, masks, splits
  python datasets_preparation.py --coco17_depth --teacher MiDaS       photographs -> pseudo-depth
  torchrun --nproc_per_node 4 datasets_preparation.py --coco17_depth  the same by four processes
  python datasets_preparation.py --generate_evaluation                order points by depth
  python datasets_preparation.py --generate_evaluation --split train --most-uncertain 50
  python datasets_preparation.py --synthesize --preset demo           draw a synthetic world
  python datasets_preparation.py --import_domain ~/manga --as comics --split-pages
  python datasets_preparation.py --import_peppercarrot ~/peppercarrot --data-root data/real
Run the same command again to go on where it stopped."""
ACTIONS = {
    "synthesize": "draw the synthetic world in the formats of the datasets",
    "crop_frames": "DCM pages -> an image per frame, lists, manifest",
    "generate_text_masks": "eBDtheque pages -> frames, text masks, lists",
    "coco17_depth": "the teacher's inverse depth of every photograph, shared by processes",
    "generate_evaluation": "order points of frames by depth, in a browser",
}


def main() -> None:
    models = ("teacher", "averaged", "depth_weights")
    options = ("seed", "workers", *models, "pages", "photographs", "restart", "host", "port")
    parser = command_line(__doc__, EXAMPLES, *options, actions=ACTIONS)
    add = parser.add_argument
    add(
        "--import_domain",
        type=Path,
        metavar="FOLDER",
        help="a plain folder of images stands in for a domain",
    )
    add(
        "--as",
        dest="domain",
        choices=("comics", "natural"),
        help="which domain --import_domain brings",
    )
    add(
        "--split-pages",
        action="store_true",
        help="--import_domain --as comics brings pages: each is cut into its panels, of the boxes"
        " in <page>.txt beside it, else as a small network finds them",
    )
    add(
        "--import_peppercarrot",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="the pages of data/peppercarrot out of folders of Pepper&Carrot: translation"
        " repositories (art and SVG), pages of the web site (with and without text), fonts",
    )
    add(
        "--photograph-list",
        type=Path,
        metavar="FILE",
        help="--coco17_depth takes the photographs named there, the first word of each line, such"
        " as data/coco_free_photographs.tsv (default: all that are there)",
    )
    add(
        "--mask-classes",
        nargs="+",
        choices=SVG_CLASSES,
        default=["Balloon", "Line", "TextArea"],
        help="SVG classes that count as text (default: Balloon Line TextArea)",
    )
    add(
        "--split",
        choices=(*SPLITS, "both"),
        default="both",
        help="frames that --generate_evaluation shows (default: both validation and test)",
    )
    add(
        "--annotator",
        metavar="NAME",
        help="keep the orderings of --generate_evaluation apart, in dcm_cropped/depth-NAME",
    )
    add(
        "--most-uncertain",
        type=int,
        metavar="N",
        help="--generate_evaluation shows only the N frames, most first, on which --depth-model"
        " disagrees most with its own mirror images and sizes",
    )
    add("--depth-model", help="whose uncertainty --most-uncertain takes (names as of --teacher)")
    args = parser.parse_args()
    if bool(args.import_domain) != bool(args.domain):
        parser.error("--import_domain FOLDER and --as comics|natural belong together")
    if args.split_pages and args.domain != "comics":
        parser.error("--split-pages belongs to --import_domain FOLDER --as comics")
    if args.most_uncertain is not None and not (
        args.generate_evaluation and args.most_uncertain > 0
    ):
        parser.error("--most-uncertain takes 1 or more, and belongs to --generate_evaluation")
    layout = apply_preset(args, "synthesize" if args.synthesize else "common").layout
    ranking = (model_source(args, "depth_model"), args.most_uncertain)
    ranking = ranking if args.most_uncertain else None
    making = {"seed": args.seed, "restart": args.restart}
    cropping = {**making, "workers": args.workers}

    # in running order: each finds what the ones before it wrote
    steps = {
        "synthesize": Step(
            lambda: write_world(layout, pages=args.pages, photographs=args.photographs, **cropping),
            reads=[],
            writes=[
                layout.dcm,
                layout.ebdtheque,
                layout.photographs,
                layout.photograph_truth,
                layout.orderings,
            ],
        ),
        "import_domain": Step(
            lambda: import_domain(
                layout,
                args.domain,
                args.import_domain,
                find_panels=panel_finder() if args.split_pages else None,
                **cropping,
            ),
            reads=[args.import_domain],
            writes=[layout.photographs if args.domain == "natural" else layout.frames],
        ),
        "import_peppercarrot": Step(
            lambda: import_peppercarrot(
                layout, args.import_peppercarrot, workers=args.workers, restart=args.restart
            ),
            reads=args.import_peppercarrot or [],
            writes=[
                layout.dcm,
                layout.ebdtheque,
                layout.page_masks,
                layout.text_free_pages,
                layout.orderings,
            ],
        ),
        "crop_frames": Step(
            lambda: crop_frames(layout, **cropping),
            reads=[layout.dcm_images, layout.dcm_boxes],
            writes=[layout.frames, layout.manifest],
        ),
        "generate_text_masks": Step(
            lambda: generate_text_masks(layout, args.mask_classes, **cropping),
            reads=[layout.ebdtheque_pages, layout.ebdtheque_svg],
            writes=[layout.text_frames],
        ),
        "coco17_depth": Step(
            # no other step runs this model, so --depth-weights is its own
            lambda: coco17_depth(
                layout,
                model_source(args, "teacher")._replace(weights=args.depth_weights),
                averaged=bool(args.averaged),
                names=listed_photographs(args.photograph_list),
                **making,
            ),
            reads=[layout.photographs],
            writes=[layout.photograph_depth],
        ),
        "generate_evaluation": Step(
            lambda: generate_evaluation(
                layout, args.split, args.annotator, ranking, args.host, args.port
            ),
            reads=[layout.frames, layout.manifest],
            writes=[layout.orderings_of(args.annotator)] + [layout.uncertainty] * bool(ranking),
        ),
    }
    preparing = [name for name in steps if getattr(args, name) and name != "generate_evaluation"]
    if preparing and not args.dry_run:
        lock(layout.data_root, shared=preparing == ["coco17_depth"])
    run_steps(parser, args, steps)


def panel_finder() -> Callable[[Path], list[Box]]:
    """A function from a page to the boxes of its panels."""
    # imported here: the other actions start without torch
    from comics_depth.pages.panels import read_page
    from models.checkpoints import PAGE_NETWORK, load_network

    network = load_network(PAGE_NETWORK, "page")

    def find_panels(path: Path) -> list[Box]:
        annotation = path.with_suffix(".txt")
        image = read_image(path)
        if annotation.is_file():
            boxes, skipped = read_boxes(annotation, image.shape[:2])
            if not boxes:
                raise UserError(
                    f"{annotation}: {', '.join(skipped) or 'no box'}; mend or remove it"
                )
            return [box for _, box in boxes]
        return read_page(image, network).boxes

    return find_panels


def listed_photographs(path: Path | None) -> list[str] | None:
    """The first word of each line that does not begin with `#`; None without a list."""
    if path is None:
        return None
    return [line.split()[0] for _, line in lines_of(path) if not line.startswith("#")]


def coco17_depth(*args, **options) -> None:
    # imported here: the other actions start without torch
    from comics_depth.data.pseudo_depth import write_pseudo_depth

    write_pseudo_depth(*args, **options)


def generate_evaluation(
    layout: Layout,
    split: str,
    annotator: str | None,
    ranking: tuple[ModelSource, int] | None,
    host: str,
    port: int,
) -> None:
    """Serves the page on which a person orders points, until Ctrl-C. ranking: a depth model, and
    how many of the frames it is least sure of are shown (None: all, in the order of the lists)."""
    frames = []
    for part in ("validation", "test") if split == "both" else (split,):
        frames += listed_frames(layout, part)
    if ranking:
        from comics_depth.evaluation.orderings import most_uncertain

        frames = most_uncertain(layout, frames, *ranking)
    OrderingServer(layout, frames, host, port, annotator).serve_until_interrupted()


if __name__ == "__main__":
    run_main(main)
