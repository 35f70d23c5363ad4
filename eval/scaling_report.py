"""What a scaling measurement says, from records alone: fits, costs by length of video, a plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from eval.drawing import clock
from eval.fits import Fit
from eval.markdown import escape, grid, picture
from eval.records import RunDirectoryError, read_config, read_records
from eval.scaling_curves import Curve, curves
from eval.scaling_plot import scaling_plot
from videoatlas_gym.files import write_atomically

REPORT, PLOT = "scaling.md", "scaling.png"


def scaling_report(found: Sequence[Curve], *, has_plot: bool) -> str:
    """Return the measurement as Markdown: what it took, fits, and the means behind them."""
    lengths = sorted({length for curve in found for length in curve.seconds})
    head = "needle,K,policy,found,minimal Expands,a + b ln T,R²,a + b T,R²"
    rows = [
        [
            curve.needle,
            str(curve.grid_size),
            escape(curve.policy) + r" \*" * curve.is_privileged,
            f"{curve.num_found} of {curve.num_searches}",
            f"{curve.num_exact} of {curve.num_searches}",
            *(part for fit in curve.fits for part in _fit(fit)),
        ]
        for curve in found
    ]
    blocks = [
        "# Cost of a search against the length of the video",
        f"Story worlds from {clock(lengths[0])} to {clock(lengths[-1])}, {len(lengths)} "
        "lengths. Fits are of the views opened (the first one included), mean per length, T in "
        'seconds. "Minimal Expands" counts the searches that opened no more views than the '
        "shortest way to the needle has. Visible needles are hinted at in every view on that way, "
        "hidden ones nowhere.",
        grid(head.split(","), rows),
        picture(PLOT, "Views opened against the length of the video") if has_plot else _NO_PLOT,
        "## Means per length",
        *(_means(curve) for curve in found),
        "Frames are the distinct frames shown. Decoded counts the frames drawn by the source and "
        "depends on what earlier policies left in the cache; seconds are wall-clock time.",
    ]
    return "\n\n".join(blocks) + "\n"


_NO_PLOT = 'No plot: it needs matplotlib (`pip install "videoatlas-gym[report]"`).'


def _fit(fit: Fit) -> tuple[str, str]:
    r_squared = "-" if math.isnan(fit.r_squared) else f"{fit.r_squared:.3f}"
    return f"{fit.a:.3g} {'-' if fit.b < 0 else '+'} {abs(fit.b):.3g} x", r_squared


def _means(curve: Curve) -> str:
    columns = ("minimal", "expands", "views", "frames", "decoded", "wall")
    head = ["length", "fewest Expands", "Expands", "views", "frames", "decoded", "seconds"]
    rows = [
        [clock(length), *(f"{getattr(curve, name)[i]:.4g}" for name in columns)]
        for i, length in enumerate(curve.seconds)
    ]
    title = f"### {curve.needle} needle, K = {curve.grid_size}, {escape(curve.policy)}"
    return f"{title}\n\n{grid(head, rows)}"


def write_scaling_report(path: str | Path) -> str:
    """Make ``scaling.md`` and ``scaling.png`` of a measurement anew; return the former.

    Raises:
        RunDirectoryError: If the directory holds none, or nothing has been recorded yet.
    """
    path = Path(path)
    if read_config(path)["config"].get("kind") != "scaling":
        raise RunDirectoryError(
            f"{str(path)!r} holds a comparison, not a measurement of scaling. Report it with "
            "`videoatlas report`."
        )
    found = curves(read_records(path))
    if not found:
        raise RunDirectoryError(f"{str(path)!r} holds no searches yet. Run the measurement first.")
    try:
        write_atomically(path / PLOT, scaling_plot(found))
        has_plot = True
    except ImportError:
        has_plot = False
    text = scaling_report(found, has_plot=has_plot)
    write_atomically(path / REPORT, text)
    return text
