"""What a story claims is what its pictures show, at the claimed frames and at no other.

Files are decoded with plain PyAV and read from their pixels by `story_reading`, which imports
nothing of the project: neither our reader nor what drew the pictures takes part, save in the slow
test of ten hours, whose frames are drawn and not decoded. The plan says what is claimed and when.
"""

import io
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import Image
from story_reading import read_thing

from videoatlas_gym.story import DIFFICULTIES, Difficulty, StoryWorld, write_story
from videoatlas_gym.story.needles import Stretch
from videoatlas_gym.story.source import draw_frame

SHORT = (
    StoryWorld(11, 180, needle_kinds=("visible", "hidden")),
    StoryWorld(12, 120, Difficulty((0.3, 4.0), 3.0, height=(0.28, 0.5)), 5, ("hidden",)),
)


def decoded(path):
    """All frames of a file in order of display, with their times in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            yield float(frame.pts * stream.time_base), frame.to_ndarray(format="rgb24")


def shrunk(rgb):
    """The picture at 80 % of its size, stored as JPEG of quality 80."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).resize((384, 216)).save(buffer, "JPEG", quality=80)
    return np.asarray(Image.open(buffer).convert("RGB"))


def moments_of(stretch, random):
    """The first, the middle and the last frame of a stretch and two others of it."""
    middle = (stretch.first + stretch.stop - 1) // 2
    others = random.integers(stretch.first, stretch.stop, 2).tolist()
    return {stretch.first, middle, stretch.stop - 1, *others}


def hint_frames(world):
    """The first and the last frame of every hint, in order, by the needle's index."""
    hints = [[stretch for stretch, _ in needle.hints] for needle in world.needles]
    return [[(stretch.first, stretch.stop - 1) for stretch in own] for own in hints]


def claims(world, every=1, events=None):
    """What a world claims about frames: (colour, shape, digits) or None for nothing, by frame.

    Frames inside every event and needle, those just before and just after them and their hints,
    and one of every shot on which there is nothing. What hints show is another claim.

    Args:
        world: Which world.
        every: Take every so many of the events and shots only.
        events: What else than its own events it is said to show.
    """
    random = np.random.default_rng(world.number)
    events = world.events if events is None else events
    looks = [(event.stretch, (event.colour, event.shape, event.digits)) for event in events]
    looks = [*looks[::every], *((needle.stretch, needle.look[1:]) for needle in world.needles)]
    shown = {frame: look for own, look in looks for frame in moments_of(own, random)}
    busy = np.zeros(world.num_frames, bool)
    hinted = [own for needle in world.needles for own in needle.stretches]
    for own in (*hinted, *(event.stretch for event in events)):
        busy[own.first : own.stop] = True
    edges = {frame for own, _ in looks for frame in (own.first - 1, own.stop)}
    edges |= {frame for own in hinted for frame in (own.first - 1, own.stop)}
    shots = [shot.stretch for scene in world.scenes for shot in world.shots(scene)][::every]
    for shot in shots:
        free = shot.first + np.flatnonzero(~busy[shot.first : shot.stop])
        edges |= set(random.permutation(free)[:1].tolist())
    quiet = {frame for frame in edges if 0 <= frame < world.num_frames and not busy[frame]}
    return shown | dict.fromkeys(quiet)


def frames_to_check(world, every=1):
    """The frames of a world that something is claimed about."""
    hints = {frame for own in hint_frames(world) for pair in own for frame in pair}
    return set(claims(world, every)) | hints


def assert_shown(frames, claimed, view=np.asarray):
    """Check that each frame shows the claimed object and nothing else."""
    for frame, look in claimed.items():
        seen = read_thing(view(frames[frame]))
        assert seen == ([] if look is None else [look]), (frame, look, seen)


def flat(rgb):
    """The pixels of a thumbnail in a row, their mean 0: fine noise is gone."""
    small = Image.fromarray(rgb).resize((48, 27), Image.Resampling.BOX)
    pixels = np.asarray(small, float).ravel()
    return pixels - pixels.mean()


