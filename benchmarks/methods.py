"""The contenders: ways to get the pictures of a grid, each as its own documentation shows it.

A method opens its video when it is made; its module is imported before, untimed. Nothing but the
contender itself is imported here, so that a measurement's memory is the contender's own. To add one
(tiles from a cache, say): a class and a line in `METHODS`, and in `GROUPS` of
`benchmarks.page` a heading if it belongs to none of those there.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Method(ABC):
    """What a measurement asks of a contender. Only what it does in between is not timed."""

    num_packets: int | None = None
    """Packets decoded for what was prepared last, where that is known."""

    def prepare(self, seconds: Sequence[float], *, is_native: bool) -> None:  # noqa: B027
        """Get ready, untimed, for `tiles`, or for `frame` if `is_native`; most need not."""

    @abstractmethod
    def tiles(self, seconds: Sequence[float]) -> Any:
        """Decode the frames on display at these moments, in the order asked."""

    @abstractmethod
    def frame(self, seconds: float) -> Any:
        """Decode the frame on display at a moment, at native resolution."""

    def pictures(self, delivered: Any) -> Iterable[NDArray[np.uint8]]:
        """Return what `tiles` or `frame` delivered as RGB (height, width, 3), untimed."""
        return delivered


class Engine(Method):
    """This project's reader through its public interface.

    Args:
        path: The video.
        size: Width and height of tiles in pixels.
        num_workers: Threads that decode; passed on if the reader knows of it.
    """

    def __init__(self, path: str, size: tuple[int, int], *, num_workers: int) -> None:
        from videoatlas_gym.video import VideoReader

        options = {"num_workers": num_workers} if has_workers() else {}
        self._reader, self._size = VideoReader(path, **options), size
        # Readers open lazily: asking for the duration opens the file.
        self.duration_seconds = self._reader.duration_seconds

    def tiles(self, seconds: Sequence[float]) -> NDArray[np.uint8]:
        """Decode a grid in one request."""
        return self._reader.tiles_at(seconds, *self._size)

    def frame(self, seconds: float) -> list[NDArray[np.uint8]]:
        """Decode one frame."""
        return [self._reader.frame_at(seconds).rgb]


class Preview(Engine):
    """The same with key frames in place of the frames at the middles of cells."""

    def tiles(self, seconds: Sequence[float]) -> list[NDArray[np.uint8]]:
        """Decode a key frame for each cell; the exact frame where a cell holds none."""
        from videoatlas_gym.span import Span
        from videoatlas_gym.video.preview import shown_for

        half = (seconds[1] - seconds[0]) / 2
        end = self.duration_seconds
        spans = [Span(max(0.0, moment - half), min(moment + half, end)) for moment in seconds]
        shown = shown_for(self._reader, seconds, spans, self._size, representative="keyframe")
        return [one.frame.rgb for one in shown]


def has_workers() -> bool:
    """Whether this version of the reader can use several threads."""
    from videoatlas_gym.video import VideoReader

    return "num_workers" in inspect.signature(VideoReader).parameters


class NaivePyAV(Method):
    """PyAV as one writes it at first: for each cell seek, decode up to it, scale the picture."""

    def __init__(self, path: str, size: tuple[int, int]) -> None:
        import av

        self._container, self._size = av.open(path), size
        self._stream = self._container.streams.video[0]

    def tiles(self, seconds: Sequence[float]) -> list[NDArray[np.uint8]]:
        """Decode cell by cell."""
        return [np.asarray(self._shown(moment).to_image().resize(self._size)) for moment in seconds]

    def frame(self, seconds: float) -> list[NDArray[np.uint8]]:
        """Decode one frame."""
        return [self._shown(seconds).to_ndarray(format="rgb24")]

    def _shown(self, seconds: float):
        start = self._stream.start_time or 0
        tick = start + int(seconds / self._stream.time_base)
        self._container.seek(tick, stream=self._stream)
        shown = None
        for frame in self._container.decode(self._stream):
            if frame.pts > tick and shown is not None:
                break
            shown = frame
        return shown


class OpenCV(Method):
    """A seek by frame number for each cell, the method of the published VideoAtlas code."""

    def __init__(self, path: str, size: tuple[int, int]) -> None:
        import cv2

        self._cv2, self._size = cv2, size
        self._capture = cv2.VideoCapture(path)
        self._rate = self._capture.get(cv2.CAP_PROP_FPS)

    def tiles(self, seconds: Sequence[float]) -> list[NDArray[np.uint8]]:
        """Decode cell by cell."""
        return [
            self._cv2.cvtColor(
                self._cv2.resize(self._read(moment), self._size), self._cv2.COLOR_BGR2RGB
            )
            for moment in seconds
        ]

    def frame(self, seconds: float) -> list[NDArray[np.uint8]]:
        """Decode one frame."""
        return [self._cv2.cvtColor(self._read(seconds), self._cv2.COLOR_BGR2RGB)]

    def _read(self, seconds: float) -> NDArray[np.uint8]:
        self._capture.set(self._cv2.CAP_PROP_POS_FRAMES, int(seconds * self._rate))
        _, picture = self._capture.read()
        return picture


class Decord(Method):
    """One batch per grid, scaled by the reader; frames at native size come from a second reader."""

    def __init__(self, path: str, size: tuple[int, int]) -> None:
        import decord

        self._path, self._decord = path, decord
        self._reader = decord.VideoReader(path, ctx=decord.cpu(0), width=size[0], height=size[1])
        self._rate = self._reader.get_avg_fps()
        self._native = None

    def prepare(self, seconds: Sequence[float], *, is_native: bool) -> None:
        """Open the second reader, which would take as long as the first."""
        if is_native and self._native is None:
            self._native = self._decord.VideoReader(self._path, ctx=self._decord.cpu(0))

    def tiles(self, seconds: Sequence[float]) -> NDArray[np.uint8]:
        """Decode a grid in one request."""
        return self._reader.get_batch([int(moment * self._rate) for moment in seconds]).asnumpy()

    def frame(self, seconds: float) -> list[NDArray[np.uint8]]:
        """Decode one frame."""
        return [self._native[int(seconds * self._rate)].asnumpy()]


class TorchCodec(Method):
    """One batch per grid, by time.

    Args:
        path: The video.
        size: Width and height of tiles in pixels; used only if `resizes`.
        seek_mode: "approximate" trusts the header, "exact" reads all packets when it opens.
        num_threads: Of FFmpeg's decoder.
        resizes: Scale to tiles, by its own transform. Else pictures stay as they are, which takes
            less time, and is less than was asked for.
    """

    def __init__(
        self,
        path: str,
        size: tuple[int, int],
        *,
        seek_mode: str,
        num_threads: int = 1,
        resizes: bool = False,
    ) -> None:
        from torchcodec.decoders import VideoDecoder
        from torchcodec.transforms import Resize

        decoder = partial(
            VideoDecoder,
            path,
            seek_mode=seek_mode,
            num_ffmpeg_threads=num_threads,
            dimension_order="NHWC",
        )
        self._decoder = decoder(transforms=[Resize(size[::-1])] if resizes else None)
        self._make_native = decoder if resizes else lambda: self._decoder
        self._native = None
        self._start = self._decoder.metadata.begin_stream_seconds

    def prepare(self, seconds: Sequence[float], *, is_native: bool) -> None:
        """Where the first decoder scales, open a second one that does not."""
        if is_native and self._native is None:
            self._native = self._make_native()

    def tiles(self, seconds: Sequence[float]):
        """Decode a grid in one request."""
        return self._decoder.get_frames_played_at([self._start + m for m in seconds]).data

    def frame(self, seconds: float):
        """Decode one frame."""
        return self._native.get_frame_played_at(self._start + seconds).data[None]

    def pictures(self, delivered) -> NDArray[np.uint8]:
        """Return tensors as arrays."""
        return delivered.numpy()


def _floor(path: str, size: tuple[int, int]) -> Method:
    from benchmarks.floor import Floor

    return Floor(path, size)


@dataclass(frozen=True)
class Contender:
    """A row of the race."""

    label: str
    make: Callable[[str, tuple[int, int]], Method]
    modules: tuple[str, ...] = ()
    """What is imported before the clock starts."""
    packages: tuple[str, ...] = ()
    """What to install for it with pip; their versions are kept on record."""
    group: str = "cold"
    """A key of `benchmarks.page.GROUPS`."""
    min_workers: int = 1
    """Threads of this project's reader that the row needs."""


