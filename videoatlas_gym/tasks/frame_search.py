"""Frame search tasks from any videos: a picture of the video is the query, no annotation needed.

A video is drawn, then a moment uniformly in it; its frame, degraded to a stated hardness, is the
goal. Truth is the union of all spans over which the picture stays the same (`picture_index`),
so that a static shot, or a clip that occurs twice, has many right answers.
"""

from __future__ import annotations

import glob
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videoatlas_gym.span import total_seconds
from videoatlas_gym.subtitles import Subtitles
from videoatlas_gym.tasks.picture_index import picture_index
from videoatlas_gym.tasks.source_subtitles import subtitles_of
from videoatlas_gym.tasks.task import FrameSearch, Task
from videoatlas_gym.video import (
    ConcatSource,
    Frame,
    FrameDecodeError,
    VideoOpenError,
    VideoReader,
    VideoSource,
)

VIDEO_SUFFIXES = {".mp4", ".mkv", ".webm", ".mov", ".avi", ".ts", ".m4v", ".mpg", ".mpeg", ".ogv"}
QUERY = "Find the moment that the goal picture shows and keep it in the scratchpad."
TRIES = 50
"""Moments drawn in a video before it is given up as one in which everything looks the same."""
MIN_CONTRAST = 0.03
"""Standard deviation (of full scale) below which a picture is too plain to be looked for."""


class FrameSearchTasks:
    """An endless, seeded task set over videos.

    Args:
        videos: A file, a folder, a glob pattern, a source, or a sequence of files and sources.
        hardness: How much the goal differs from the frame, 0 (exact) to 1; see `degrade`.
        seed: Seeds every task; task i of a seed is the same on every machine.
        max_truth_share: Pictures on display for more of the video than this are not asked for.
        subtitles: None for those of timelines (`ConcatSource`) alone, "auto" also for the file
            beside each video or its embedded track, False for none. Each video's are read once.

    Raises:
        VideoOpenError: If no video is there.
        ValueError: If a number is out of range, or `subtitles` is none of these.
    """

    has_goal = True

    def __init__(
        self,
        videos: str | Path | VideoSource | Sequence[str | Path | VideoSource],
        *,
        hardness: float = 0.3,
        seed: int = 0,
        max_truth_share: float = 0.05,
        subtitles: Literal["auto", False] | None = None,
    ):
        if not 0 <= hardness <= 1:
            raise ValueError(f"hardness must lie in [0, 1], got {hardness}.")
        if not 0 < max_truth_share <= 1:
            raise ValueError(f"max_truth_share must lie in (0, 1], got {max_truth_share}.")
        if subtitles not in (None, "auto", False):
            raise ValueError(
                f"subtitles of frame search tasks must be None, 'auto' or False, got {subtitles!r}."
            )
        self.sources = find_sources(videos)
        self.hardness, self.seed, self.max_truth_share = hardness, seed, max_truth_share
        self._subtitles: Literal["auto", False] | None = subtitles
        self._cues: dict[int, Subtitles] = {}
        self.name = f"frame_search(hardness={hardness:g}, seed={seed})"

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, index: int) -> Task:
        """Return task `index`. The first task of a video reads its pictures once (`PictureIndex`).

        A video without a distinctive picture is passed over for another, and closed.

        Raises:
            ValueError: If no distinctive picture was found in any video.
            SubtitleError: If subtitles that were found cannot be read.
        """
        random = np.random.default_rng([self.seed, index])
        for number in _drawn_order(len(self.sources), random):
            task = self._task_about(number, f"{self.seed}-{index}", random)
            if task is not None:
                return task
            self.sources[number].close()
        one = len(self.sources) == 1
        raise ValueError(
            f"no picture of {repr(self.sources[0]) if one else f'{len(self.sources)} videos'} is "
            f"on display for less than {self.max_truth_share:g} of its length ({TRIES} moments "
            f"{'' if one else 'of each '}tried). Use other footage or a larger max_truth_share."
        )

    def _task_about(
        self, number: int, task_id: str, random: np.random.Generator
    ) -> FrameSearch | None:
        """Return a task about a moment of a video, or None if all that were drawn are unfit."""
        source = self.sources[number]
        for _ in range(TRIES):
            seconds = float(random.uniform(0, source.duration_seconds))
            frame = _distinct_frame(source, seconds)
            if frame is None:
                continue
            truth = picture_index(source).spans_like(seconds, self.max_truth_share)
            if truth and total_seconds(truth) <= self.max_truth_share * source.duration_seconds:
                return FrameSearch(
                    source,
                    QUERY,
                    task_id,
                    truth=truth,
                    subtitles=self._cues_of(number),
                    goal=Frame(degrade(frame.rgb, self.hardness, random), 0.0, 0),
                    group=_group(source, seconds),
                )
        return None

    def _cues_of(self, number: int) -> Subtitles:
        if number not in self._cues:
            self._cues[number] = subtitles_of(self.sources[number], self._subtitles)
        return self._cues[number]


