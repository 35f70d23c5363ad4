"""Reads every file of a folder of difficult videos, each in a fresh process; writes a table.

A file is read right if pictures at scattered moments equal those of a plain decode from its start.
The table holds how many were, and the sentences of the errors otherwise. Beside it lies a picture
of what was shown, to be looked at: ``python -m benchmarks.robustness DATA --out DIR``.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import av
import numpy as np
from PIL import Image

from benchmarks.isolation import Outcome, isolated
from videoatlas_gym.video import VideoError, VideoReader
from videoatlas_gym.video._picture import Painter

LIMIT_SECONDS = 400.0
LIMIT_BYTES = 4 << 30
NUM_MOMENTS = 32
TILE = (160, 90)


def read(path: Path, damage: str, picture: Path | None) -> dict:
    """Read a file at scattered moments.

    Returns:
        The error that opening ended with; or, for each moment, time stamp, hash and whether the
        picture is held, or the error; and the seconds that reading took.
    """
    rng = random.Random(path.name)
    with VideoReader(path, damage=damage) as reader:
        try:
            duration = reader.duration_seconds
        except VideoError as error:
            return {"refused": f"{type(error).__name__}: {error}"}
        moments = [rng.random() * duration for _ in range(NUM_MOMENTS - 2)]
        shown, tiles = [], []
        for moment in (0.0, *sorted(moments), float(np.nextafter(duration, 0))):
            try:
                frame = reader.frame_at(moment)
                shown.append((frame.pts, _digest(frame.rgb), frame.is_held))
                tiles.append(reader.frames_at([moment], TILE)[0].rgb)
            except VideoError as error:
                shown.append(f"{type(error).__name__}: {error}")
                tiles.append(np.full((TILE[1], TILE[0], 3), (160, 0, 160), np.uint8))
        seconds = reader.decode_seconds
    if picture is not None:
        rows = [np.hstack(tiles[first : first + 8]) for first in range(0, len(tiles), 8)]
        Image.fromarray(np.vstack(rows)).save(picture)
    return {"shown": shown, "seconds": seconds}


def true_pictures(path: Path, wanted: Sequence[int]) -> dict:
    """Decode a file from its start, skipping what fails.

    Returns:
        Hashes of the pictures with the time stamps wanted, painted like the reader's; by stamp.
    """
    with VideoReader(path) as reader:
        track, facts = reader._opened().track, reader._known()
        index, is_reordered = track.stream.index, facts.is_reordered
    painter = Painter(facts.native_size, facts.pixel_aspect, facts.orientation)
    digests: list[tuple[int, str | None]] = []
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams[index]
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            try:
                frames = stream.codec_context.decode(packet if packet.size else None)
            except (av.error.FFmpegError, EOFError):
                continue
            for frame in frames:
                stamp = len(digests) if facts.ordinal_rate else frame.pts
                is_wanted = is_reordered or stamp in wanted
                digests.append((stamp, _digest(painter.paint(frame, None)) if is_wanted else None))
    # Where stamps run backwards the order of the decoder holds and stamps are sorted.
    stamps = sorted(stamp for stamp, _ in digests) if is_reordered else [s for s, _ in digests]
    hashes = [hashed for _, hashed in digests]
    return {str(stamp): hashed for stamp, hashed in zip(stamps, hashes, strict=True)}


def _digest(rgb: np.ndarray) -> str:
    return hashlib.md5(rgb.tobytes()).hexdigest()


def row(path: Path, damage: str, out: Path) -> str:
    """Read one file; returns its line of the table."""
    bounds = {"limit_seconds": LIMIT_SECONDS, "limit_bytes": LIMIT_BYTES}
    picture = out / f"{path.stem}.{damage}.png"
    outcome = isolated(partial(read, path, damage, picture), **bounds)
    verdict = _verdict(path, outcome, bounds)
    seconds = (outcome.result or {}).get("seconds", outcome.seconds)
    sentence = verdict.replace("|", "\\|").replace("\n", " ")
    return f"| {path.name} | {sentence} | {seconds:.2f} | {outcome.peak_mib:.0f} |"


def _verdict(path: Path, outcome: Outcome, bounds: dict) -> str:
    if outcome.failure:
        return f"FAILED: {outcome.failure}"
    if "refused" in outcome.result:
        return outcome.result["refused"].replace(f"{path.parent}/", "")
    shown = outcome.result["shown"]
    pictures = [one for one in shown if not isinstance(one, str)]
    truth = isolated(partial(true_pictures, path, [pts for pts, *_ in pictures]), **bounds)
    if truth.failure:
        return f"FAILED: the plain decode: {truth.failure}"
    counts = Counter(_kind(one, truth.result) for one in pictures)
    parts = [f"{name} {counts[name]} of {len(shown)}" for name in ("right", "held", "WRONG")]
    parts = [
        part for part, name in zip(parts, ("right", "held", "WRONG"), strict=True) if counts[name]
    ]
    errors = [one for one in shown if isinstance(one, str)]
    if errors:
        parts.append(f"refused {len(errors)}: {errors[0]}")
    return "; ".join(parts)


def _kind(one: Sequence, truth: dict) -> str:
    pts, digest, is_held = one
    if truth.get(str(pts)) != digest:
        return "WRONG"
    return "held" if is_held else "right"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a command; ends with 1 if a file was read wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="folder of clips, with nasty/ in it")
    parser.add_argument("--out", type=Path, required=True, help="folder for table and pictures")
    parser.add_argument("--damage", choices=("raise", "hold"), default="raise")
    parser.add_argument("--only", default="", help="part of the names of the files to read")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    av.logging.set_level(av.logging.PANIC)
    lines = ["| file | outcome | s | MiB |", "| --- | --- | --- | --- |"]
    for path in sorted((options.data / "nasty").glob("*.*")):
        if path.suffix != ".md" and options.only in path.name:
            lines.append(row(path, options.damage, options.out))
            print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    (options.out / f"robustness-{options.damage}.md").write_text(text)
    return int("FAILED" in text or "WRONG" in text)


if __name__ == "__main__":
    raise SystemExit(main())
