"""Reads thousands of damaged files: only typed errors, no crash, no hang, and one picture, not two.

A case is a small video, changed by chance: bytes flipped, an end cut off, pieces moved between
files. Each is read in a process of its own. What was found is written case by case, so a run that
was stopped goes on where it ended: ``python -m benchmarks.mutations --out DIR --count 5000``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice, pairwise
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np

from benchmarks.isolation import isolated
from videoatlas_gym.video import Frame, VideoError, VideoReader
from videoatlas_gym.video.synthesis import numbered_frames, write_video

LIMIT_SECONDS = 150.0
LIMIT_BYTES = 3 << 30
READER_SECONDS = 10.0
SIZE = (64, 36)
NUM_MOMENTS = 6
_NOTES = ("end_lost", "undefined", "jumping")
MAX_BYTES = 64_000
"""Larger files of the data folder are left out: a case has to be quick."""

CLIPS = {
    "plain.mp4": {},
    "fast.mp4": {"container_options": {"movflags": "faststart"}},
    "fragmented.mov": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "hevc.mp4": {"codec": "libx265"},
    "plain.mkv": {},
    "vp8.webm": {"codec": "libvpx"},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "stream.ts": {},
    "sorted.avi": {"codec": "mpeg4", "b_frames": 0},
    "unsorted.avi": {"codec": "mpeg4", "b_frames": 2},
    "program.mpg": {"codec": "mpeg2video"},
    "flash.flv": {},
}
"""File name to the arguments that it is written with."""


def make_clips(folder: Path, count: int = 60) -> list[Path]:
    """Write one small video of each kind; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, options in CLIPS.items():
        if not (folder / name).exists():
            frames = numbered_frames(count, 96, 64)
            write_video(folder / name, frames, group_of_pictures=15, **options)
    return [folder / name for name in CLIPS]


def mutated(sources: Sequence[Path], rng: random.Random) -> tuple[Path, str, bytes]:
    """Change one of the files by chance.

    Returns:
        Which, the kind of change, and the changed bytes.
    """
    source = rng.choice(sources)
    data = bytearray(source.read_bytes())
    kind = rng.choice(("flips", "header flips", "cut", "hole", "splice", "repeat"))
    first, second = sorted(rng.randrange(len(data)) for _ in range(2))
    if kind.endswith("flips"):
        end = len(data) if kind == "flips" else min(len(data), 1500)
        for _ in range(rng.choice((1, 4, 30))):
            # The header of a file may be at its end.
            place = rng.randrange(end) - rng.choice((0, end))
            data[place] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    elif kind == "cut":
        del data[second:]
    elif kind == "hole":
        del data[first : min(second, first + rng.choice((1, 188, 5000)))]
    elif kind == "splice":
        other = rng.choice(sources).read_bytes()
        data[first:second] = other[first % len(other) :][: second - first]
    else:
        data[second:second] = data[first:second]
    return source, kind, bytes(data)


