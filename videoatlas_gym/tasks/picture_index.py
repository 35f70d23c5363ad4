"""Where in a video the picture stays the same: thumbnails over a timeline, compared by distance.

Two pictures are the same when the root mean square difference of their 32 x 18 RGB thumbnails, in
units of full scale, is at most `SAME_DISTANCE`. That forgives sensor noise and recompression, and
tells apart what a small moving object or a cut changes. Building reads the timeline once, a
thumbnail every `stride_seconds`; boundaries are then refined frame by frame. A repetition shorter
than the stride may be missed; a run of the same picture that contains a sample never is.
"""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from videoatlas_gym.memory import DeadZones
from videoatlas_gym.span import Span
from videoatlas_gym.video import FrameDecodeError, VideoSource

THUMBNAIL = (32, 18)
SAME_DISTANCE = 0.04
SAMPLES = 1024
"""Thumbnails per video at most, unless that leaves more than 4 seconds between them."""
BATCH = 64


class PictureIndex:
    """Thumbnails of one video, by time. A frame that cannot be decoded is like no other.

    Args:
        source: The video. Building decodes most of it once; it shows progress when that takes long.
        stride_seconds: Distance of the samples; None for duration / 1024 within 0.5 to 4 seconds.
    """

    def __init__(self, source: VideoSource, stride_seconds: float | None = None):
        self.source = source
        duration = source.duration_seconds
        stride = stride_seconds or min(4.0, max(0.5, duration / SAMPLES))
        count = max(1, int(np.ceil(duration / stride)))
        self.moments = (np.arange(count) + 0.5) * (duration / count)
        self.thumbnails = self._read()

    def _read(self) -> NDArray[np.float32]:
        batches = [self.moments[i : i + BATCH] for i in range(0, len(self.moments), BATCH)]
        bar = tqdm(batches, desc="reading pictures", unit="batch", delay=2.0, leave=False)
        return np.concatenate([self._thumbnails(batch) for batch in bar])

    def _thumbnails(self, moments: NDArray[np.float64]) -> NDArray[np.float32]:
        try:
            tiles = self.source.tiles_at(moments.tolist(), *THUMBNAIL)
        except FrameDecodeError:
            if len(moments) == 1:
                return np.full((1, 3 * THUMBNAIL[0] * THUMBNAIL[1]), np.inf, np.float32)
            return np.concatenate(
                [self._thumbnails(moments[i : i + 1]) for i in range(len(moments))]
            )
        return tiles.reshape(len(tiles), -1).astype(np.float32) / 255

    def _same(self, moments: NDArray[np.float64], picture: NDArray[np.float32]) -> NDArray:
        return distances(self._thumbnails(moments), picture) <= SAME_DISTANCE

    def spans_like(self, seconds: float, max_share: float = 1.0) -> tuple[Span, ...]:
        """Return all spans over which the picture is the one on display at `seconds`.

        Sorted and disjoint; the one around `seconds` is among them. Cost: the frames between two
        samples, twice per run of equal samples.

        Returns nothing when the runs of equal samples alone exceed `max_share` of the video.
        """
        picture = self._thumbnails(np.array([seconds]))[0]
        equal = distances(self.thumbnails, picture) <= SAME_DISTANCE
        runs = [(self.moments[first], self.moments[last]) for first, last in _runs(equal)]
        if sum(end - start for start, end in runs) > max_share * self.source.duration_seconds:
            return ()
        spans = [self._grow(seconds, seconds, picture)]
        for start, end in runs:
            if not any(start in span and end in span for span in spans):
                spans.append(self._grow(start, end, picture))
        return DeadZones().add(*spans).spans

    def _grow(self, start: float, end: float, picture: NDArray[np.float32]) -> Span:
        """Extend a run of equal pictures frame by frame until the picture changes."""
        return Span(self._backward(start, picture), self._forward(end, picture))

    def _backward(self, seconds: float, picture: NDArray[np.float32]) -> float:
        stride = self.moments[1] - self.moments[0] if len(self.moments) > 1 else seconds + 1
        start = float(self.source.frame_times(seconds, np.nextafter(seconds, np.inf))[0])
        while start > 0:
            low = max(0.0, start - stride)
            times = self.source.frame_times(low, start)
            times = times[times < start]
            if not len(times):
                break
            different = np.flatnonzero(~self._same(np.maximum(times, 0.0), picture))
            if len(different) == len(times) or len(different) and different[-1] == len(times) - 1:
                break
            start = float(times[different[-1] + 1] if len(different) else times[0])
            if len(different):
                break
        return max(0.0, start)

    def _forward(self, seconds: float, picture: NDArray[np.float32]) -> float:
        duration = self.source.duration_seconds
        stride = self.moments[1] - self.moments[0] if len(self.moments) > 1 else duration
        end = seconds
        while end < duration:
            high = min(duration, end + stride)
            times = self.source.frame_times(end, high)
            times = times[times > end]
            different = np.flatnonzero(~self._same(times, picture)) if len(times) else []
            if len(different):
                return float(times[different[0]])
            end = high
        return duration


def distances(thumbnails: NDArray[np.float32], picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Root mean square difference of each thumbnail to one, in [0, 1], shape (n,)."""
    return np.sqrt(np.mean((thumbnails - picture) ** 2, axis=1))


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of each run of true flags."""
    padded = np.concatenate([[False], flags, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


_INDICES: OrderedDict[str, PictureIndex] = OrderedDict()
"""By fingerprint, least recently used first, and without a source: readers are not shared."""
_LOCK = threading.Lock()


def picture_index(source: VideoSource) -> PictureIndex:
    """Return the index of a video, which reads through `source` alone.

    The thumbnails of the last 64 videos are kept for the process. Threads take turns, so that each
    video is read once.
    """
    key = source.fingerprint()
    with _LOCK:
        if key not in _INDICES:
            _INDICES[key] = _bound(PictureIndex(source), None)
        _INDICES.move_to_end(key)
        while len(_INDICES) > 64:
            _INDICES.popitem(last=False)
        return _bound(_INDICES[key], source)


def _bound(index: PictureIndex, source: VideoSource | None) -> PictureIndex:
    """Copy an index, with the same thumbnails, for another source of the same video."""
    mine = copy.copy(index)
    mine.source = source
    return mine
