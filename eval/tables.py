"""The main tables of a comparison: scores by policy and depth, and what to know before comparing.

Pure: from records and the configuration to Markdown that is short enough for a terminal. Time and
decoder work are left out, so that it is the same bytes wherever and however often it is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.markdown import escape, grid
from eval.metrics import Cell, Depth, Summary
from eval.statistics import MIN_CLUSTERS, RESAMPLES, Interval
from videoatlas_gym.env import STEPS_PER_LEVEL

NO_LIMIT = "none"
"""Name of the budget without limits."""

OFTEN = 0.1
"""Share of episodes out of steps from which an entry is named."""

Cells = Mapping[Cell, Summary]


@dataclass(frozen=True)
class Axes:
    """What a comparison asked for, in the order in which tables show it."""

    task_sets: tuple[str, ...]
    policies: tuple[str, ...]
    depths: tuple[Depth, ...]
    budgets: tuple[str, ...]
    episodes: int
    """Tasks per policy, depth and budget of each task set."""
    max_steps: int | None
    """Limit of steps per episode; None for that of the environment, by depth."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Axes:
        """Read them from the arguments in the configuration of a run.

        Raises:
            ValueError: If an argument is missing or is something else.
        """
        try:
            return cls(
                *(tuple(entry["name"] for entry in config[n]) for n in ("task_sets", "policies")),
                tuple(config["depths"]),
                tuple(entry["name"] for entry in config["budgets"]),
                int(config["episodes"]),
                None if config["max_steps"] is None else int(config["max_steps"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"the configuration is none of a comparison ({type(error).__name__}: {error}). "
                "Use the version that wrote it."
            ) from error

    @property
    def pages(self) -> list[tuple[str, str]]:
        """(task set, budget) of each table: only what shares both is compared."""
        return [(task_set, budget) for task_set in self.task_sets for budget in self.budgets]

    def step_limit(self, depth: Depth, budget: str) -> int | None:
        """Steps that an episode may take; None where it depends on the video (depth "auto")."""
        limits = [self.max_steps] if self.max_steps else []
        if not limits and depth != "auto":
            limits = [STEPS_PER_LEVEL * (int(depth) + 1)]
        if budget.startswith("steps="):
            limits.append(int(budget.removeprefix("steps=")))
        return min(limits, default=None)

    def deepest(self) -> Depth:
        """The finest depth: "auto" if it was asked for, else the largest number."""
        return "auto" if "auto" in self.depths else max(self.depths)


def title(config: Mapping[str, Any]) -> str:
    """Return in one line what was compared on what."""
    axes = Axes.of(config)
    number = len(axes.policies)
    policies = f"{number} polic{'y' if number == 1 else 'ies'}"
    return f"{policies} on {', '.join(map(escape, axes.task_sets))}"


def scores(cells: Cells, axes: Axes) -> list[str]:
    """Return a table of scores per task set and budget, each under its name, then the remarks."""
    blocks = []
    for task_set, budget in axes.pages:
        if len(axes.pages) > 1:
            blocks.append(f"**{page_name(task_set, budget)}**")
        blocks.append(_page(cells, axes, task_set, budget))
    return blocks + remarks(cells, axes)


def page_name(task_set: str, budget: str) -> str:
    """Return what a table is about, as Markdown."""
    limit = "no budget" if budget == NO_LIMIT else f"budget {escape(budget)}"
    return f"{escape(task_set)}, {limit}"


def label(policy: str, cells: Cells) -> str:
    """Return the name of a policy as Markdown, with marks for what it knows of the truth."""
    own = [cell for (_, name, _, _), cell in cells.items() if name == policy]
    marks = r" \*" * any(cell.is_privileged for cell in own)
    return escape(policy) + marks + " †" * any(cell.reads_truth for cell in own)


def bracket(interval: Interval | None, sign: str = "") -> str:
    """Return an interval in brackets after a blank, "" for none.

    It has two digits, or up to four where its ends would look equal. `sign` "+" shows signs.
    """
    if interval is None:
        return ""
    for digits in (2, 3, 4):
        form = f"{sign}.{digits}f"
        low, high = signed(interval.low, form), signed(interval.high, form)
        if low != high:
            break
    return f" [{low}, {high}]{'‡' * interval.is_exact}"


def signed(value: float, form: str) -> str:
    """Return a number that is never a negative zero."""
    text = f"{value:{form}}"
    return text if float(text) else f"{0:{form}}"


def amount(value: float | None, form: str = ".1f") -> str:
    """Return a number, "-" for none."""
    return "-" if value is None else f"{value:{form}}"


def _page(cells: Cells, axes: Axes, task_set: str, budget: str) -> str:
    rows = [
        [label(policy, cells)]
        + [_entry(cells.get((task_set, policy, depth, budget))) for depth in axes.depths]
        for policy in axes.policies
    ]
    heads = []
    for depth in axes.depths:
        column = [cells.get((task_set, policy, depth, budget)) for policy in axes.policies]
        finest = min((cell.finest_seconds for cell in column if cell and cell.n_scored), default=0)
        heads.append(f"depth {escape(depth)}" + f" ({_length(finest)})" * (finest > 0))
    return grid(["policy", *heads], rows)


def _length(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def _entry(cell: Summary | None) -> str:
    if cell is None or cell.mean_score is None:
        return "-"
    return f"{cell.mean_score:.2f}{bracket(cell.interval)}, {cell.mean_frames:.1f} frames"


COUNTS = ("n_total", "n_scored", "n_answered", "n_infra_error", "n_error", "n_clusters")


def counts(cells: Cells, axes: Axes) -> str:
    """Return how many episodes each entry rests on, and their mean costs."""
    rows = [
        [*map(escape, (*page, policy, depth)), *(str(vars(cell)[name]) for name in COUNTS)]
        + [amount(cell.usage.get(name)) for name in ("frames", "steps", "views")]
        for page, policy, depth, cell in ordered(cells, axes)
    ]
    head = ["task set", "budget", "policy", "depth", *COUNTS, "frames", "steps", "views"]
    return grid(head, rows)


def ordered(cells: Cells, axes: Axes) -> Iterable[tuple[tuple[str, str], str, Depth, Summary]]:
    """Yield (task set, budget), policy, depth and summary of each entry that has records."""
    for task_set, budget in axes.pages:
        for policy in axes.policies:
            for depth in axes.depths:
                if cell := cells.get((task_set, policy, depth, budget)):
                    yield (task_set, budget), policy, depth, cell


def remarks(cells: Cells, axes: Axes) -> list[str]:
    """Return what a reader must know before comparing two entries, one paragraph each."""
    said, asked = [], len(axes.pages) * len(axes.policies) * len(axes.depths) * axes.episodes
    done = sum(cell.n_total for cell in cells.values())
    if done < asked:
        said.append(f"**Incomplete: {done} of {asked} episodes.** Entries rest on those on record.")
    scored, clusters = _range(c.n_scored for c in cells.values()), _clusters(cells)
    said.append(
        "Mean score in [0, 1], then mean distinct frames shown per episode. In brackets after a "
        "depth: length of the finest cells that any episode saw. "
        f"n = {scored} scored of {axes.episodes} episodes per entry, in {clusters} of footage. "
        f"{about_intervals(c.interval for c in cells.values())}".rstrip()
    )
    if any(chances := [c.mean_chance for c in cells.values() if c.mean_chance is not None]):
        some = any(cell.n_chance < cell.n_scored for cell in cells.values())
        where = ", over the tasks that have one" * some
        said.append(
            f"Chance (a guess drawn at random): {_chance(chances)}{where}. On a task all policies "
            "that guess make the same guess, so that luck makes no difference between them."
        )
    failed = [sum(vars(c)[n] for c in cells.values()) for n in ("n_infra_error", "n_error")]
    if any(failed):
        said.append(
            f"Not averaged in: {failed[0]} episodes in which infrastructure failed and {failed[1]} "
            "in which the policy raised; entries that lost episodes rest on fewer tasks."
        )
    return said + _about_marks(cells) + _about_steps(cells, axes) + _about_budgets(cells, axes)


def about_intervals(intervals: Iterable[Interval | None]) -> str:
    """Return what brackets mean, as far as they occur."""
    intervals, said = list(intervals), []
    if any(interval and not interval.is_exact for interval in intervals):
        said.append(
            f"Brackets: 95 % bootstrap interval over clusters, {RESAMPLES} resamples; somewhat too "
            "short where clusters are few."
        )
    if any(interval and interval.is_exact for interval in intervals):
        said.append(
            "‡: all scores were 0 or all were 1, so there is nothing to resample; the exact 95 % "
            "bound (Clopper-Pearson) with each cluster as a single trial."
        )
    if not all(intervals):
        said.append(
            f"No interval is given for fewer than {MIN_CLUSTERS} clusters, or where all clusters "
            "have the same mean between 0 and 1."
        )
    return " ".join(said)


def _about_marks(cells: Cells) -> list[str]:
    said = []
    if any(cell.is_privileged for cell in cells.values()):
        said.append(r"\* Shown the truth (privileged): an upper bound, not a competitor.")
    if any(cell.reads_truth for cell in cells.values()):
        said.append(
            "† Found its way without the truth, but what it saw was read by the truth (the perfect "
            "reader): its score is that of the search, not of understanding pictures."
        )
    return said


def _about_steps(cells: Cells, axes: Axes) -> list[str]:
    """Say how many steps there were, and which entries often used them all up."""
    limit = (
        f"at most {axes.max_steps} steps"
        if axes.max_steps
        else f"at most {STEPS_PER_LEVEL} steps for each level of its depth, the first view included"
    )
    short = []
    for (task_set, budget), policy, depth, cell in ordered(cells, axes):
        steps = axes.step_limit(depth, budget)
        share = sum(n >= steps for n in cell.steps) / len(cell.steps) if steps and cell.steps else 0
        if share >= OFTEN:
            page = f"{page_name(task_set, budget)}, " * (len(axes.pages) > 1)
            short.append(f"{page}{escape(policy)} at depth {escape(depth)} ({share:.0%})")
    used_up = f" Used up in {OFTEN:.0%} of the episodes or more: {'; '.join(short)}." * bool(short)
    return [f"Every episode had {limit}.{used_up}"]


def _about_budgets(cells: Cells, axes: Axes) -> list[str]:
    """Say where policies of one column without a limit spent different amounts."""
    differences = []
    for task_set in axes.task_sets:
        for depth in axes.depths:
            keys = [(task_set, policy, depth, NO_LIMIT) for policy in axes.policies]
            column = [cells[key] for key in keys if key in cells and cells[key].usage]
            frames = _range(round(cell.usage["frames"], 1) for cell in column)
            steps = _range(round(cell.usage["steps"], 1) for cell in column)
            if " to " in frames + steps:
                place = f"{escape(task_set)}, " * (len(axes.task_sets) > 1)
                differences.append(f"{place}depth {escape(depth)}: {frames} frames, {steps} steps")
    if not differences:
        return []
    limited = [escape(budget) for budget in axes.budgets if budget != NO_LIMIT]
    instead = (
        f"Under {' and under '.join(limited)} all had the same limit."
        if limited
        else "Compare under equal limits of frames or steps before ranking them."
    )
    return [
        f"Without a budget, what was spent differs between policies ({'; '.join(differences)}): "
        f"scores of a column are not at equal cost. {instead}"
    ]


def _chance(chances: Sequence[float]) -> str:
    return _range(float(f"{chance:.2g}") for chance in chances)


def _clusters(cells: Cells) -> str:
    numbers = _range(cell.n_clusters for cell in cells.values())
    return f"{numbers} cluster{'' if numbers == '1' else 's'}"


def _range(numbers: Iterable[float]) -> str:
    numbers = list(numbers) or [0]
    low, high = min(numbers), max(numbers)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