def check(path: Path, rng: random.Random, source: Path) -> dict:
    """Read a file in all ways; raises what a user must never see.

    Args:
        path: The changed file.
        rng: Chooses the moments.
        source: What it was before.

    Returns:
        How many moments were shown, refused and held, or the error that opening ended with.

    Raises:
        AssertionError: If two ways of reading show different pictures.
    """
    limits = {"time_limit_seconds": READER_SECONDS}
    with VideoReader(path, num_workers=2, **limits) as reader:
        try:
            duration = reader.duration_seconds
            reader.describe()
        except VideoError as error:
            return {"refused": str(error)}
        moments = [0.0, *sorted(rng.random() * duration for _ in range(NUM_MOMENTS - 2))]
        moments.append(np.nextafter(duration, 0))
        planned = _together(reader, moments)
        single = _one_by_one(reader, moments)
        _times(reader, moments)
    with VideoReader(path, num_workers=1, **limits) as reader:
        walked = _walked(reader, moments)
    with VideoReader(path, num_workers=1, damage="hold", **limits) as reader:
        held = _one_by_one(reader, moments)
    ways = {
        "planned": planned,
        "single": single,
        "held": {moment: frame for moment, frame in held.items() if not frame.is_held},
    }
    counts = Counter()
    for name, way in ways.items():
        counts.update(
            _difference(name, way[m], walked[m], m, source) for m in way.keys() & walked.keys()
        )
    counts.pop("", None)
    defects = [text for text in counts if not text.startswith("undefined")]
    stamps = {frame.pts for way in (walked, *ways.values()) for frame in way.values()}
    is_jumping = bool(defects) and _time_jumps(path, stamps)
    assert is_jumping or not defects, defects[0]
    return {
        "shown": len(walked),
        "lost": len(moments) - len(walked),
        "held": sum(frame.is_held for frame in held.values()),
        "undefined": int(not defects and bool(counts)),
        "jumping": int(is_jumping),
        "end_lost": int(moments[-1] not in walked and bool(walked)),
    }


def _time_jumps(path: Path, shown: set[int]) -> bool:
    """Whether pictures come out in another order than that of their time stamps, or come twice.

    Then what is on display at a moment depends on the way that leads there. So it does where a
    picture has a stamp after a seek that it has not otherwise: a spoilt AVI has two numberings.
    """
    stamps = []
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            try:
                frames = stream.codec_context.decode(packet if packet.size else None)
            except (av.error.FFmpegError, EOFError):
                continue
            stamps += [frame.pts for frame in frames if frame.pts is not None]
    return any(later <= earlier for earlier, later in pairwise(stamps)) or not shown <= {*stamps}


def _together(reader: VideoReader, moments: list[float]) -> dict:
    try:
        frames = reader.frames_at(moments, SIZE)
    except VideoError:
        return {}
    return dict(zip(moments, frames, strict=True))


def _one_by_one(reader: VideoReader, moments: list[float]) -> dict:
    frames = {}
    for moment in moments:
        try:
            frames[moment] = reader.frames_at([moment], SIZE)[0]
        except VideoError:
            continue
    return frames


def _walked(reader: VideoReader, moments: list[float]) -> dict:
    """Read without planning; an error may close the reader, so that is said each time anew."""
    frames = {}
    for moment in moments:
        try:
            reader._opened()._groups.is_hopeless = True
        except VideoError:
            break
        frames |= _one_by_one(reader, [moment])
    return frames


def _times(reader: VideoReader, moments: list[float]) -> None:
    try:
        times = reader.frame_times(moments[1], moments[-1])
    except VideoError:
        return
    assert (np.diff(times) > 0).all(), "frame times do not ascend"


def _difference(name: str, one: Frame, other: Frame, moment: float, source: Path) -> str:
    """Say how a picture differs from the walked one, in words that are empty if it does not.

    VP8, HEVC and others do not tell all damage, and what they leave out of such a picture is what
    was in memory: two ways to a damaged picture may show two of them. Not so where walking shows
    one as it was before the file was changed.
    """
    if one.pts != other.pts:
        return f"{name}: {one.pts} != {other.pts} at {moment} s"
    if np.array_equal(one.rgb, other.rgb):
        return ""
    if _digest(other.rgb) in _pictures(source):
        return f"{name}: another picture at {moment} s"
    return f"undefined {name}"


def _pictures(source: Path) -> set[str]:
    """Hash all pictures of an undamaged file."""
    with VideoReader(source, num_workers=1) as reader:
        moments = reader.frame_times(0, reader.duration_seconds)
        return {_digest(frame.rgb) for frame in reader.frames_at(moments, SIZE)}


def _digest(rgb: np.ndarray) -> str:
    return hashlib.md5(rgb.tobytes()).hexdigest()


