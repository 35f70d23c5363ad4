"""`videoatlas doctor`: what a file is, whether all of it plays, and what to do if it does not.

Two independent looks at each file are compared: pictures fetched at scattered moments by
`VideoReader`, and a plain decode from start to end. Knows what to make of them, not how they are
done. No file gives a traceback: what goes wrong with one becomes its verdict.
"""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import av
from tqdm import tqdm

from videoatlas_gym._scan import Moments, Scan, fetch_moments, scan_file
from videoatlas_gym.cli import Parser, run_command
from videoatlas_gym.subtitles import SubtitleError, embedded_tracks
from videoatlas_gym.tasks import find_files
from videoatlas_gym.video import VideoOpenError, VideoReader

Verdict = Literal["ok", "usable", "not usable"]

EXAMPLE = """\
  videoatlas doctor match.mp4            decodes the whole file, as long as that takes
  videoatlas doctor recordings/ --fast   looks at 32 moments of each file only
exit code: 0 if all files are usable, 1 if some are not, 2 for a mistake"""
SCHEMA_VERSION = 1
"""Of the lines that --json prints."""
LONG_GROUP = 600
"""Frames: where key frames are further apart, jumping to a moment is slow."""

_REENCODE = "-c:v libx264 -crf 18 -g 240 -c:a copy"
_STAYS = "nothing is needed: where pictures are missing, the one before stays on display"
_TEXT = bytes([*range(32, 127), *b"\t\n\r\f"])


@dataclass
class Report:
    """All there is to say of one file."""

    path: Path
    verdict: Verdict = "ok"
    reasons: list[str] = field(default_factory=list)
    advice: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    """As `VideoReader.describe` has them."""
    refused: Moments = field(default_factory=Moments)
    """Moments that random access cannot show."""
    scan: Scan | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as --json prints it."""
        data = {name: getattr(self, name) for name in ("verdict", "reasons", "advice", "facts")}
        return {
            "schema_version": SCHEMA_VERSION,
            "path": str(self.path),
            **data,
            "refused": vars(self.refused),
            "scan": self.scan
            and {
                name: vars(value) if isinstance(value, Moments) else value
                for name, value in vars(self.scan).items()
            },
        }


def examine(path: str | Path, *, fast: bool = False, show_progress: bool = False) -> Report:
    """Look at one file; whatever is wrong with it is in the report.

    Args:
        path: The file.
        fast: Only fetch `NUM_MOMENTS` pictures by random access; do not decode the whole file.
        show_progress: Draw a bar on stderr, if that is a terminal.
    """
    report = Report(Path(path))
    try:
        try:
            _look(report, fast=fast, show_progress=show_progress)
        except VideoOpenError as error:
            _refuse(report, *_cause(report.path, error))
    except Exception as error:  # The next file is to be looked at, whatever this one did.
        cause = " ".join(str(error).split())
        reason = f"looking at it failed with {type(error).__name__}: {cause}"
        _refuse(report, reason, "leave the file out, and show it to the developers")
    return report


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if all files are usable, 1 if not, 2 for a mistake."""
    return run_command("doctor", lambda: _run(_parser().parse_args(argv)))


def _parser() -> Parser:
    parser = Parser("doctor", "Say what a video file is and whether all of it plays.", EXAMPLE)
    parser.add_argument("videos", nargs="+", metavar="VIDEO", help="files, folders or patterns")
    parser.add_argument("--fast", action="store_true", help="do not decode whole files")
    parser.add_argument("--json", action="store_true", help="print one JSON object per file")
    return parser


def _run(options: Namespace) -> int:
    is_all_usable = True
    for path in list(chain.from_iterable(find_files(name) for name in options.videos)):
        report = examine(path, fast=options.fast, show_progress=True)
        print(json.dumps(report.to_json()) if options.json else described(report), flush=True)
        is_all_usable &= report.verdict != "not usable"
    return 0 if is_all_usable else 1


def _look(report: Report, *, fast: bool, show_progress: bool) -> None:
    with VideoReader(report.path) as reader:
        report.facts = reader.describe()
        seen = fetch_moments(reader, report.refused)
        report.facts = reader.describe()  # Reading may have shown that time stamps run backwards.
    with suppress(SubtitleError):  # These include tracks that FFmpeg has no decoder for.
        report.facts["subtitle_tracks"] = [vars(track) for track in embedded_tracks(report.path)]
    if not fast:
        with tqdm(
            total=round(report.facts["duration_seconds"], 1),
            desc=report.path.name,
            unit="s",
            leave=False,
            disable=None if show_progress else True,
        ) as bar:
            report.scan = scan_file(report.path, report.facts, seen, bar)
    _judge(report, len(seen))


