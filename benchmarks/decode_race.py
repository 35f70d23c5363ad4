"""How long grids of frames take, beside the other ways to get them: a race that anyone can repeat.

Every measurement runs in a fresh process, the order is shuffled anew in each round, each delivered
frame is checked. ``python -m benchmarks.decode_race --help`` tells the rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.films import FILMS, QUICK_FILMS, make_film
from benchmarks.judge import stored_thumbs
from benchmarks.machine import ROOT, Watch, machine, versions
from benchmarks.methods import METHODS, has_workers
from benchmarks.page import write_page
from benchmarks.records import Measurement, RaceDirectory
from benchmarks.scan import Scan, stored_scan
from benchmarks.views import TILE_SIZE, fitted_size, views
from eval.command_line import parse_list
from videoatlas_gym.arguments import checked_whole
from videoatlas_gym.cli import Parser, run_command
from videoatlas_gym.errors import unknown_name
from videoatlas_gym.video import VideoReader

PROGRAM = "python -m benchmarks.decode_race"
REAL_FILM = "film"
_REAL_FILE = "bbb_part1_640x360.mp4"
_TIMEOUT_SECONDS = 900
_READ_BYTES = 1 << 24
EXAMPLE = f"""\
  {PROGRAM} --quick --out runs/quick
  {PROGRAM} --videos 10h,10min,film --rounds 5 --out runs/race
  {PROGRAM} --report runs/race
Stop it with Ctrl-C; the same command goes on where it stopped. Other ways to read videos take part
if they are installed: pip install -r benchmarks/requirements.txt"""


@dataclass(frozen=True)
class Entry:
    """A video that takes part, with all that its frames are judged by."""

    name: str
    about: str
    path: Path
    tile_size: tuple[int, int]
    scan: Scan
    num_numbers: int | None
    """Frame i shows the number i modulo this; None for a real film."""
    thumbs: Path | None

    def job(self, method: str, round_number: int) -> dict[str, Any]:
        """Return what `benchmarks.measure` reads."""
        asked = views(self.scan.duration_seconds, round_number)
        return {
            "method": method,
            "path": str(self.path.resolve()),
            "size": self.tile_size,
            "num_numbers": self.num_numbers,
            "thumbs": self.thumbs and str(self.thumbs.resolve()),
            "views": [
                {
                    **asdict(view),
                    "ranks": self.scan.ranks_at(view.seconds),
                    "minimum_packets": self.scan.minimum_packets(view.seconds),
                }
                for view in asked
            ],
        }


def race(
    *,
    out: str | Path,
    videos: Sequence[str],
    methods: Sequence[str],
    work: str | Path,
    rounds: int = 5,
) -> Path:
    """Measure what is not on record yet in `out`, and write the page of results.

    Args:
        out: Directory of the records; new, empty, or that of a race, which is added to.
        videos: Names of generated videos, "film", or paths of videos.
        methods: Names of `METHODS`.
        work: Folder of the generated videos; those that are missing are made.
        rounds: How often each method is measured on each video.

    Returns:
        The page.

    Raises:
        ValueError: If an argument cannot be used.
        RuntimeError: If the floor decodes other packets than it must.
    """
    checked_whole("rounds", rounds, 1)
    with RaceDirectory(out) as directory:
        entries = [enter(video, work) for video in videos]
        todo = [
            (entry, method, turn)
            for turn in range(1, rounds + 1)
            for entry in entries
            for method in _shuffled(methods, entry.name, turn)
            if (entry.name, method, turn) not in directory.measurements
        ]
        for entry, method, turn in (bar := tqdm(todo, unit="measurement")):
            bar.set_description(f"{entry.name}, {method}, round {turn}")
            directory.append(_measured(entry, method, turn))
    return write_page(out)


def _shuffled(methods: Sequence[str], video: str, turn: int) -> list[str]:
    random = np.random.default_rng([turn, *video.encode()])
    return [methods[index] for index in random.permutation(len(methods))]


def enter(video: str, work: str | Path) -> Entry:
    """Make a video ready: generate it if it is one of ours and missing, and scan it.

    Raises:
        ValueError: If there is no such name or file.
    """
    Path(work).mkdir(parents=True, exist_ok=True)
    if film := (FILMS | QUICK_FILMS).get(video):
        path = make_film(video, film, work)
        found = stored_scan(path, work)
        return Entry(video, film.about, path, TILE_SIZE, found, film.num_frames, None)
    path = _real_film() if video == REAL_FILM else Path(video)
    if not path.is_file():
        mistake = unknown_name("video", video, [*FILMS, *QUICK_FILMS, REAL_FILM])
        raise ValueError(f"{mistake[:-1]}; or the path of a video.")
    with VideoReader(path) as reader:
        tile_size = fitted_size(reader.native_size)
    return Entry(
        video if video == REAL_FILM else path.name,
        f"real film, {path.name}",
        path,
        tile_size,
        stored_scan(path, work),
        None,
        stored_thumbs(path, work),
    )


def _real_film() -> Path:
    data = os.environ.get("VIDEOATLAS_DATA") or ROOT.parent / "shared" / "data"
    path = Path(data) / "clips" / _REAL_FILE
    if not path.is_file():
        raise ValueError(
            f"no real film: set VIDEOATLAS_DATA to a folder with clips/{_REAL_FILE}, leave "
            f"{REAL_FILM!r} out of --videos, or name a video of your own there."
        )
    return path


def _measured(entry: Entry, method: str, turn: int) -> Measurement:
    _read_whole(entry.path)
    job = json.dumps(entry.job(method, turn))
    with Watch() as watch:
        result = _run(job)
    return Measurement(
        video=entry.name,
        method=method,
        round=turn,
        about=entry.about,
        duration_seconds=entry.scan.duration_seconds,
        file_bytes=entry.path.stat().st_size,
        busy_cores=watch.busy_cores,
        load_average=watch.load_average,
        machine=machine(),
        versions=versions(METHODS[method].packages),
        **result,
    )


def _run(job: str) -> dict[str, Any]:
    """Measure in a fresh process; one that hangs or dies is a result too."""
    failed = {"stages": {}, "rss_bytes": 0}
    command = [sys.executable, "-m", "benchmarks.measure"]
    try:
        told = subprocess.run(
            command, input=job, capture_output=True, text=True, cwd=ROOT, timeout=_TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return failed | {"error": f"no result after {_TIMEOUT_SECONDS} s"}
    last = (told.stderr.strip().splitlines() or ["no message"])[-1]
    if "WrongCount" in last:
        raise RuntimeError(f"the floor is none: {last}")
    if told.returncode != 0:
        return failed | {"error": f"exit code {told.returncode}: {last[:200]}"}
    return json.loads(told.stdout.strip().splitlines()[-1])


def _read_whole(path: Path) -> None:
    """Bring a file into the page cache: what is measured is decoding, not the disk."""
    with path.open("rb", buffering=0) as file:
        while file.read(_READ_BYTES):
            pass


def present(methods: Sequence[str]) -> list[str]:
    """Return those methods that can be used here; say on stderr how to install the others."""
    loads: dict[str, bool] = {}
    usable = []
    for name in methods:
        contender = METHODS[name]
        if contender.min_workers > 1 and not has_workers():
            print(f"{name}: left out, this reader has no num_workers.", file=sys.stderr)
            continue
        missing = [m for m in contender.modules if not loads.setdefault(m, _loads(m))]
        if missing:
            how = "pip install -r benchmarks/requirements.txt (and see the notes in that file)"
            print(f"{name}: left out, cannot import {missing[0]}: {how}.", file=sys.stderr)
            continue
        usable.append(name)
    return usable


def _loads(module: str) -> bool:
    told = subprocess.run([sys.executable, "-c", f"import {module}"], cwd=ROOT, capture_output=True)
    return told.returncode == 0


def default_work() -> Path:
    """Return the folder of generated videos below the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "videoatlas-gym" / "decode-race"


