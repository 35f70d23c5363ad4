"""The one console command, `videoatlas`: finds the module of a subcommand and runs its `main`.

Knows commands by name only and imports none before it is asked for, so that help comes at once.
Also holds what every command shares: one sentence for each mistake, and quiet interruptions.
"""

from __future__ import annotations

import argparse
import importlib
import io
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from videoatlas_gym.errors import unknown_name

EXIT_MISTAKE = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


class Command(NamedTuple):
    """Where a subcommand lives and what to say of it."""

    module: str
    """A module with ``main(argv) -> int``."""
    help: str
    example: str


COMMANDS: dict[str, Command] = {
    "compare": Command(
        "eval.compare",
        "play policies on the same tasks; records and a report",
        "videoatlas compare --videos recordings/ --policies random,bfs,oracle --out runs/first",
    ),
    "report": Command(
        "eval.report",
        "tables and plots of a comparison, from its records alone",
        "videoatlas report runs/first",
    ),
    "scaling": Command(
        "eval.scaling",
        "how the cost of a search grows with the length of the video, with fits and a plot",
        "videoatlas scaling --durations 1m..10h:16 --out runs/scaling",
    ),
    "throughput": Command(
        "eval.throughput",
        "how many steps per second environments make on this machine, cold and warm",
        "videoatlas throughput match.mp4 --envs 1,2,8 --vectorization async",
    ),
    "demo": Command(
        "eval.demo",
        "the comparison of all strategies on hour-long stories that are drawn for it",
        "videoatlas demo --out runs/demo",
    ),
    "sheet": Command(
        "videoatlas_gym.sheet",
        "the grid of a video, or of any cell of it, as a picture",
        "videoatlas sheet match.mp4 --path 12,3 --times -o sheet.png",
    ),
    "warm": Command(
        "videoatlas_gym.warm",
        "decode the first levels of videos ahead of time, into a cache on disk",
        "videoatlas warm recordings/ --cache tiles/ --depth 1",
    ),
    "story": Command(
        "videoatlas_gym.story.command",
        "a procedural world as files: video, subtitles, facts and questions",
        "videoatlas story --out world.mp4 --duration 1h --number 3 --difficulty medium",
    ),
    "doctor": Command(
        "videoatlas_gym.doctor",
        "what a file is, whether all of it plays, and what to do if not",
        "videoatlas doctor recordings/",
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; return its exit code, 2 for a mistake, 130 for Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else ""
    if name in COMMANDS:
        return run_command(name, lambda: _run(name, arguments[1:]))
    if name in ("-h", "--help", "help"):
        return run_command("", lambda: _say(_help()))
    if name == "--version":
        return run_command("", lambda: _say(_version()))
    mistake = unknown_name("command", name, COMMANDS) if name else "no command was given."
    print(f"videoatlas: {mistake} See videoatlas --help.", file=sys.stderr)
    if not name:
        print(f"\n{_help()}", file=sys.stderr)
    return EXIT_MISTAKE


def run_command(name: str, function: Callable[[], int], program: str = "videoatlas") -> int:
    """Call what a command does; return its exit code, with one sentence for a user's mistake.

    Mistakes are `ValueError`, `OSError`, `ImportError` and `VideoError`; anything else is a bug and
    goes on as it is. What argparse exits with becomes the exit code.

    Args:
        name: The subcommand, "" for `videoatlas` itself.
        function: Does the work and returns the exit code.
        program: How the user runs it, where that is not `videoatlas`.
    """
    prog = f"{program} {name}".rstrip()
    try:
        _print_any_name()
        code = _exit_code(function)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print(f"{prog}: interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return _close_output()
    except (ValueError, OSError, ImportError) as error:
        return _explain(prog, error)
    except Exception as error:
        if not _is_video_error(error):
            raise
        return _explain(prog, error)


class Parser(argparse.ArgumentParser):
    """Reads the arguments of a subcommand; says what is wrong in one sentence, without the usage.

    Args:
        name: The subcommand.
        description: What it does.
        example: Command lines to show below the options.
        program: How the user runs it, where that is not `videoatlas`.
    """

    def __init__(
        self, name: str, description: str, example: str, program: str = "videoatlas"
    ) -> None:
        super().__init__(
            prog=f"{program} {name}".rstrip(),
            description=description,
            epilog=f"example:\n{example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(EXIT_MISTAKE, f"{self.prog}: {message}. See {self.prog} --help.\n")


def parse_tile_size(text: str) -> tuple[int, int]:
    """Read a width and a height in pixels, such as ``320x180``.

    Raises:
        ValueError: If it is something else.
    """
    if not (match := re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)):
        raise ValueError(f"a tile size is WIDTHxHEIGHT in pixels, such as 320x180, got {text!r}.")
    return int(match[1]), int(match[2])


def parse_num_bytes(text: str) -> int:
    """Read a number of bytes such as ``20G``, ``1.5T``, ``500M`` or ``4096``; K is 1000.

    Raises:
        ValueError: If it is none.
    """
    if not (match := re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?)([KMGT]?)", text.strip().upper())):
        raise ValueError(f"{text!r} is no number of bytes. Write 20G, 500M or 4096.")
    return int(float(match[1]) * 1000 ** " KMGT".index(match[2] or " "))


def parse_duration(text: str) -> float:
    """Read a duration such as ``1h``, ``90m``, ``1h30m``, ``45s`` or ``3600`` in seconds.

    Raises:
        ValueError: If it is none, or not positive.
    """
    number = r"(\d+(?:\.\d+)?)"
    pattern = rf"(?:{number}h)?(?:{number}m)?(?:{number}s)?|{number}"
    match = re.fullmatch(pattern, text.strip().lower())
    amounts = [float(amount or 0) for amount in match.groups()] if match else []
    seconds = sum(a * unit for a, unit in zip(amounts, (3600, 60, 1, 1), strict=False))
    if not 0 < seconds < math.inf:
        raise ValueError(f"{text!r} is no duration. Write 1h, 90m, 1h30m or seconds such as 3600.")
    return seconds


def _exit_code(function: Callable[[], int]) -> int:
    try:
        return function()
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)


def _run(name: str, arguments: list[str]) -> int:
    return importlib.import_module(COMMANDS[name].module).main(arguments)


def _say(text: str) -> int:
    print(text)
    return 0


def _help() -> str:
    rows = [
        f"  {name:12}{command.help}\n{'':14}{command.example}" for name, command in COMMANDS.items()
    ]
    return "\n".join(
        [
            "usage: videoatlas COMMAND ...",
            "",
            "Long videos as grids of frames, any cell of which opens into a finer grid.",
            "",
            "commands, each with an example:",
            *rows,
            "",
            "videoatlas COMMAND --help tells more of one; videoatlas --version the version.",
        ]
    )


def _version() -> str:
    return f"videoatlas-gym {importlib.import_module('videoatlas_gym').__version__}"


def _print_any_name() -> None:
    """Let names of files that the terminal's encoding lacks be printed, escaped."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _close_output() -> int:
    """Nobody reads any more: keep Python from complaining of that again when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_BROKEN_PIPE


def _is_video_error(error: Exception) -> bool:
    # Imported here because it loads the decoder, which help does not need.
    return isinstance(error, importlib.import_module("videoatlas_gym.video").VideoError)


def _explain(prog: str, error: Exception) -> int:
    sentence = str(error)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        sentence = f"{error.strerror}: {str(error.filename)!r}."
    print(f"{prog}: {' '.join(sentence.split()) or type(error).__name__}", file=sys.stderr)
    return EXIT_MISTAKE


if __name__ == "__main__":
    sys.exit(main())