def run_case(index: int, *, seed: int, sources: Sequence[Path], folder: Path) -> dict:
    """Make one case, read it in a process of its own, and keep its file if it went wrong."""
    rng = random.Random(f"{seed} {index}")
    source, kind, data = mutated(sources, rng)
    path = folder / f"case-{seed}-{index}{source.suffix}"
    path.write_bytes(data)
    outcome = isolated(
        partial(check, path, rng, source), limit_seconds=LIMIT_SECONDS, limit_bytes=LIMIT_BYTES
    )
    if not outcome.failure:
        path.unlink()
    return {
        "index": index,
        "source": source.name,
        "kind": kind,
        "failure": outcome.failure,
        "seconds": round(outcome.seconds, 3),
        "peak_mib": round(outcome.peak_mib),
        **(outcome.result or {}),
    }


def summary(cases: Iterable[dict]) -> str:
    """Return a Markdown table: one line for each container, and the failures."""
    cases = list(cases)
    names = "file, cases, refused, shown, some lost, last lost, undefined, jumping, failed, s, MiB"
    lines = ["| " + names.replace(", ", " | ") + " |", "| --- " * (names.count(",") + 1) + "|"]
    for suffix in (*sorted({Path(case["source"]).suffix for case in cases}), ""):
        some = [case for case in cases if case["source"].endswith(suffix)]
        counts = Counter(_class(case) for case in some)
        numbers = [len(some), *(counts[name] for name in ("refused", "shown", "lost"))]
        numbers += [sum(bool(case.get(name)) for case in some) for name in _NOTES]
        numbers.append(counts["failed"])
        seconds = max(case["seconds"] for case in some)
        peak = max(case["peak_mib"] for case in some)
        cells = [suffix or "all", *map(str, numbers), f"{seconds:.1f}", f"{peak:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    failed = [case for case in cases if case["failure"]]
    lines += ["", *(f"- {c['index']} {c['source']} {c['kind']}: {c['failure']}" for c in failed)]
    return "\n".join(lines).rstrip() + "\n"


def _class(case: dict) -> str:
    if case["failure"] or "refused" in case:
        return "failed" if case["failure"] else "refused"
    return "lost" if case["lost"] else "shown"


def run(
    out: Path, count: int, seed: int, *, data: Path | None, workers: int, stop_after: float
) -> list[dict]:
    """Run the cases that have not been run yet; returns all that are known."""
    folder = out / "files"
    sources = make_clips(out / "clips")
    if data is not None:
        real = sorted((data / "nasty").glob("*.*"))
        sources += [p for p in real if p.suffix != ".md" and 0 < p.stat().st_size <= MAX_BYTES]
    folder.mkdir(parents=True, exist_ok=True)
    log = out / f"cases-{seed}.jsonl"
    cases = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    known = {case["index"] for case in cases}
    left = iter([index for index in range(count) if index not in known])
    end = time.monotonic() + stop_after
    work = partial(run_case, seed=seed, sources=sources, folder=folder)
    with (
        ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool,
        log.open("a") as file,
    ):
        while time.monotonic() < end and (part := list(islice(left, 100))):
            for case in pool.map(work, part):
                cases.append(case)
                file.write(json.dumps(case) + "\n")
                file.flush()
    return cases


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a command; ends with 1 if a case failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for files and results")
    parser.add_argument("--count", type=int, default=5000, help="number of cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="folder of clips, with nasty/ in it")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--stop-after", type=float, default=float("inf"), help="seconds")
    options = parser.parse_args(arguments)
    av.logging.set_level(av.logging.PANIC)
    cases = run(
        options.out,
        options.count,
        options.seed,
        data=options.data,
        workers=options.workers,
        stop_after=options.stop_after,
    )
    text = summary(cases)
    (options.out / f"summary-{options.seed}.md").write_text(text)
    print(f"{len(cases)} of {options.count} cases\n\n{text}", end="")
    return int(any(case["failure"] for case in cases))


if __name__ == "__main__":
    raise SystemExit(main())
