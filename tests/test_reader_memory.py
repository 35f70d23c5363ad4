"""Reading holds a few pictures at a time, however far the next key frame is."""

import os
import subprocess
import sys
from pathlib import Path

from videoatlas_gym.video.synthesis import numbered_frames, write_video

PEAK = """
import sys
from videoatlas_gym.video import VideoReader
reader = VideoReader(sys.argv[1])
reader.frame_at(0.0)
reader.frame_at(float(sys.argv[2]))
# Not ru_maxrss: that begins with the size of the process that started this one.
(peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak.split()[1])
"""


def peak_kilobytes(path: Path, seconds: float) -> int:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-c", PEAK, str(path), str(seconds)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_frame_far_from_its_key_frame_takes_no_more_memory_than_a_near_one(tmp_path):
    frames = numbered_frames(800, 640, 352)
    path = write_video(
        tmp_path / "one.mp4", frames, group_of_pictures=10_000, options={"preset": "ultrafast"}
    )
    assert peak_kilobytes(path, 31.9) < peak_kilobytes(path, 2.0) + 40_000
