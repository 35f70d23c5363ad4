"""Frame search: any video gives exactly labelled tasks, the same ones on every machine."""

import numpy as np
import pytest
from drawn import DrawnSource, texture, write_film

from videoatlas_gym import FrameSearchEnv
from videoatlas_gym.render import letterbox
from videoatlas_gym.span import total_seconds
from videoatlas_gym.subtitles import Subtitles
from videoatlas_gym.tasks import (
    FrameSearchTasks,
    degrade,
    find_files,
    find_sources,
    source_subtitles,
)
from videoatlas_gym.video import (
    ConcatSource,
    FrameDecodeError,
    Part,
    VideoOpenError,
    VideoReader,
)
from videoatlas_gym.video.synthesis import numbered_frames, write_video

DRAWN = DrawnSource(100.0)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A file of static shots, and the reader of it."""
    return VideoReader(write_film(tmp_path_factory.mktemp("film") / "shots.mp4"))


def same_task(one, other):
    return (
        one.truth == other.truth
        and one.source.fingerprint() == other.source.fingerprint()
        and np.array_equal(one.goal.rgb, other.goal.rgb)
    )


def test_a_task_is_the_same_for_the_same_seed_and_index_and_another_for_others():
    videos = [DrawnSource(100.0, seed) for seed in range(3)]
    one, twin = (FrameSearchTasks(videos, seed=5) for _ in range(2))
    assert all(same_task(one[i], twin[i]) for i in (3, 0, 10**12))
    other = FrameSearchTasks(videos, seed=6)
    assert not any(same_task(one[i], other[i]) for i in range(5))
    assert not any(same_task(one[i], one[i + 1]) for i in range(5))
    assert {one[i].source.seed for i in range(30)} == {0, 1, 2}
    assert one[4].task_id == "5-4" and other[4].task_id == "6-4"


def test_the_goal_is_a_picture_of_the_truth_and_moments_are_spread_over_the_video():
    source = DrawnSource(100.0)
    tasks = FrameSearchTasks(source, hardness=0.0)
    starts = []
    for index in range(60):
        task = tasks[index]
        (span,) = task.truth
        scene = texture(0, round(span.start_seconds / 4.0))
        assert abs(task.goal.rgb.astype(int) - scene).max() < 7
        starts.append(span.start_seconds)
    assert min(starts) < 10 and max(starts) > 88 and 35 < np.mean(starts) < 61


def test_the_goal_carries_nothing_of_its_place():
    task = FrameSearchTasks(DrawnSource(100.0))[0]
    assert (task.goal.seconds, task.goal.pts) == (0.0, 0)


@pytest.mark.parametrize("share", [0.08, 0.2])
def test_no_picture_is_asked_for_that_is_on_display_for_more_than_the_allowed_share(share, film):
    tasks = FrameSearchTasks(film, max_truth_share=share)
    for index in range(12):
        assert 0 < total_seconds(tasks[index].truth) <= share * film.duration_seconds


@pytest.mark.parametrize("share", [0.02, 0.036])
def test_a_video_whose_pictures_all_stay_too_long_raises_an_error(share):
    source = DrawnSource(100.0)  # each scene takes 4 %
    message = rf"for less than {share:g} of its length \(50 moments tried\)"
    with pytest.raises(ValueError, match=message):
        FrameSearchTasks(source, max_truth_share=share)[0]


def test_a_plain_picture_is_never_asked_for(tmp_path):
    plain = [np.full((72, 128, 3), level, np.uint8) for level in range(10, 250, 12)]
    shots = [frame for i, grey in enumerate(plain) for frame in [grey] * 4 + [texture(0, i)] * 4]
    path = write_video(tmp_path / "plain.mp4", shots, frames_per_second=10)
    tasks = FrameSearchTasks(path, hardness=0.0)
    assert all(tasks[index].goal.rgb.std() > 20 for index in range(12))


def test_a_plain_video_raises_an_error_that_says_what_to_do(tmp_path):
    black = [np.zeros((48, 64, 3), np.uint8)] * 60
    path = write_video(tmp_path / "black.mp4", black, frames_per_second=10)
    with pytest.raises(ValueError, match=r"black\.mp4.*Use other footage or a larger max_truth"):
        FrameSearchTasks(path)[0]


def test_a_video_in_which_nothing_changes_has_nothing_to_be_found(tmp_path):
    path = write_video(tmp_path / "still.mp4", [texture(0, 1)] * 60, frames_per_second=10)
    with pytest.raises(ValueError, match="no picture of .* is on display for less than"):
        FrameSearchTasks(path)[0]


def test_tasks_of_one_footage_form_a_group(film):
    assert FrameSearchTasks(film, max_truth_share=0.5)[0].group == "shots.mp4"
    joined = ConcatSource([Part(film, group="one"), Part(film, group="two")])
    tasks = FrameSearchTasks(joined, max_truth_share=0.5)
    assert {tasks[i].group for i in range(12)} == {"one", "two"}


@pytest.mark.parametrize("option", [{"hardness": 1.1}, {"hardness": -0.1}])
def test_hardness_lies_between_0_and_1(option):
    with pytest.raises(ValueError, match=r"hardness must lie in \[0, 1\], got"):
        FrameSearchTasks(DrawnSource(10.0), **option)


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_the_truth_share_lies_between_0_and_1(share):
    with pytest.raises(ValueError, match=r"max_truth_share must lie in \(0, 1\], got"):
        FrameSearchTasks(DrawnSource(10.0), max_truth_share=share)


PICTURE = np.asarray(next(numbered_frames(1, 640, 360, first_index=12345)))


def test_a_goal_of_hardness_0_is_the_frame_itself():
    assert degrade(PICTURE, 0.0, np.random.default_rng(0)) is PICTURE


@pytest.mark.parametrize("hardness, size", [(0.1, (296, 166)), (0.5, (200, 112)), (1.0, (80, 45))])
def test_a_degraded_goal_has_the_documented_size(hardness, size):
    goal = degrade(PICTURE, hardness, np.random.default_rng(0))
    assert goal.shape == (size[1], size[0], 3) and goal.dtype == np.uint8


def test_a_degraded_goal_is_never_enlarged_nor_stretched():
    small = PICTURE[::8, ::8]
    goal = degrade(small, 0.5, np.random.default_rng(0))
    assert goal.shape == (38, 68, 3)  # the crop, 85 % of each side


def test_a_degraded_goal_is_drawn_from_the_generator_given():
    one, twin, other = (degrade(PICTURE, 0.5, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, twin) and not np.array_equal(one, other)


def test_a_harder_goal_varies_more_in_brightness():
    grey = np.full((90, 160, 3), 100, np.uint8)
    for hardness, reach in ((0.25, 10), (1.0, 40)):
        goals = [degrade(grey, hardness, np.random.default_rng(seed)) for seed in range(60)]
        levels = [goal.mean() for goal in goals]
        assert 100 - reach - 2 <= min(levels) < 100 - 0.8 * reach
        assert 100 + 0.8 * reach < max(levels) <= 100 + reach + 2


def test_a_harder_goal_is_compressed_more():
    weave = np.full((36, 64, 3), 100, np.uint8)
    weave[::2, ::2] = weave[1::2, 1::2] = 112
    kept = [degrade(weave, hardness, np.random.default_rng(0)).std() for hardness in (0.1, 1.0)]
    assert kept[0] > 3 and kept[1] < 1


def distance_from_frame(goal):
    """Return the mean absolute difference of a goal to its frame, both at 80 x 45 pixels."""
    return abs(letterbox(goal, 80, 45).astype(int) - letterbox(PICTURE, 80, 45)).mean()


def test_a_harder_goal_is_farther_from_its_frame_on_average():
    means = []
    for hardness in (0.0, 0.25, 0.5, 0.75, 1.0):
        goals = [degrade(PICTURE, hardness, np.random.default_rng(seed)) for seed in range(40)]
        means.append(np.mean([distance_from_frame(goal) for goal in goals]))
    assert means[0] == 0 and all(np.diff(means) > 0)


def test_files_are_found_by_name_folder_and_pattern(tmp_path):
    for name in ("b.mp4", "a.MKV", "notes.txt", "sub/c.webm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = lambda where: [path.name for path in find_files(where)]  # noqa: E731
    assert names(tmp_path) == ["a.MKV", "b.mp4"]
    assert names(str(tmp_path / "*.mp4")) == ["b.mp4"]
    assert names(str(tmp_path / "**" / "*.webm")) == ["c.webm"]
    assert names(tmp_path / "notes.txt") == ["notes.txt"]


@pytest.mark.parametrize("where", ["", "nothing*.mp4", "missing.mp4"])
def test_it_is_said_where_no_video_was_found_and_what_can_be_given(tmp_path, where):
    with pytest.raises(VideoOpenError, match="no video found at .*Give a file, a folder with"):
        find_files(str(tmp_path / where))


def test_sources_come_from_files_sources_and_sequences_of_both(film, tmp_path):
    drawn = DrawnSource(10.0)
    assert find_sources(drawn) == [drawn]
    assert [type(s) for s in find_sources([film.path, drawn, str(film.path.parent)])] == [
        VideoReader,
        DrawnSource,
        VideoReader,
    ]
    with pytest.raises(VideoOpenError, match="no videos were given"):
        find_sources([])
    with pytest.raises(VideoOpenError, match="no video found"):
        FrameSearchTasks(tmp_path)


def test_moments_that_cannot_be_decoded_are_neither_asked_for_nor_in_the_way(tmp_path):
    class Damaged(VideoReader):
        def frames_at(self, seconds, size=None):
            if any(4.0 <= moment < 6.0 for moment in seconds):
                raise FrameDecodeError("no frame there.")
            return super().frames_at(seconds, size)

    path = write_video(tmp_path / "film.mp4", numbered_frames(250), frames_per_second=25)
    tasks = FrameSearchTasks(Damaged(path), hardness=0.0)
    for index in range(12):
        for span in tasks[index].truth:
            assert span.end_seconds <= 4.0 or span.start_seconds >= 6.0


def still_files(folder, count=2):
    """Write videos that show one picture throughout; return their paths."""
    return [
        write_video(folder / f"still {i}.mp4", [texture(0, i)] * 60, frames_per_second=10)
        for i in range(count)
    ]


def test_a_video_without_a_distinctive_picture_is_passed_over_for_the_others(tmp_path):
    (still,) = still_files(tmp_path, 1)
    tasks = FrameSearchTasks([still, DrawnSource(100.0), DrawnSource(100.0, seed=1)])
    again = FrameSearchTasks([still, DrawnSource(100.0), DrawnSource(100.0, seed=1)])
    assert {tasks[index].source.seed for index in range(12)} == {0, 1}
    assert all(same_task(tasks[index], again[index]) for index in range(12))


def test_it_is_an_error_when_no_video_has_a_distinctive_picture(tmp_path):
    tasks = FrameSearchTasks(still_files(tmp_path))
    with pytest.raises(ValueError, match=r"no picture of 2 videos .*\(50 moments of each tried\)"):
        tasks[0]


@pytest.mark.parametrize("videos", [DRAWN, ConcatSource([Part(DRAWN)])], ids=["one", "timeline"])
def test_the_choice_among_one_video_leaves_the_draws_of_its_tasks_alone(videos):
    tasks = FrameSearchTasks(videos, seed=7)
    starts = [tasks[index].truth[0].start_seconds for index in range(4)]
    assert starts == [60.0, 76.0, 24.0, 96.0]  # recorded before videos could be passed over


WORDS = Subtitles.from_json([{"start": 0.0, "end": 90.0, "text": "hello"}])
TIMELINE = ConcatSource([Part(DRAWN, subtitles=WORDS)])


@pytest.mark.parametrize("option, text", [(None, "hello"), ("auto", "hello"), (False, "")])
def test_tasks_on_a_timeline_have_its_subtitles_unless_turned_off(option, text):
    assert FrameSearchTasks(TIMELINE, subtitles=option)[0].subtitles.text(10, 11) == text
    env = FrameSearchEnv(TIMELINE, subtitles=option, grid_size=2)
    assert text in env.reset()[1]["subtitles"][0] and env.task.subtitles.text(10, 11) == text


def test_tasks_from_files_have_the_subtitles_beside_them_when_asked(film, monkeypatch):
    film.path.with_suffix(".srt").write_text("1\n00:00:01,000 --> 00:00:09,000\nhello\n")
    read, resolve = [], source_subtitles.resolve_subtitles
    monkeypatch.setattr(
        source_subtitles, "resolve_subtitles", lambda *given: read.append(given) or resolve(*given)
    )
    tasks = FrameSearchTasks(film.path, max_truth_share=0.5, subtitles="auto")
    assert {tasks[index].subtitles.text(2, 3) for index in range(4)} == {"hello"}
    assert len(read) == 1, "a file is read once, not with every task"
    assert not len(FrameSearchTasks(film.path, max_truth_share=0.5)[0].subtitles.cues)


def test_subtitles_of_one_video_are_not_taken_for_those_of_all():
    with pytest.raises(ValueError, match="must be None, 'auto' or False, got 'words.srt'"):
        FrameSearchEnv(DRAWN, subtitles="words.srt")
