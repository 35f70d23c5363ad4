"""Files that grow, are replaced or vanish while they are read: noticed, said, and read anew."""

from __future__ import annotations

import os
import pickle
from itertools import islice

import gymnasium
import pytest
from helpers import SIZE, encode

import videoatlas_gym  # noqa: F401
from videoatlas_gym.video import VideoChangedError, VideoError, VideoReader
from videoatlas_gym.video._access import Access
from videoatlas_gym.video.synthesis import numbered_frames, read_number, write_video


@pytest.fixture
def path(tmp_path):
    return encode(tmp_path / "video.ts", count=100, group_of_pictures=10)


def other(folder, count=50, name="other.ts"):
    """A video whose frames bear numbers from 500 on."""
    frames = islice(numbered_frames(500 + count, *SIZE), 500, None)
    return write_video(folder / name, frames, group_of_pictures=10)


def numbers(reader, *moments):
    return [read_number(frame.rgb) for frame in reader.frames_at(moments)]


def replaced(path, tmp_path):
    os.replace(other(tmp_path), path)


def written_over(path, tmp_path):
    data = other(tmp_path).read_bytes()
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()


def written_over_longer(path, tmp_path):
    data = other(tmp_path, 150).read_bytes()
    assert len(data) > path.stat().st_size
    with path.open("r+b") as file:
        file.write(data)


def touched_over(path, tmp_path):
    """Other content, the same length and the same time of change but for a nanosecond."""
    before = path.stat()
    data = other(tmp_path).read_bytes()[: before.st_size]
    path.write_bytes(data + bytes(before.st_size - len(data)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


CHANGES = (replaced, written_over, written_over_longer, touched_over)


@pytest.mark.parametrize("change", CHANGES)
def test_another_file_is_noticed_and_then_read(path, tmp_path, change):
    with VideoReader(path) as reader:
        before = reader.fingerprint()
        assert reader.duration_seconds == 4 and numbers(reader, 1) == [25]
        change(path, tmp_path)
        with pytest.raises(VideoChangedError, match=r"video.ts' has changed .*: begin again"):
            reader.frame_at(1)
        assert reader.fingerprint() != before
        assert numbers(reader, 1) == [525] and reader.duration_seconds != 4


@pytest.mark.parametrize("is_closed", [True, False])
def test_looking_at_the_fingerprint_is_enough_to_read_another_file(path, tmp_path, is_closed):
    with VideoReader(path) as reader:
        assert numbers(reader, 1) == [25]
        if is_closed:
            reader.close()
        replaced(path, tmp_path)
        reader.fingerprint()
        assert (reader.duration_seconds, numbers(reader, 1)) == (2, [525])


def test_a_change_under_way_spoils_the_request_it_falls_into(path, tmp_path, monkeypatch):
    reader = VideoReader(path)
    reader.frame_at(0)

    def changed_meanwhile(access, *arguments):
        shown = read(access, *arguments)
        replaced(path, tmp_path)
        return shown

    read = Access.pictures
    monkeypatch.setattr(Access, "pictures", changed_meanwhile)
    with pytest.raises(VideoChangedError):
        reader.frame_at(1)
    monkeypatch.undo()
    assert numbers(reader, 1) == [525]


def test_a_recording_is_read_on_while_it_grows_and_anew_when_asked(tmp_path):
    data = encode(tmp_path / "whole.ts", count=400, group_of_pictures=10).read_bytes()
    path = tmp_path / "growing.ts"
    path.write_bytes(data[: len(data) // 4])
    with VideoReader(path) as reader:
        prints, lengths = [reader.fingerprint()], [reader.duration_seconds]
        for share in (0.4, 0.55, 0.7, 1.0):
            with path.open("ab") as file:
                file.write(data[path.stat().st_size : int(len(data) * share)])
            assert numbers(reader, 1, lengths[-1] - 0.01) == [25, round(lengths[-1] * 25) - 1]
            assert reader.duration_seconds == lengths[-1]
            prints.append(reader.fingerprint())
            lengths.append(reader.duration_seconds)
            assert numbers(reader, lengths[-1] - 0.01) == [round(lengths[-1] * 25) - 1]
    assert len(set(prints)) == len(prints)
    assert lengths == sorted(lengths) and lengths[-1] == 16


def test_closing_a_reader_has_a_grown_file_looked_at_anew(tmp_path):
    data = encode(tmp_path / "whole.ts", count=200, group_of_pictures=10).read_bytes()
    path = tmp_path / "growing.ts"
    path.write_bytes(data[: len(data) // 2])
    with VideoReader(path) as reader:
        before = reader.duration_seconds
        path.write_bytes(data)
        reader.check_unchanged()
        assert reader.duration_seconds == before
        reader.close()
        reader.frame_at(0)
        assert reader.duration_seconds == 8


def test_a_file_that_is_deleted_can_be_read_on_until_it_is_closed(path):
    with VideoReader(path) as reader:
        assert numbers(reader, 0) == [0]
        path.unlink()
        assert numbers(reader, 3, 1) == [75, 25]
        reader.close()
        with pytest.raises(VideoError, match="No such file"):
            reader.frame_at(1)


def test_an_unchanged_file_is_never_said_to_have_changed(path):
    with VideoReader(path) as reader:
        for moment in (3, 0, 1):
            reader.check_unchanged()
            os.utime(path, ns=(1, path.stat().st_mtime_ns))
            os.chmod(path, 0o600)
            assert numbers(reader, moment) == [moment * 25]
        assert numbers(pickle.loads(pickle.dumps(reader)), 1) == [25]


@pytest.mark.parametrize("change", [replaced, written_over])
def test_an_episode_on_a_replaced_file_ends_without_a_score_and_the_next_one_begins(
    path, tmp_path, change
):
    env = gymnasium.make(
        "VideoAtlas-v0", video=str(path), question="?", options=["a", "b"], answer=0, grid_size=2
    )
    _, info = env.reset(seed=0)
    assert env.unwrapped.state.span.end_seconds == 4
    expand = int(info["action_mask"].nonzero()[0][0])
    change(path, tmp_path)
    *_, reward, terminated, truncated, info = env.step(expand)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["infra_error"].startswith("VideoChangedError: ")
    assert "score" not in info
    env.reset(seed=0)
    assert env.unwrapped.state.span.end_seconds == 2
    *_, truncated, info = env.step(expand)
    assert not truncated and "infra_error" not in info
    env.close()
