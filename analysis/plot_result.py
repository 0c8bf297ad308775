#!/usr/bin/env python3
"""Draws a result of `moesim run SCENARIO --out DIR` (DIR/result.json) as one picture with four panels:
stages over time, load per expert, traffic between ranks, link use.

    python3 analysis/plot_result.py RESULT.json [-o result.png] [--ranks 0,8,16]

Exit codes: 0 the picture is written; 2 bad input or usage, and nothing is written; 3 matplotlib is missing."""
import argparse
import io
import os
import sys

try:
    import matplotlib
except ImportError:
    print(f"plot_result: {sys.executable} has no matplotlib; Debian's python3-matplotlib is for /usr/bin/python3",
          file=sys.stderr)
    sys.exit(3)

matplotlib.use("Agg")  # draws without a display
from matplotlib.figure import Figure  # noqa: E402

import panels  # noqa: E402
from result_document import InputError, load  # noqa: E402

FORMATS = {".png": "png", ".svg": "svg"}
WIDTH = 16  # inches; at 100 dots an inch the picture is 1600 wide
DPI = 100
ROW_HEIGHT = 0.16  # inches, of a timeline row: room for its label
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "svg.hashsalt": "moesim",  # else element ids differ from run to run
}


class Parser(argparse.ArgumentParser):
    """Reports wrong usage the way that wrong input is reported: in one line."""

    def error(self, message):
        raise InputError(f"{message} (see --help)")


def parse_arguments(arguments):
    parser = Parser(prog="plot_result.py", description="Draws a moesim result document as one picture.")
    parser.add_argument("result", metavar="RESULT.json", help="a moesim.result/1 document")
    parser.add_argument("-o", "--output", metavar="FILE", help="*.png or *.svg (default: RESULT.png, beside the document)")
    parser.add_argument("--ranks", help="the ranks of the timeline, as 0,8,16 (default: at most 8, among them those "
                                        "with the slowest and the fastest expert stage)")
    return parser.parse_args(arguments)


def output_of(options):
    path = options.output or os.path.splitext(options.result)[0] + ".png"
    ending = os.path.splitext(path)[1].lower()
    if ending not in FORMATS:
        raise InputError(f"{path}: a picture's name must end in .png or .svg")
    if os.path.abspath(path) == os.path.abspath(options.result):
        raise InputError(f"{path}: is the result document itself")
    return path, FORMATS[ending]


def ranks_of(options, result):
    if options.ranks is None:
        return panels.default_ranks(result)
    try:
        ranks = sorted({int(word) for word in options.ranks.split(",")})
    except ValueError:
        raise InputError(f'--ranks: "{options.ranks}" is not a list of ranks as in 0,8,16') from None
    known = set(result.timeline_ranks)
    for rank in ranks:
        if rank not in known:
            raise InputError(f"{options.result}: --ranks: rank {rank} has no timeline; those that have: "
                             f"{abridged(sorted(known))}")
    return ranks


def abridged(ranks):
    """0,1,2,3 as "0 to 3"; of ranks with gaps the first few and the last."""
    if len(ranks) == ranks[-1] - ranks[0] + 1 > 1:
        return f"{ranks[0]} to {ranks[-1]}"
    return ", ".join(map(str, ranks[:8])) + (f", ... {ranks[-1]}" if len(ranks) > 8 else "")


def facts(result):
    shape = f"{result.nodes} node{'s' * (result.nodes > 1)} of {result.gpus_per_node}, {result.topology}"
    parts = [f"makespan {panels.milliseconds(result.makespan)}", f"{result.tokens_per_s:,.0f} tokens/s",
             f"{result.gpus} GPU{'s' * (result.gpus > 1)} ({shape})", f"network model {result.network}",
             f"seed {result.seed}"]
    for ranks, cores in result.shared_cores:
        parts.append(f"{ranks} ranks on {cores} core{'s' * (cores > 1)}")
    if result.stragglers:
        parts.append(f"{result.stragglers} slowdown{'s' * (result.stragglers > 1)} of GPUs")
    return "   |   ".join(parts)


def draw(result, ranks):
    """The whole picture. Positions are in inches from the left and from the top, so that a timeline of many rows
    makes the picture higher and moves nothing else."""
    timeline = min(max(panels.timeline_rows(result, ranks) * ROW_HEIGHT, 0.5), 500)
    top, below, lower = 1.12, 1.2, 3.2
    height = top + timeline + below + lower + 0.78
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")

    def axes(left, from_top, width, high):
        return figure.add_axes([left / WIDTH, 1 - (from_top + high) / height, width / WIDTH, high / height])

    draw_header(figure, result, height)
    panels.draw_timeline(axes(1.72, top, WIDTH - 1.72 - 0.25, timeline), result, ranks)
    second = top + timeline + below
    panels.draw_load(axes(0.75, second, 5.15, lower), result)
    panels.draw_traffic(axes(6.75, second, 3.2, lower), axes(10.05, second, 0.16, lower), result)
    panels.draw_links(axes(12.2, second, 3.55, lower), result)
    return figure


def draw_header(figure, result, height):
    fit(figure.text(0.25 / WIDTH, 1 - 0.36 / height, result.name, fontsize=16, fontweight="bold", va="center",
                    parse_math=False))
    fit(figure.text(0.25 / WIDTH, 1 - 0.68 / height, facts(result), fontsize=10.5, va="center", color="#333333",
                    parse_math=False))


def fit(text):
    """Shortens a text that would run out of the picture."""
    room = (WIDTH - 0.5) * DPI
    whole = text.get_text()
    kept, too_many = 0, len(whole) + 1
    while kept + 1 < too_many:  # the longest beginning that fits, by halving
        middle = (kept + too_many) // 2
        text.set_text(whole if middle == len(whole) else whole[:middle].rstrip() + " …")
        kept, too_many = (middle, too_many) if text.get_window_extent().width <= room else (kept, middle)
    text.set_text(whole if kept == len(whole) else whole[:kept].rstrip() + " …")


def render(figure, file_format):
    picture = io.BytesIO()
    # The default metadata hold the date (SVG), and two runs must give the same bytes.
    figure.savefig(picture, format=file_format, metadata={"Date": None} if file_format == "svg" else {"Software": "moesim"})
    return picture.getvalue()


def write_whole(path, content):
    """Writes beside the target and renames: no reader ever sees half a picture."""
    beside = f"{path}.{os.getpid()}.tmp"
    try:
        try:
            with open(beside, "wb") as file:
                file.write(content)
            os.replace(beside, path)
        except BaseException:
            if os.path.exists(beside):
                os.remove(beside)
            raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def main(arguments):
    try:
        options = parse_arguments(arguments)
        path, file_format = output_of(options)
        result = load(options.result)
        ranks = ranks_of(options, result)
        matplotlib.rcdefaults()  # the reader's own settings must not change the picture
        matplotlib.rcParams.update(STYLE)
        write_whole(path, render(draw(result, ranks), file_format))
    except InputError as error:
        print(f"plot_result.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