_OURS = {
    "modules": ("videoatlas_gym.video.reader", "videoatlas_gym.video.preview"),
    "packages": ("av",),
}
_TORCH = {"modules": ("torchcodec.decoders",), "packages": ("torchcodec", "torch")}
_approximate = partial(TorchCodec, seek_mode="approximate")

METHODS: dict[str, Contender] = {
    "floor": Contender(
        "floor: decoding alone", _floor, modules=("benchmarks.floor",), packages=("av",)
    ),
    "engine-1": Contender("this engine, 1 worker", partial(Engine, num_workers=1), **_OURS),
    "engine-2": Contender(
        "this engine, 2 workers", partial(Engine, num_workers=2), min_workers=2, **_OURS
    ),
    "pyav": Contender("PyAV, cell by cell", NaivePyAV, modules=("av", "PIL"), packages=("av",)),
    "opencv": Contender(
        "OpenCV, cell by cell", OpenCV, modules=("cv2",), packages=("opencv-python-headless",)
    ),
    "decord": Contender("decord", Decord, modules=("decord",), packages=("decord",)),
    "torchcodec-1": Contender("torchcodec approximate, 1 thread, unscaled", _approximate, **_TORCH),
    "torchcodec-2": Contender(
        "torchcodec approximate, 2 threads, unscaled",
        partial(_approximate, num_threads=2),
        **_TORCH,
    ),
    "torchcodec-resize": Contender(
        "torchcodec approximate, 1 thread, scaled", partial(_approximate, resizes=True), **_TORCH
    ),
    "torchcodec-exact": Contender(
        "torchcodec exact, 1 thread, unscaled", partial(TorchCodec, seek_mode="exact"), **_TORCH
    ),
    "preview": Contender(
        "this engine, 1 worker, key frames",
        partial(Preview, num_workers=1),
        group="preview",
        **_OURS,
    ),
}
"""By name, in the order of the tables."""
