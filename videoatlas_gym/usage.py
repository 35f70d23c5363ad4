"""What was spent and what may be spent: one ledger per episode, shared with forks and threads.

Counts what the agent consumes. Frames are counted as distinct frames *shown*: decoder work depends
on how warm a cache is, so it is telemetry and never a budget.
"""

from __future__ import annotations

import operator
import threading
import time
from collections.abc import Hashable, Iterable
from dataclasses import asdict, dataclass, fields
from numbers import Integral

from videoatlas_gym.errors import one_of


@dataclass(frozen=True)
class Usage:
    """Amounts spent. Addition and subtraction work field by field."""

    steps: int = 0
    """Actions taken, illegal ones and those of forks included."""
    frames: int = 0
    """Distinct frames shown."""
    views: int = 0
    """Pictures of the video shown: grids, scans and zooms."""
    model_calls: int = 0
    """Calls of a model, as its policy reports them."""
    input_tokens: int = 0
    """Prompt tokens, as the model's server counts them."""
    output_tokens: int = 0
    """Generated tokens."""
    cached_tokens: int = 0
    """Prompt tokens that the server took from its cache; part of `input_tokens`."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(*map(operator.add, _amounts(self), _amounts(other)))

    def __sub__(self, other: Usage) -> Usage:
        return Usage(*map(operator.sub, _amounts(self), _amounts(other)))

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    def to_json(self) -> dict[str, int]:
        """Return the amounts by name."""
        return dict(zip(_NAMES, _amounts(self), strict=True))


_NAMES = tuple(f.name for f in fields(Usage))
_amounts = operator.attrgetter(*_NAMES)


@dataclass(frozen=True)
class Budget:
    """Upper limits of an episode; None means no limit. Running out truncates the episode."""

    steps: int | None = None
    frames: int | None = None
    model_calls: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    """Wall-clock time since `reset`, in seconds."""

    def __post_init__(self) -> None:
        for name, limit in asdict(self).items():
            if limit is not None and not limit > 0:
                raise ValueError(f"budget {name} must be positive or None, got {limit}.")

    @classmethod
    def of(cls, value: Budget | dict | None) -> Budget:
        """Read a budget from a Budget, a dict of its fields, or None for no limits."""
        if value is None or isinstance(value, Budget):
            return value or cls()
        known = [f.name for f in fields(cls)]
        for name in value:
            one_of("budget", name, known)
        return cls(**value)


class BudgetExceeded(Exception):
    """Spending was refused; `name`, `spent` and `allowed` say which limit stood in the way."""

    def __init__(self, name: str, spent: float, allowed: float):
        self.name, self.spent, self.allowed = name, spent, allowed
        super().__init__(
            f"the {name} budget is used up: {spent:g} spent or asked for, {allowed:g} allowed. "
            f"Raise budget={{'{name}': ...}} or act with less."
        )

    def __reduce__(self):
        return type(self), (self.name, self.spent, self.allowed)


class Ledger:
    """Thread-safe account of one episode: checks a budget before it books a spending."""

    def __init__(self, budget: Budget | None = None):
        self.budget = budget or Budget()
        self._limits = {n: limit for n, limit in vars(self.budget).items() if limit is not None}
        self._lock = threading.Lock()
        self._usage = Usage()
        self._frames_seen: set[Hashable] = set()
        self._started = time.monotonic()

    @property
    def usage(self) -> Usage:
        """What was spent so far."""
        with self._lock:
            return self._usage

    @property
    def seconds(self) -> float:
        """Wall-clock seconds since the episode began."""
        return time.monotonic() - self._started

    def show(self, frames: Iterable[Hashable]) -> None:
        """Book a view of some frames, each named by an id; frames seen before cost nothing.

        Raises:
            BudgetExceeded: If the new frames do not fit; then nothing is booked.
        """
        with self._lock:
            new = set(frames) - self._frames_seen
            self._book(Usage(frames=len(new), views=1))
            self._frames_seen |= new

    def spend(self, usage: Usage) -> None:
        """Book steps, calls and tokens.

        Raises:
            BudgetExceeded: If they do not fit; then nothing is booked.
        """
        with self._lock:
            self._book(usage)

    def record(self, usage: Usage) -> None:
        """Book what was spent already, whether it fits or not (a model's reply that has come).

        Raises:
            ValueError: If an amount is no whole number from 0.
        """
        spent = {}
        for name, amount in usage.to_json().items():
            if isinstance(amount, bool) or not isinstance(amount, Integral) or amount < 0:
                raise ValueError(f"{name} spent must be a whole number from 0, got {amount!r}.")
            spent[name] = int(amount)
        with self._lock:
            self._usage = self._usage + Usage(**spent)

    def fractions_left(self) -> tuple[float, float]:
        """Shares of the step and frame budgets that are left, 1.0 where there is no limit."""
        usage, budget = self.usage, self.budget
        pairs = ((usage.steps, budget.steps), (usage.frames, budget.frames))
        steps, frames = (
            1.0 if limit is None else max(0.0, 1 - spent / limit) for spent, limit in pairs
        )
        return steps, frames

    def check(self) -> None:
        """Raise BudgetExceeded when recorded spending or time has passed a limit."""
        with self._lock:
            self._book(Usage())

    def _book(self, usage: Usage) -> None:
        total = self._usage + usage
        for name, limit in self._limits.items():
            amount = self.seconds if name == "seconds" else getattr(total, name)
            if amount > limit:
                raise BudgetExceeded(name, amount, limit)
        self._usage = total

    def __getstate__(self) -> dict:
        with self._lock:
            return {
                "budget": self.budget,
                "usage": self._usage,
                "frames": set(self._frames_seen),
                "seconds": self.seconds,
            }

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["budget"])
        self._usage, self._frames_seen = state["usage"], state["frames"]
        self._started = time.monotonic() - state["seconds"]
