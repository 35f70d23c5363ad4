"""The demonstration: all strategies at depths 0 to 3 on hour-long stories, and what came out.

The stories are drawn (`videoatlas_gym.story`), so the command needs nothing but the package. What
is compared is finding the way: whatever a strategy keeps is read for it without mistakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eval.compare import main as compare_main
from videoatlas_gym.cli import Parser

STRATEGIES = (
    *("random", "uniform", "hoarder", "bfs", "dfs", "adaptive", "beam:2", "beam:4", "best-first"),
    *("best-first@subtitles", "best-first@colour", "best-first@change", "exhaustive", "oracle"),
)
"""All strategies, and best-first with each scorer that questions in words can be asked with."""
GRID_SIZE = 3
"""Four depths of an hour then show cells of 400 s, 44 s, 4.9 s and 0.55 s."""
MAX_STEPS = 5000
"""Enough to open every cell of an hour that is longer than a second, in whatever order."""
EXAMPLE = """  videoatlas demo --out runs/demo
  videoatlas demo --worlds 20 --per-world 10 --out runs/demo_200"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration; return the exit code."""
    parser = Parser("demo", "Compare all strategies on hour-long drawn stories.", EXAMPLE)
    add = parser.add_argument
    add("--out", default="runs/demo", help="folder of records and report (default: %(default)s)")
    add("--worlds", type=int, default=10, metavar="N", help="how many stories (default: 10)")
    add("--per-world", type=int, default=3, metavar="N", help="questions about each (default: 3)")
    add("--duration", default="1h", help="length of each story (default: 1h)")
    options = parser.parse_args(argv)
    out = Path(options.out) / "comparison"
    return compare_main(
        [
            *("--tasks", "story", "--duration", options.duration),
            *("--worlds", str(options.worlds), "--per-world", str(options.per_world)),
            *("--policies", ",".join(STRATEGIES), "--depths", "0,1,2,3"),
            *("--reader", "truth", "--executor", "processes", "--max-steps", str(MAX_STEPS)),
            *("--grid-size", str(GRID_SIZE), "--tile-size", "96x54", "--out", str(out)),
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