def assert_hints_show_their_share(world, frames, claimed, view=np.asarray):
    """Check that hints are the needle's own frame mixed with one static, as much as they claim.

    How much of the needle is in a hint is the slope of one on the other, as far as static is
    unlike the needle, which it is by chance within some 0.1. Two hints of one static say more:
    the clearer is the fainter with a certain part replaced by the needle. Quiet frames (the first
    100 of the claims are taken) show none of it.
    """
    for needle, pairs in zip(world.needles, hint_frames(world), strict=True):
        whole = flat(view(frames[needle.stretch.first]))
        quiet = [frame for frame, look in claimed.items() if look is None][:100]
        assert max(abs(np.corrcoef(whole, flat(view(frames[f])))[0, 1]) for f in quiet) < 0.6
        hints, last = [], -1.0
        for ends, (_, share) in zip(pairs, needle.hints, strict=True):
            for rgb in (view(frames[frame]) for frame in ends):
                likeness = np.corrcoef(whole, flat(rgb))[0, 1]
                assert whole @ flat(rgb) / (whole @ whole) == pytest.approx(share, abs=0.15)
                assert likeness > last
            last = likeness
            hints.append((share, flat(rgb)))
        for (less, faint), (more, clear) in pairwise(hints):
            parts = np.linalg.lstsq(np.stack([whole, faint], 1), clear, rcond=None)[0]
            expected = [(more - less) / (1 - less), (1 - more) / (1 - less)]
            assert parts.tolist() == pytest.approx(expected, abs=0.05)


@pytest.fixture(scope="module", params=SHORT, ids=["medium", "many short events at 5 fps"])
def rendered(request, tmp_path_factory):
    """A world and those frames of its file that it makes claims about, by their number."""
    world = request.param
    path = write_story(tmp_path_factory.mktemp("story") / "world.mp4", world)
    wanted, frames, count = frames_to_check(world), {}, 0
    for index, (seconds, rgb) in enumerate(decoded(path)):
        assert seconds == pytest.approx(index / world.frames_per_second, abs=1e-6)
        count += 1
        if index in wanted:
            frames[index] = rgb
    assert count == world.num_frames
    return world, frames


@pytest.mark.parametrize("view", [np.asarray, shrunk], ids=["whole", "shrunk"])
def test_events_and_needles_are_read_at_their_frames_and_nothing_anywhere_else(rendered, view):
    world, frames = rendered
    claimed = claims(world)
    assert len(world.events) >= 6 and world.needles
    assert list(claimed.values()).count(None) > 15
    assert_shown(frames, claimed, view)


@pytest.mark.parametrize("view", [np.asarray, shrunk], ids=["whole", "shrunk"])
def test_hints_show_the_share_of_the_needle_that_they_claim(rendered, view):
    world, frames = rendered
    assert_hints_show_their_share(world, frames, claims(world), view)


def test_one_of_the_worlds_has_hints_of_different_shares():
    assert len({share for needle in SHORT[0].needles for _, share in needle.hints}) >= 2


def test_the_check_notices_a_fact_that_is_a_frame_off(rendered):
    world, frames = rendered
    event = world.events[1]
    for step in (-1, 1):
        off = Stretch(event.stretch.first + step, event.stretch.stop + step)
        moved = type(event)(**(vars(event) | {"stretch": off}))
        claimed = claims(world, events=[moved])
        with pytest.raises(AssertionError):
            assert_shown(frames, {frame: claimed[frame] for frame in claimed.keys() & frames})


@pytest.mark.slow
def test_an_hour_in_a_file_shows_what_it_claims(tmp_path):
    world = StoryWorld(21, 3600, needle_kinds=("visible", "hidden"))
    path = write_story(tmp_path / "hour.mp4", world)
    wanted = frames_to_check(world, 4)
    frames = {i: rgb for i, (_, rgb) in enumerate(decoded(path)) if i in wanted}
    for view in (np.asarray, shrunk):
        assert_shown(frames, claims(world, 4), view)
        assert_hints_show_their_share(world, frames, claims(world, 4), view)


class Drawn(dict):
    """Frames of a world, drawn when they are asked for."""

    def __init__(self, world):
        self.world = world

    def __missing__(self, index):
        return np.asarray(draw_frame(self.world, index))


@pytest.mark.slow
@pytest.mark.parametrize("level", ["easy", "hard"])
def test_ten_hours_show_what_they_claim(level):
    world = StoryWorld(31, 36000, DIFFICULTIES[level], needle_kinds=("visible", "hidden"))
    claimed = claims(world, 25)
    for view in (np.asarray, shrunk):
        assert_shown(Drawn(world), claimed, view)
        assert_hints_show_their_share(world, Drawn(world), claimed, view)
