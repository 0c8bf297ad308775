"""The four panels of a result's picture: each function draws one into the axes that it is given."""
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

# Paul Tol's "muted" scheme: its colours stay apart for colour-blind readers. Stages that follow each other on a
# stream also differ in lightness.
STAGE_COLOURS = {
    "attention": "#332288", "gate": "#CC6677", "select": "#44AA99", "pack": "#DDCC77", "dispatch": "#88CCEE",
    "expert": "#117733", "return": "#AA4499", "unpack": "#999933", "combine": "#882255", "residual": "#999999",
}
LINK_COLOURS = {"nic": "#332288", "uplink": "#CC6677", "nvlink": "#44AA99"}
OTHER_COLOUR = "#555555"
STREAMS = ("compute", "dispatch", "return", "tensor")
BAR_COLOUR, RANGE_COLOUR, MEAN_COLOUR = "#88CCEE", "#332288", "#882255"
SMALL, TINY = 8.5, 7.5  # font sizes
LEGEND_DROP = 34  # points below the axes: clear of tick and axis labels

MOST_SLICES = 320  # on a GPU: more than that in one picture is a grey blur
MOST_WHISKERS = 96  # experts: beyond, whiskers would touch each other
MOST_LINKS = 20


def title(axes, text, note=""):
    """A bold title at the left and, after it, a note in the plain face."""
    bold = axes.text(0, 1, text, transform=axes.transAxes, fontsize=11, fontweight="bold", va="bottom", parse_math=False)
    bold.set_position((0, 1 + points(axes, 6)))
    if note:
        axes.annotate(note, (1, 0), xycoords=bold, xytext=(9, 0), textcoords="offset points", fontsize=9.5,
                      color="#333333", va="bottom", annotation_clip=False, parse_math=False)


def points(axes, distance):
    """A distance in points as a share of the axes' height."""
    return distance / 72 / (axes.figure.get_figheight() * axes.get_position().height)


def legend_below(axes, handles, side="left"):
    """A legend of one row below the axes, its first or last entry flush with that side of them."""
    axes.legend(handles=handles, loc=f"upper {side}", bbox_to_anchor=(side == "right", -points(axes, LEGEND_DROP)),
                ncol=max(1, len(handles)),
                frameon=False, fontsize=SMALL, borderaxespad=0, borderpad=0, handlelength=1.2, columnspacing=1.4)


def default_ranks(result, most=8):
    """The GPUs with the slowest and the fastest expert stage, and others evenly spaced between first and last."""
    known = sorted(set(result.timeline_ranks))
    if len(known) <= most:
        return known
    chosen = {slowest(result, known), fastest(result, known)}
    # Spread more and more points until enough new ranks are found: the first few may hit ranks already chosen.
    for count in range(most - 2, len(known) + 1):
        spread = [known[round(i * (len(known) - 1) / max(1, count - 1))] for i in range(count)]
        if len(chosen.union(spread)) > most:
            break
        best = chosen.union(spread)
    return sorted(best)


def slowest(result, ranks):
    return max(ranks, key=lambda r: (result.expert_time[r], -r))


def fastest(result, ranks):
    return min(ranks, key=lambda r: (result.expert_time[r], r))


def streams_of(slices):
    found = {s.stream for s in slices}
    return [s for s in STREAMS if s in found] + sorted(found.difference(STREAMS))


def timeline_end(slices, makespan):
    """The time until which no GPU shows more slices than can be told apart."""
    starts = {}
    for s in slices:
        starts.setdefault(s.rank, []).append(s.start)
    cuts = [sorted(times)[MOST_SLICES] for times in starts.values() if len(times) > MOST_SLICES]
    return min(cuts + [makespan])


def timeline_rows(result, ranks):
    """How many rows the timeline of these ranks has."""
    return len(ranks) * max(1, len(streams_of([s for s in result.slices if s.rank in set(ranks)])))


def draw_timeline(axes, result, ranks):
    wanted = set(ranks)
    slices = [s for s in result.slices if s.rank in wanted]
    streams = streams_of(slices) or ["compute"]
    end = timeline_end(slices, result.makespan)
    row_of = {(rank, stream): i * len(streams) + j for i, rank in enumerate(ranks) for j, stream in enumerate(streams)}
    for i in range(0, len(ranks), 2):
        axes.axhspan((i * len(streams)) - 0.5, (i + 1) * len(streams) - 0.5, color="#F0F0F0", lw=0, zorder=0)
    draw_slices(axes, [s for s in slices if s.start < end], row_of, end)
    axes.set_xlim(0, end * 1e3 or 1)
    axes.set_ylim(len(row_of) - 0.5, -0.5)
    axes.set_yticks(list(row_of.values()), [stream for _, stream in row_of], fontsize=TINY, color="#333333")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("time (ms)", labelpad=2)
    axes.grid(axis="x", color="#CCCCCC", lw=0.6)
    axes.set_axisbelow(True)
    label_ranks(axes, result, ranks, len(streams))
    title(axes, "Stages over time", timeline_note(result, ranks, end))
    present = {s.stage for s in slices}
    legend_below(axes, [Patch(color=stage_colour(s), label=s) for s in ordered(present, STAGE_COLOURS)])