def _drawn_order(count: int, random: np.random.Generator) -> Iterator[int]:
    """Yield 0 to count - 1 in random order; all after the first are drawn when they are needed."""
    first = int(random.integers(count))
    yield first
    yield from random.permutation(np.delete(np.arange(count), first)).tolist()


def _distinct_frame(source: VideoSource, seconds: float) -> Frame | None:
    """Return the frame on display, or None if it is too plain or cannot be decoded."""
    try:
        frame = source.frame_at(seconds)
    except FrameDecodeError:
        return None
    return frame if frame.rgb.std() >= MIN_CONTRAST * 255 else None


def _group(source: VideoSource, seconds: float) -> str:
    if isinstance(source, ConcatSource):
        return source.parts[source.part_at(seconds)[0]].group or "concat"
    return source.path.name if isinstance(source, VideoReader) else source.fingerprint()


def find_sources(
    videos: str | Path | VideoSource | Sequence[str | Path | VideoSource],
) -> list[VideoSource]:
    """Return the sources that a file, folder, pattern, source or sequence of those names."""
    if isinstance(videos, str | Path):
        return [VideoReader(path) for path in find_files(videos)]
    if not isinstance(videos, Iterable):  # a source; asking for its protocol would open its file
        return [videos]
    sources = [source for video in videos for source in find_sources(video)]
    if not sources:
        raise VideoOpenError("no videos were given; pass a file, a folder or a pattern.")
    return sources


def find_files(where: str | Path) -> list[Path]:
    """Return the video files that a path, folder or glob pattern names, sorted.

    Raises:
        VideoOpenError: If there are none.
    """
    path = Path(where)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file()]
    else:
        found = [Path(p) for p in glob.glob(str(where), recursive=True) if Path(p).is_file()]
    if not found:
        raise VideoOpenError(
            f"no video found at {str(where)!r}. Give a file, a folder with "
            f"{', '.join(sorted(VIDEO_SUFFIXES))} files, or a quoted pattern such as 'clips/*.mp4'."
        )
    return sorted(found)


def degrade(
    picture: NDArray[np.uint8], hardness: float, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Make a goal picture differ from its frame, by `hardness` h in [0, 1].

    A crop keeps the share ``1 - 0.3 h`` of each side at a random place; the rest is scaled to a
    width of ``320 - 240 h`` pixels (never enlarged), its brightness multiplied by a random factor
    within ``1 +- 0.4 h``, and stored as JPEG of quality ``95 - 75 h``. At h = 0 nothing is changed.

    Returns:
        uint8 (height, width, 3).
    """
    if hardness == 0:
        return picture
    height, width = picture.shape[:2]
    keep = 1 - 0.3 * hardness
    crop_width, crop_height = max(1, round(width * keep)), max(1, round(height * keep))
    left = int(random.integers(width - crop_width + 1))
    top = int(random.integers(height - crop_height + 1))
    image = Image.fromarray(picture[top : top + crop_height, left : left + crop_width])
    target = min(crop_width, max(16, round(320 - 240 * hardness)))
    image = image.resize((target, max(1, round(crop_height * target / crop_width))))
    gain = 1 + 0.4 * hardness * random.uniform(-1, 1)
    bright = np.clip(np.asarray(image, np.float32) * gain, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(bright).save(buffer, "JPEG", quality=round(95 - 75 * hardness))
    return np.asarray(Image.open(buffer).convert("RGB"))
