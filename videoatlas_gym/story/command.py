"""`videoatlas story`: a procedural world as files that any other tool can read.

Writes the video, its subtitles, and the plan with questions and answers as JSON: all of them whole,
or none.
"""

from __future__ import annotations

import io
import json
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pysubs2
from PIL import Image
from tqdm import tqdm

from videoatlas_gym.cli import Parser, parse_duration, run_command
from videoatlas_gym.cues import Subtitles
from videoatlas_gym.errors import one_of
from videoatlas_gym.files import replacing
from videoatlas_gym.story.difficulty import DIFFICULTIES, make_difficulty
from videoatlas_gym.story.narration import narration
from videoatlas_gym.story.needles import NEEDLES, Stretch
from videoatlas_gym.story.plan import Event, StoryWorld
from videoatlas_gym.story.questions import QUESTION_FAMILIES, Story
from videoatlas_gym.story.signal import signal
from videoatlas_gym.story.source import StorySource, story_frames, write_story
from videoatlas_gym.story.tasks import questions_about
from videoatlas_gym.tasks import Task

SCHEMA_VERSION = 1
VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov")
EXAMPLE = """\
  videoatlas story --out world.mp4 --duration 1h --number 3 --difficulty medium
  videoatlas story --out hidden.mp4 --duration 10m --needle hidden --needle visible"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code: 0, 2 for a mistake, 130 for Ctrl-C."""
    return run_command("story", lambda: _run(_parser().parse_args(argv)))


def facts(world: StoryWorld, subtitles: Subtitles, tasks: Sequence[Task]) -> dict[str, Any]:
    """Return the plan and its questions as plain JSON data; spans are [start, end) in seconds."""

    def span(stretch: Stretch) -> list[float]:
        seconds = world.span(stretch)
        return [seconds.start_seconds, seconds.end_seconds]

    def event(event: Event) -> dict[str, Any]:
        plain = asdict(event) | {"scene": event.scene.index, "span": span(event.stretch)}
        del plain["stretch"]
        return plain

    return {
        "schema_version": SCHEMA_VERSION,
        "world": {
            "number": world.number,
            "duration_seconds": world.duration_seconds,
            "frames_per_second": world.frames_per_second,
            "difficulty": asdict(world.difficulty),
            "needle_kinds": list(world.needle_kinds),
            "needle_seconds": world.needle_seconds,
            "fingerprint": StorySource(world).fingerprint(),
        },
        "chapters": [
            {"index": chapter.index, "theme": chapter.theme, "span": span(chapter.stretch)}
            for chapter in world.chapters
        ],
        "scenes": [
            {
                "index": scene.index,
                "chapter": scene.chapter.index,
                "place": scene.place,
                "span": span(scene.stretch),
                "card": span(card) if (card := world.card(scene)) else None,
            }
            for scene in world.scenes
        ],
        "events": [event(each) for each in world.events],
        "needles": [
            {
                "kind": needle.kind,
                "span": span(needle.stretch),
                "hints": [{"span": span(hint), "share": share} for hint, share in needle.hints],
            }
            for needle in world.needles
        ],
        "subtitles": subtitles.to_json(),
        "questions": [_question(task) for task in tasks],
    }


def _question(task: Task) -> dict[str, Any]:
    def spans(spans: Sequence) -> list[list[float]]:
        return [[span.start_seconds, span.end_seconds] for span in spans]

    return {
        "id": task.task_id,
        "family": task.family,
        "kind": task.kind,
        "query": task.query,
        "options": list(task.options),
        "answer": task.answer,
        "truth": spans(task.truth),
        "needs": spans(task.needs),
    }


def _parser() -> Parser:
    parser = Parser("story", "Write a procedural world: video, subtitles and facts.", EXAMPLE)
    add = parser.add_argument
    add("--out", required=True, metavar="FILE", help="video to write; .srt and .json go beside it")
    add("--duration", default="10m", metavar="TIME", help="length, such as 45s, 10m or 1h30m (10m)")
    add("--number", type=int, default=0, metavar="N", help="which of all worlds (0)")
    add("--difficulty", default="medium", help=f"{', '.join(DIFFICULTIES)} (medium)")
    add("--frames-per-second", type=int, default=10, metavar="N", help="1 to 60 (10)")
    add("--questions", type=int, default=20, metavar="N", help="questions in the .json (20)")
    add("--needle", action="append", default=[], help="visible or hidden; may be repeated")
    add("--needle-seconds", type=float, default=2.0, metavar="S", help="length of needles (2)")
    add("--overwrite", action="store_true", help="replace files that are there")
    return parser


def _run(options: Namespace) -> int:
    out = Path(options.out)
    one_of("suffix of --out", out.suffix.lower(), VIDEO_SUFFIXES)
    if not out.parent.is_dir():
        raise ValueError(f"--out: there is no folder {str(out.parent)!r}; make it first.")
    if options.questions < 0:
        raise ValueError(f"--questions must be at least 0, got {options.questions}.")
    world = StoryWorld(
        options.number,
        parse_duration(options.duration),
        make_difficulty(options.difficulty),
        options.frames_per_second,
        tuple(one_of("--needle", kind, NEEDLES) for kind in options.needle),
        options.needle_seconds,
    )
    subtitles = narration(world)
    story = Story(world, StorySource(world), subtitles, f"story-{world.number}")
    tasks = questions_about(story, QUESTION_FAMILIES, options.questions)
    beside = {
        out.with_suffix(".srt"): _srt(subtitles).encode(),
        out.with_suffix(
            ".json"
        ): f"{json.dumps(facts(world, subtitles, tasks), indent=1)}\n".encode(),
    }
    for index, needle in enumerate(world.needles):
        beside[out.with_name(f"{out.stem}.needle-{index}.png")] = _png(signal(*needle.look))
    _check_targets([out, *beside], may_replace=options.overwrite)
    with ExitStack() as files:  # all take their places once the video is there, or none does
        for path, content in beside.items():
            files.enter_context(replacing(path)).write_bytes(content)
        frames = tqdm(story_frames(world), out.name, world.num_frames, unit="frame")
        write_story(out, world, frames)
    print(f"wrote {', '.join(map(str, [out, *beside]))}: {_described(world)}")
    return 0


def _check_targets(paths: Sequence[Path], *, may_replace: bool) -> None:
    """Refuse what would be lost, or fail after minutes of drawing."""
    for path in paths:
        if path.is_dir():
            raise ValueError(f"--out: {str(path)!r} is a folder; name another file.")
        if path.exists() and not may_replace:
            raise ValueError(
                f"--out: {str(path)!r} is there already; name another file, or add --overwrite."
            )


def _described(world: StoryWorld) -> str:
    numbers = {
        "chapters": world.chapters,
        "scenes": world.scenes,
        "events": world.events,
        "needles": world.needles,
    }
    return ", ".join(f"{len(items)} {name}" for name, items in numbers.items() if items) + "."


def _srt(subtitles: Subtitles) -> str:
    file = pysubs2.SSAFile()
    for cue in subtitles:
        start, end = (round(1000 * seconds) for seconds in (cue.start_seconds, cue.end_seconds))
        file.append(pysubs2.SSAEvent(start=start, end=end, text=cue.text))
    return file.to_string("srt")


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