def _judge(report: Report, num_seen: int) -> None:
    """Fill in verdict, reasons and advice from what was found; the first advice counts."""
    asked = num_seen + report.refused.count
    mended = _command(report.path, _REENCODE, ".mkv", before="-err_detect ignore_err ")
    findings = list(_promises(report))
    if report.refused.count:
        text = f"{report.refused.count} of {asked} moments cannot be shown ({report.refused})"
        findings.append((text, mended))
    if report.scan is not None:
        findings += [(text, mended) for text in _damage(report.scan)]
        findings += [(text, _STAYS) for text in _missing(report.scan)]
    slow = _command(report.path, _REENCODE, ".mkv")
    findings += [(text, slow) for text in _slowness(report)]
    report.reasons = [text for text, _ in findings]
    report.advice = findings[0][1] if findings else ""
    report.verdict = "usable" if findings else "ok"
    if num_seen <= asked / 2:
        _refuse(report, "most of it cannot be shown", mended)
    if report.scan is not None and (wrong := report.scan.mismatches).count:
        text = "random access and playing from the start show different pictures"
        _refuse(report, f"{text} in {wrong.count} of {num_seen} moments ({wrong})", mended)


def _damage(scan: Scan) -> Iterator[str]:
    """Yield what is wrong with the pictures and their time stamps."""
    if (wrong := scan.errors).count:
        yield f"{_number(wrong.count, 'packet')} not decodable ({wrong}): {scan.first_error}"
    if (wrong := scan.corrupt_frames).count:
        yield f"{_number(wrong.count, 'picture')} damaged ({wrong})"
    if scan.longest_seconds > max(10.0, scan.end_seconds / 2):
        yield f"time stamps jump: one picture stays for {scan.longest_seconds:.1f} s"
    if (wrong := scan.backwards).count:
        yield f"time stamps run backwards in {_number(wrong.count, 'place')} ({wrong})"
    if (wrong := scan.duplicates).count:
        yield f"{_number(wrong.count, 'picture')} hidden by a later one of the same time ({wrong})"


def _missing(scan: Scan) -> Iterator[str]:
    """Yield where pictures are missing from an otherwise even rate."""
    if scan.is_constant_rate and (missing := scan.gaps).count:
        yield f"pictures missing in {_number(missing.count, 'place')} ({missing})"


def _slowness(report: Report) -> Iterator[str]:
    """Yield what makes jumping to a moment slow."""
    if cause := report.facts["fallback"]:
        yield f"every jump decodes from the start, which is slow: {cause}"
    elif report.scan is not None and report.scan.longest_group > LONG_GROUP:
        group = report.scan.longest_group
        yield f"jumping is slow: up to {group} frames from one key frame to the next"


def _promises(report: Report) -> Iterator[tuple[str, str]]:
    """Yield where the header promises something else than the file holds, and what to do."""
    facts, scan = report.facts, report.scan
    real, header = facts["duration_seconds"], facts["header_duration_seconds"]
    if scan is not None and scan.packets < scan.promised_frames:
        text = f"it is cut off: {scan.packets} of {scan.promised_frames} frames are there"
        yield text, "copy or download it again, if there is more of it elsewhere"
    elif header is not None and abs(header - real) > max(1.0, 0.05 * real):
        text = f"its last picture ends at {real:.3f} s, though its header says {header:.3f} s"
        again = "copy or download it again, if there is more of it elsewhere"
        first = again if header > real else "nothing is needed here"
        command = _command(report.path, "-c copy", report.path.suffix)
        yield text, f"{first}; to write the length anew for other programs: {command}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _refuse(report: Report, reason: str, advice: str = "") -> None:
    report.verdict = "not usable"
    report.reasons.insert(0, reason)
    report.advice = advice


def _cause(path: Path, error: VideoOpenError) -> tuple[str, str]:
    """Why a file cannot be opened, and what to do."""
    if not path.stat().st_size:
        return "the file is empty", "copy or download it again"
    with path.open("rb") as file:
        head = file.read(512)
    if not head.translate(None, _TEXT):
        return f"it is a text file, beginning with {head[:30].decode()!r}", "give a video"
    if _lacks_index(path):
        return (
            "its index (moov) is missing, so recording or copying it was cut short",
            "copy it again; a recording may be saved by a program such as untrunc, with an intact "
            "file of the same camera",
        )
    cause = error.__cause__
    is_damage = isinstance(cause, av.error.FFmpegError)
    text = cause.strerror if is_damage and cause.strerror else str(cause or error)
    if "no video stream" in text:
        return text, "give a file with a video track"
    return text, f"copy it again; if that does not help: {_command(path, '-c copy', '.mkv')}"


