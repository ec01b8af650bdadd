"""Prepares the datasets: pages to frames, text masks, depth orderings, the teacher's depth of
photographs."""

if __name__ == "__main__":
    import common.interrupts  # noqa: F401  Ctrl-C while the rest is imported

from collections.abc import Callable
from pathlib import Path

from comics_depth import cli
from comics_depth.annotating.ordering import OrderingServer
from comics_depth.data.annotations import SVG_CLASSES, Box, read_boxes
from comics_depth.data.cropping import crop_frames, generate_text_masks, import_domain
from comics_depth.data.peppercarrot import import_peppercarrot
from comics_depth.images import read_image
from comics_depth.options import number
from comics_depth.paths import SPLITS, listed_frames
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
    parser = cli.command_line(__doc__, EXAMPLES, *options, actions=ACTIONS)
    add = parser.add_argument
    folder = {"type": Path, "metavar": "FOLDER"}
    add("--import_domain", **folder, help="a plain folder of images stands in for a domain")
    add("--as", dest="domain", choices=("comics", "natural"), help="the domain it stands in for")
    add(
        "--split-pages",
        action="store_true",
        help="--import_domain --as comics brings pages: each is cut into its panels, of the boxes"
        " in <page>.txt beside it, else as a small network finds them",
    )
    add(
        "--import_peppercarrot",
        **folder,
        nargs="+",
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
    add("--annotator", metavar="NAME", help="keep a person's orderings in dcm_cropped/depth-NAME")
    add(
        "--most-uncertain",
        type=number(int, 1, 10**7),
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
    if args.most_uncertain and not args.generate_evaluation:
        parser.error("--most-uncertain belongs to --generate_evaluation")
    layout = cli.apply_preset(args, "synthesize" if args.synthesize else "common").layout
    making = {"seed": args.seed, "restart": args.restart}
    working = {"workers": args.workers, "restart": args.restart}
    cropping = {**making, **working}

    def synthesize() -> None:
        write_world(layout, pages=args.pages, photographs=args.photographs, **cropping)

    def import_images() -> None:
        find_panels = panel_finder() if args.split_pages else None
        options = {"find_panels": find_panels, **cropping}
        import_domain(layout, args.domain, args.import_domain, **options)

    def predict_photographs() -> None:
        # imported here: the other actions start without torch
        from comics_depth.data.pseudo_depth import write_pseudo_depth

        # no other step runs this model, so --depth-weights is its own
        teacher = cli.model_source(args, "teacher")._replace(weights=args.depth_weights)
        names = listed_photographs(args.photograph_list)
        write_pseudo_depth(layout, teacher, averaged=bool(args.averaged), names=names, **making)

    def order_points() -> None:
        frames = []
        for split in ("validation", "test") if args.split == "both" else (args.split,):
            frames += listed_frames(layout, split)
        if args.most_uncertain:
            from comics_depth.evaluation.orderings import most_uncertain

            source = cli.model_source(args, "depth_model")
            frames = most_uncertain(layout, frames, source, args.most_uncertain)
        server = OrderingServer(layout, frames, args.host, args.port, args.annotator)
        server.serve_until_interrupted()

    raw = [layout.dcm, layout.ebdtheque]
    drawn = [*raw, layout.photographs, layout.photograph_truth, layout.orderings]
    brought = [*raw, layout.page_masks, layout.text_free_pages, layout.orderings]
    ordered = [layout.orderings_of(args.annotator)]
    ordered += [layout.uncertainty] * bool(args.most_uncertain)
    frames = [layout.frames, layout.manifest]
    # in running order: each finds what the ones before it wrote
    steps = {
        "synthesize": cli.Step(synthesize, [], drawn),
        "import_domain": cli.Step(
            import_images,
            [args.import_domain],
            [layout.photographs if args.domain == "natural" else layout.frames],
        ),
        "import_peppercarrot": cli.Step(
            lambda: import_peppercarrot(layout, args.import_peppercarrot, **working),
            args.import_peppercarrot or [],
            brought,
        ),
        "crop_frames": cli.Step(
            lambda: crop_frames(layout, **cropping), [layout.dcm_images, layout.dcm_boxes], frames
        ),
        "generate_text_masks": cli.Step(
            lambda: generate_text_masks(layout, args.mask_classes, **cropping),
            [layout.ebdtheque_pages, layout.ebdtheque_svg],
            [layout.text_frames],
        ),
        "coco17_depth": cli.Step(
            predict_photographs, [layout.photographs], [layout.photograph_depth]
        ),
        "generate_evaluation": cli.Step(order_points, frames, ordered),
    }
    preparing = [name for name in steps if getattr(args, name) and name != "generate_evaluation"]
    if preparing and not args.dry_run:
        lock(layout.data_root, shared=preparing == ["coco17_depth"])
    cli.run_steps(parser, args, steps)


def panel_finder() -> Callable[[Path], list[Box]]:
    """A function from a page to the boxes of its panels."""
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


if __name__ == "__main__":
    cli.run_main(main)
