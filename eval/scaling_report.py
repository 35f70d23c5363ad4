"""What a scaling measurement says, from records alone: fits, costs by length of video, a plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from eval.drawing import clock
from eval.fits import Fit
from eval.markdown import escape, grid, picture
from eval.record import Record
from eval.records import RunDirectoryError, read_config, read_records
from eval.scaling_curves import Curve, curves
from eval.scaling_plot import scaling_plot
from videoatlas_gym.files import write_atomically

REPORT, PLOT = "scaling.md", "scaling.png"
ALT = "Views opened, frames shown and Expands against the length of the video, with fits"
NO_PLOT = 'No plot: it needs matplotlib (`pip install "videoatlas-gym[report]"`).'
CAPTION = """\
Markers are means, those of one length side by side; lines are whichever law fits the means of that
panel better, and end where they leave what was measured."""
TOGETHER = """\
The policies of a search share its tiles, as drawing a frame for each policy anew would take most of
the time. What a policy had drawn and how long it took therefore depends on who searched before it,
and policies cannot be compared by either: both are given for all policies of a search together, as
frames drawn and seconds of wall-clock time."""


def scaling_report(found: Sequence[Curve], *, has_plot: bool, failures: Sequence[str] = ()) -> str:
    """Return the measurement as Markdown: what it took, fits, and the means behind them.

    Args:
        found: The curves, one or more.
        has_plot: Whether the plot lies beside the report.
        failures: What each of the searches that are in no curve failed with.
    """
    lengths = sorted({length for curve in found for length in curve.seconds})
    head = "needle,K,policy,found,minimal Expands,a + b ln T,R²,a + b T,R²"
    rows = [
        [
            *_names(curve),
            f"{curve.num_found} of {curve.num_searches}",
            f"{curve.num_exact} of {curve.num_found}",
            *_fits(curve.fits),
        ]
        for curve in found
    ]
    blocks = [
        "# Cost of a search against the length of the video",
        f"Story worlds from {clock(lengths[0])} to {clock(lengths[-1])}, {len(lengths)} "
        "lengths. Fits are of the views opened (the first one included), mean per length, T in "
        'seconds. "Minimal Expands" counts the searches that found the needle and opened no more '
        "views than the shortest way to it has. Visible needles are hinted at in every view on "
        "that way, hidden ones nowhere; policies that do not go by what they see look for hidden "
        "ones only. A search that gives up is cheap: read costs beside what was found.",
        *_failed(failures),
        grid(head.split(","), rows),
        *([r"\* was shown the truth."] if any(curve.is_privileged for curve in found) else []),
        *([picture(PLOT, ALT), CAPTION] if has_plot else [NO_PLOT]),
        "## Means per length",
        "Frames are the distinct frames shown.",
        *(_means(curve) for curve in found),
        "## Drawing and time",
        TOGETHER,
        *_together(found),
    ]
    return "\n\n".join(blocks) + "\n"


def _names(curve: Curve) -> list[str]:
    policy = escape(curve.policy) + r" \*" * curve.is_privileged
    return [escape(curve.needle), str(curve.grid_size), policy]


def _failed(failures: Sequence[str]) -> list[str]:
    if not failures:
        return []
    which = "1 search" if len(failures) == 1 else f"{len(failures)} searches"
    return [f"Left out: {which} that failed, the first with: {escape(failures[0])}"]


def _fits(fits: tuple[Fit, Fit] | None) -> list[str]:
    if fits is None:
        return ["-"] * 4
    return [part for fit, x in zip(fits, ("ln T", "T"), strict=True) for part in _fit(fit, x)]


def _fit(fit: Fit, x: str) -> tuple[str, str]:
    r_squared = "-" if math.isnan(fit.r_squared) else f"{fit.r_squared:.3f}"
    return f"{fit.a:.3g} {'-' if fit.b < 0 else '+'} {abs(fit.b):.3g} {x}", r_squared


def _means(curve: Curve) -> str:
    columns = ("minimal", "expands", "views", "frames")
    head = ["length", "fewest Expands", "Expands", "views", "frames"]
    rows = [
        [clock(length), *(f"{getattr(curve, name)[i]:.4g}" for name in columns)]
        for i, length in enumerate(curve.seconds)
    ]
    needle, grid_size, policy = _names(curve)
    return f"### {needle} needle, K = {grid_size}, {policy}\n\n{grid(head, rows)}"


def _together(found: Sequence[Curve]) -> list[str]:
    """Return a table per kind of needle and K: what all policies of a search took, on average."""
    blocks = []
    for kind in dict.fromkeys((curve.needle, curve.grid_size) for curve in found):
        spent: dict[float, list[float]] = {}
        for curve in found:
            if (curve.needle, curve.grid_size) == kind:
                for length, *costs in zip(curve.seconds, curve.decoded, curve.wall, strict=True):
                    before = spent.get(length, [0.0, 0.0])
                    spent[length] = [a + b for a, b in zip(before, costs, strict=True)]
        rows = [[clock(length), *(f"{x:.4g}" for x in spent[length])] for length in sorted(spent)]
        title = f"### {escape(kind[0])} needle, K = {kind[1]}, all policies"
        blocks.append(f"{title}\n\n{grid(['length', 'frames drawn', 'seconds'], rows)}")
    return blocks


def write_scaling_report(path: str | Path) -> str:
    """Make ``scaling.md`` and ``scaling.png`` of a measurement anew; return the former.

    Raises:
        RunDirectoryError: If the directory holds none, nothing has been recorded yet, or a record
            is none of a search.
    """
    path = Path(path)
    if read_config(path)["config"].get("kind") != "scaling":
        raise RunDirectoryError(
            f"{str(path)!r} holds a comparison, not a measurement of scaling. Report it with "
            "`videoatlas report`."
        )
    found, failures = _read(path)
    try:
        write_atomically(path / PLOT, scaling_plot(found))
        has_plot = True
    except ImportError:
        has_plot = False
    text = scaling_report(found, has_plot=has_plot, failures=failures)
    write_atomically(path / REPORT, text)
    return text


def _read(path: Path) -> tuple[list[Curve], list[str]]:
    """Return the curves, at least one, and what failed."""
    records = read_records(path)
    try:
        found = curves(records)
    except ValueError as error:
        raise RunDirectoryError(
            f"{str(path)!r} holds a record that is no search: {error}. Measure into a new "
            "directory; nothing was changed."
        ) from error
    failures = [_failure(record) for record in records if record.score is None]
    if not records:
        raise RunDirectoryError(f"{str(path)!r} holds no searches yet. Run the measurement first.")
    if not found:
        raise RunDirectoryError(
            f"all {len(records)} searches in {str(path)!r} failed, the first with: "
            f"{failures[0]}. Measure into a new directory."
        )
    return found, failures


def _failure(record: Record) -> str:
    return record.infra_error or record.error