def draw_slices(axes, slices, row_of, end):
    """Wide slices get a thin white outline, which separates the chunks; on narrow ones it would hide the colour."""
    for wide in (False, True):
        some = [s for s in slices if (s.finish - s.start > end / 250) == wide]
        boxes = [box(s.start * 1e3, s.finish * 1e3, row_of[s.rank, s.stream], 0.42) for s in some]
        colours = [stage_colour(s.stage) for s in some]
        axes.add_collection(PolyCollection(boxes, facecolors=colours, edgecolors="white" if wide else "none",
                                           linewidths=0.5 if wide else 0, zorder=2))


def box(left, right, middle, half):
    return [(left, middle - half), (right, middle - half), (right, middle + half), (left, middle + half)]


def label_ranks(axes, result, ranks, rows):
    known = result.timeline_ranks
    roles = {} if len(known) < 2 else {fastest(result, known): "fastest experts", slowest(result, known): "slowest experts"}
    for i, rank in enumerate(ranks):
        middle = i * rows + (rows - 1) / 2
        at = dict(xy=(0, middle), xycoords=("axes fraction", "data"), textcoords="offset points", ha="right",
                  annotation_clip=False)
        axes.annotate(f"rank {rank}", xytext=(-56, 1 if rank in roles else -3), fontsize=9, fontweight="bold", **at)
        if rank in roles:
            axes.annotate(roles[rank], xytext=(-56, -9), fontsize=TINY, color="#333333", **at)


def timeline_note(result, ranks, end):
    total, known = result.gpus, set(result.timeline_ranks)
    what = f"{len(ranks)} of {total} ranks" if len(ranks) < total else f"all {total} ranks" if total > 1 else ""
    if len(known) < total:
        what += f" (the document holds {len(known)} of them)"
    if len(ranks) < len(known) and ranks == default_ranks(result):
        what += ": the slowest and the fastest in the stage expert, the others evenly spaced"
    if end < result.makespan:
        what += ("; " if what else "") + f"the first {milliseconds(end)} of {milliseconds(result.makespan)}"
    return what


def stage_colour(stage):
    return STAGE_COLOURS.get(stage, OTHER_COLOUR)


def ordered(present, known):
    return [k for k in known if k in present] + sorted(set(present).difference(known))


def draw_load(axes, result):
    layers, experts = len(result.expert_tokens), len(result.expert_tokens[0])
    columns = list(zip(*result.expert_tokens))
    mean, low, high = [sum(c) / layers for c in columns], [min(c) for c in columns], [max(c) for c in columns]
    overall = sum(mean) / experts
    unit, name = scale(max(high), (1e9, "billion tokens"), (1e6, "million tokens"), (1e3, "thousand tokens"), (1, "tokens"))
    x = list(range(experts))
    handles = [draw_bars(axes, x, [m / unit for m in mean], layers)]
    if layers > 1:
        handles.append(draw_range(axes, x, [v / unit for v in low], [v / unit for v in high]))
    axes.axhline(overall / unit, color=MEAN_COLOUR, lw=1.4, ls="--", zorder=4)
    handles.append(Line2D([], [], color=MEAN_COLOUR, lw=1.4, ls="--", label="mean over experts"))
    axes.set_xlim(-0.8, experts - 0.2)
    axes.set_ylim(0, max(high) / unit * 1.04 or 1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=9, integer=True, steps=[1, 2, 4, 8, 10], min_n_ticks=1))
    axes.set_xlabel("expert", labelpad=2)
    axes.set_ylabel(f"{name} per layer")
    axes.grid(axis="y", color="#DDDDDD", lw=0.6)
    axes.set_axisbelow(True)
    worst = "worst layer's max/mean" if layers > 1 else "max/mean"
    title(axes, "Load per expert", f"CV {result.expert_cv:.2f}, {worst} {result.expert_max_over_mean:.2f}")
    legend_below(axes, handles)


def draw_bars(axes, x, heights, layers):
    axes.bar(x, heights, width=0.8 if len(x) <= MOST_WHISKERS else 1, color=BAR_COLOUR, lw=0, zorder=2)
    return Patch(color=BAR_COLOUR, label=f"mean of {layers} layers" if layers > 1 else "the layer")


def draw_range(axes, x, low, high):
    """What the layers span: a whisker for each expert, or a band where there are too many."""
    if len(x) <= MOST_WHISKERS:
        axes.vlines(x, low, high, color=RANGE_COLOUR, lw=1.1, zorder=3)
        return Line2D([], [], color=RANGE_COLOUR, lw=1.1, label="least to most of a layer")
    axes.fill_between(x, low, high, step="mid", color=RANGE_COLOUR, alpha=0.3, lw=0, zorder=1)
    return Patch(color=RANGE_COLOUR, alpha=0.3, lw=0, label="least to most of a layer")


