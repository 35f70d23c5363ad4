"""Videos as sources of exact frames: reading files, joining them, caching and writing them.

`VideoReader` reads one file, `ConcatSource` joins several on one timeline, `CachedSource` keeps the
pictures of any of them, in memory or in a directory. All are a `VideoSource`. Writing lives in
`videoatlas_gym.video.synthesis`.
"""

from videoatlas_gym.video.cache import TileCache, as_cache
from videoatlas_gym.video.cached import CachedSource
from videoatlas_gym.video.concat import ConcatSource
from videoatlas_gym.video.joining import join_to_duration
from videoatlas_gym.video.part import Part
from videoatlas_gym.video.reader import VideoReader
from videoatlas_gym.video.source import (
    LETTERBOX_RGB,
    Frame,
    FrameDecodeError,
    VideoChangedError,
    VideoError,
    VideoOpenError,
    VideoSource,
)
from videoatlas_gym.video.store import TileStore, TileStoreError, TileStoreWarning

__all__ = [
    "LETTERBOX_RGB",
    "CachedSource",
    "ConcatSource",
    "Frame",
    "FrameDecodeError",
    "Part",
    "TileCache",
    "TileStore",
    "TileStoreError",
    "TileStoreWarning",
    "VideoChangedError",
    "VideoError",
    "VideoOpenError",
    "VideoReader",
    "VideoSource",
    "as_cache",
    "join_to_duration",
]