def _parser() -> Parser:
    parser = Parser("", "Race the engine against other ways to read videos.", EXAMPLE, PROGRAM)
    add = parser.add_argument
    add("--out", metavar="DIR", help="records and results; resumed if it is there")
    add("--report", metavar="DIR", help="write the results anew from the records in DIR, no more")
    add("--quick", action="store_true", help="short videos and one round: does all work here?")
    names = ",".join([*FILMS, REAL_FILM])
    add("--videos", metavar="NAME,...", help=f"generated videos or paths (default: {names})")
    add("--methods", metavar="NAME,...", help=f"of {','.join(METHODS)} (default: all)")
    add("--rounds", type=int, metavar="N", help="measurements of each method and video (5)")
    add("--work", metavar="DIR", help=f"folder of generated videos ({default_work()})")
    add("--only-videos", action="store_true", help="make the videos that are missing, no more")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code: 0, 2 for a mistake, 130 for Ctrl-C."""
    return run_command("", lambda: _command(_parser(), argv), PROGRAM)


def _command(parser: Parser, argv: Sequence[str] | None) -> int:
    options = parser.parse_args(argv)
    if sum(map(bool, (options.out, options.report, options.only_videos))) != 1:
        parser.error("give one of --out DIR, --report DIR and --only-videos")
    if options.report:
        print(f"Results are in {write_page(options.report)}.")
        return 0
    videos = parse_list(options.videos or ",".join(_default_videos(options)))
    work = options.work or default_work()
    if options.only_videos:
        for video in videos:
            print(enter(video, work).path)
        return 0
    methods = parse_list(options.methods or ",".join(METHODS))
    for name in methods:
        if name not in METHODS:
            raise ValueError(unknown_name("method", name, METHODS))
    rounds = options.rounds if options.rounds is not None else (1 if options.quick else 5)
    page = race(out=options.out, videos=videos, methods=present(methods), work=work, rounds=rounds)
    print(f"Results are in {page}.")
    return 0


def _default_videos(options: Namespace) -> list[str]:
    return list(QUICK_FILMS) if options.quick else [*FILMS, REAL_FILM]


if __name__ == "__main__":
    raise SystemExit(main())