def draw_traffic(axes, colour_axes, result):
    what = "rank" if result.traffic_of_ranks else "node"
    size = len(result.traffic)
    most = max(map(max, result.traffic))
    unit, unit_name = scale(most, (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B"))
    # Nothing sent is not a small amount: such cells stay grey.
    cells = [[v / unit if v > 0 else float("nan") for v in row] for row in result.traffic]
    norm = traffic_norm([v for row in cells for v in row if v == v])
    axes.set_facecolor("#DDDDDD")
    image = axes.imshow(cells, cmap="cividis", norm=norm, interpolation="nearest", aspect="auto")
    if what == "rank":
        draw_node_boundaries(axes, size, result.gpus_per_node)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 4, 8, 10], min_n_ticks=1))
    axes.set_xlim(-0.5, size - 0.5)
    axes.set_ylim(size - 0.5, -0.5)
    axes.set_xlabel(f"to {what}", labelpad=2)
    axes.set_ylabel(f"from {what}", labelpad=2)
    title(axes, f"Traffic between {what}s", "log scale" if isinstance(norm, LogNorm) else "")
    if most > 0:
        draw_colour_bar(colour_axes, image, f"{unit_name} sent")
    else:
        colour_axes.set_axis_off()
    handles = [Patch(color="#DDDDDD", label="nothing sent")]
    if what == "rank" and size > result.gpus_per_node > 1:
        handles.append(Line2D([], [], color="#CC6677", lw=1.2, label="node boundary"))
    legend_below(axes, handles)


def draw_colour_bar(axes, image, label):
    axes.figure.colorbar(image, cax=axes, label=label)
    if isinstance(image.norm, LogNorm):
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    axes.tick_params(labelsize=SMALL)


def traffic_norm(values):
    """Logarithmic where a few pairs send so much more than most that on a linear scale all others would look alike.
    A linear scale spans at least a factor of two: small differences must not look large."""
    if not values:
        return Normalize(0, 1)
    least, most, middle = min(values), max(values), sorted(values)[len(values) // 2]
    return LogNorm(least, most) if most > 10 * middle else Normalize(min(least, most / 2), most)


def draw_node_boundaries(axes, ranks, gpus_per_node):
    if gpus_per_node == 1:  # each cell is a pair of nodes
        return
    for rank in range(gpus_per_node, ranks, gpus_per_node):
        axes.axhline(rank - 0.5, color="#CC6677", lw=1.2)
        axes.axvline(rank - 0.5, color="#CC6677", lw=1.2)


def draw_links(axes, result):
    busiest = result.links[:MOST_LINKS]
    if not busiest:
        title(axes, "Link use", "no link carried anything")
        axes.set_axis_off()
        return
    percent = [100 * link.use_share for link in busiest]
    widest = max(percent) or 1
    axes.barh(range(len(busiest)), percent, height=0.75, lw=0, zorder=2,
              color=[LINK_COLOURS.get(link.link_class, OTHER_COLOUR) for link in busiest])
    digits = 1 if widest >= 1 else 3
    for row, value in enumerate(percent):
        axes.text(value + widest * 0.015, row, f"{value:.{digits}f}", va="center", fontsize=TINY)
    axes.set_yticks(range(len(busiest)), [link.name for link in busiest], fontsize=TINY)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.tick_params(axis="y", length=0)
    # At least ten rows high: a bar alone must not fill the panel.
    axes.set_ylim(max(len(busiest), 10) - 0.4, -0.6)
    axes.set_xlim(0, widest * 1.16)
    axes.set_xlabel("share of capacity used over the makespan (%)", labelpad=2)
    axes.grid(axis="x", color="#DDDDDD", lw=0.6)
    axes.set_axisbelow(True)
    count = len(result.links)
    title(axes, "Link use", f"{len(busiest)} busiest of {count} links" if count > len(busiest) else f"{count} links")
    legend_below(axes, link_legend(result.links), side="right")  # leftwards, below the links' names


def link_legend(links):
    """Each class with its busiest link: the bars often show one class only."""
    most = {}
    for link in links:
        most[link.link_class] = max(link.use_share, most.get(link.link_class, 0))
    return [Patch(color=LINK_COLOURS.get(c, OTHER_COLOUR), label=f"{c} (max {100 * most[c]:.1f}%)")
            for c in ordered(most, LINK_COLOURS)]


def scale(largest, *units):
    """The largest unit that the largest value reaches; else the smallest one."""
    return next((u for u in units if largest >= u[0]), units[-1])


def milliseconds(seconds):
    return f"{float(f'{seconds * 1e3:.4g}'):,g} ms"