def _lacks_index(path: Path) -> bool:
    """Whether this is an MP4 or MOV file without the box that says where its frames are."""
    with path.open("rb") as file:
        kinds, size, place = set(), path.stat().st_size, 0
        while place + 8 <= size and len(kinds) < 64:
            file.seek(place)
            length, kind = int.from_bytes(file.read(4)), file.read(4)
            length = int.from_bytes(file.read(8)) if length == 1 else length or size
            kinds.add(kind)
            place += max(length, 8)
    return b"ftyp" in kinds and b"mdat" in kinds and not kinds & {b"moov", b"moof"}


def _command(path: Path, options: str, suffix: str, *, before: str = "") -> str:
    """Return an FFmpeg command that writes a mended copy beside the file."""
    target = path.with_name(f"{path.stem}.mended{suffix}")
    return f"ffmpeg {before}-i {_quoted(path)} {options} {_quoted(target)}"


def _quoted(path: Path) -> str:
    """Quote a name for the shell, and so that FFmpeg takes it for neither option nor protocol."""
    name = str(path)
    is_plain = path.is_absolute() or not (name.startswith("-") or ":" in name)
    return shlex.quote(name if is_plain else f"./{name}")


def described(report: Report) -> str:
    """Return a report as lines for people."""
    verdict = report.verdict
    if report.reasons:
        verdict += (", but " if verdict == "usable" else ": ") + "; ".join(report.reasons)
    lines = [f"{report.path}: {verdict}"]
    if report.facts:
        lines += [f"  {name:11}{text}" for name, text in _rows(report).items() if text]
    return "\n".join(lines + ([f"  what to do {report.advice}"] if report.advice else []))


def _rows(report: Report) -> dict[str, str]:
    facts, scan = report.facts, report.scan
    return {
        "video": f"{facts['codec']} {facts['pixel_format']} in {facts['container']}, "
        f"{_shape(facts)}{_interlaced(scan)}",
        "time": _time(facts, scan),
        "key frames": "" if scan is None else _keys(scan),
        "audio": _tracks(facts["audio_tracks"]),
        "subtitles": _tracks(facts["subtitle_tracks"]),
        "access": _access(report),
    }


def _shape(facts: dict[str, Any]) -> str:
    coded, native = ("x".join(map(str, facts[key])) for key in ("coded_size", "native_size"))
    changes = [f"turned by {facts['rotation_degrees']} degrees"] * bool(facts["rotation_degrees"])
    changes += ["mirrored"] * facts["is_mirrored"]
    aspect = facts["sample_aspect_ratio"]
    changes += [f"pixel aspect {aspect}"] * (aspect != "1")
    return f"{coded} -> {native} ({', '.join(changes)})" if changes else coded


def _interlaced(scan: Scan | None) -> str:
    return ", interlaced" if scan is not None and scan.interlaced_frames else ""


def _time(facts: dict[str, Any], scan: Scan | None) -> str:
    header = facts["header_duration_seconds"]
    promised = "nothing" if header is None else f"{header:.3f} s"
    text = f"{facts['duration_seconds']:.3f} s (header: {promised})"
    if facts["start_seconds"]:
        text += f" from {facts['start_seconds']:.3f} s on"
    if facts["is_reordered"]:
        text += ", time stamps out of order (sorted)"
    return text + f", {_rate(facts, scan)}"


def _rate(facts: dict[str, Any], scan: Scan | None) -> str:
    usual = f"about {1 / facts['frame_seconds']:.5g} per second"
    if scan is None:
        return usual
    frames = _number(scan.frames, "frame")
    if scan.untimed_frames:
        return f"{frames}, {usual} by guess (no time stamps)"
    if not scan.longest_seconds:
        return frames
    if scan.is_constant_rate:
        return f"{frames}, constant rate, {1 / scan.usual_seconds:.5g} per second"
    mean = f"{(scan.frames - 1) / scan.end_seconds:.5g} per second"
    low, high = scan.shortest_seconds * 1000, scan.longest_seconds * 1000
    return f"{frames} of {low:.4g} to {high:.4g} ms, variable rate, {mean} on average"


def _keys(scan: Scan) -> str:
    group = _number(scan.longest_group, "frame")
    return f"{scan.key_frames}, at most {group} from one to the next"


def _tracks(tracks: list[dict[str, Any]]) -> str:
    languages = (str(track["language"] or "").replace("und", "") for track in tracks)
    return ", ".join(
        f"{track['codec']} {language}".rstrip()
        for track, language in zip(tracks, languages, strict=True)
    )


def _access(report: Report) -> str:
    way = "by seeking" if report.facts["is_seekable"] else "by decoding from the start"
    if report.scan is None:
        return f"{way}; not compared with a decode of the whole file (--fast)"
    return f"{way}; {report.scan.agreed} moments show what a decode from the start shows"
