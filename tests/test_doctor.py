"""The doctor tells sound files from damaged ones, and says what to do; no file stops it."""

from __future__ import annotations

import json
import shlex

import av
import numpy as np
import pytest
from helpers import VIDEOS, data_folder, encode, irregular_times, remux, with_late_sound

from videoatlas_gym import doctor
from videoatlas_gym._scan import NUM_MOMENTS
from videoatlas_gym.cli import main
from videoatlas_gym.doctor import described, examine
from videoatlas_gym.video import VideoReader


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("doctor")


@pytest.fixture(scope="module")
def sound(folder):
    """Ten seconds with nothing wrong, its index before its pictures."""
    return encode(
        folder / "sound.mp4",
        count=250,
        group_of_pictures=25,
        container_options={"movflags": "faststart"},
    )


def changed(source, target, change):
    """Copy a file with its bytes changed by a function of a mutable array."""
    data = np.fromfile(source, np.uint8)
    target.write_bytes(change(data).tobytes())
    return target


def scribble(data):
    """Overwrite some bytes in the middle."""
    first, count = len(data) // 2, 400
    data[first : first + count] = np.random.default_rng(0).integers(0, 256, count)
    return data


def write_sound_only(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44_100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 44_100, 0
        container.mux(stream.encode(frame) + stream.encode(None))
    return path


@pytest.mark.parametrize(
    "name",
    [
        "constant rate",
        "NTSC rate",
        "variable rate",
        "variable rate mkv",
        "open groups",
        "late start",
        "edit list",
        "transport stream",
        "webm vp9",
        "hevc",
        "avi mpeg4",
        "fragmented",
        "single frame",
    ],
)
def test_sound_files_are_ok_and_random_access_agrees(folder, name):
    report = examine(VIDEOS[name](folder))
    assert (report.verdict, report.reasons, report.advice) == ("ok", [], "")
    assert report.scan.agreed == NUM_MOMENTS and not report.refused.count
    assert report.scan.frames == {"single frame": 1, "edit list": 107}.get(name, 120)


def test_the_facts_of_a_file_are_told(sound):
    text = described(examine(sound))
    assert "h264 yuv420p in mov,mp4" in text and "160x96" in text
    assert "10.000 s (header: 10.000 s), 250 frames, constant rate, 25 per second" in text
    assert "key frames 10, at most 25 frames from one to the next" in text
    assert f"by seeking; {NUM_MOMENTS} moments show what a decode from the start shows" in text


def test_a_variable_rate_is_told_with_its_figures(folder):
    path = encode(folder / "irregular.mp4", count=40, times_seconds=irregular_times(40))
    report = examine(path)
    text = described(report)
    assert report.verdict == "ok"
    assert "40 frames of " in text and "to 3000 ms, variable rate" in text


def test_turned_pictures_and_pixel_shapes_are_told(folder):
    path = encode(folder / "turned.mp4", count=5, rotation_degrees=90, sample_aspect_ratio=2)
    assert "160x96 -> 96x320 (turned by 270 degrees, pixel aspect 2)" in described(examine(path))


def test_a_file_that_was_cut_off_is_usable_up_to_there(folder, sound):
    path = changed(sound, folder / "cut.mp4", lambda data: data[: len(data) * 6 // 10])
    report = examine(path)
    assert report.verdict == "usable"
    assert "it is cut off: " in report.reasons[0] and "of 250 frames are there" in report.reasons[0]
    assert "copy or download it again" in report.advice


def test_damage_is_told_with_its_time_and_a_remedy(folder, sound):
    path = changed(sound, folder / "it's damaged; rm -rf.mp4", scribble)
    report = examine(path)
    assert report.verdict == "usable"
    reasons = "; ".join(report.reasons)
    assert "not decodable (at 4." in reasons or "damaged (at 4." in reasons or "(at 5." in reasons
    words = shlex.split(report.advice)
    assert words[0] == "ffmpeg" and words[words.index("-i") + 1] == str(path)
    assert words[-1] == str(path.with_name("it's damaged; rm -rf.mended.mkv"))


def test_missing_pictures_of_an_even_rate_are_told(folder, sound):
    path = remux(
        encode(folder / "whole.mkv", b_frames=0, group_of_pictures=10),
        folder / "holes.mkv",
        lambda packet: not 1.35 < float(packet.pts * packet.time_base) < 1.5,
    )
    report = examine(path)
    assert report.verdict == "usable"
    assert "pictures missing in 1 place (at 1.32 s)" in report.reasons


def test_a_track_that_begins_midway_is_no_damage(folder):
    source = encode(folder / "silent.flv", count=240)
    report = examine(with_late_sound(source, folder / "late.flv"))
    assert (report.verdict, report.scan.packets) == ("ok", 240)


def test_a_wrong_length_in_the_header_is_told(folder):
    path = encode(folder / "right.webm", count=50, codec="libvpx")
    data = path.read_bytes()
    place = data.index(b"\x44\x89\x88") + 3  # the element "Duration", eight bytes long
    path.write_bytes(data[:place] + np.array(3_600_000, ">f8").tobytes() + data[place + 8 :])
    report = examine(path)
    assert report.verdict == "usable"
    sentence = "its last picture ends at 2.000 s, though its header says 3600.000 s"
    assert report.reasons == [sentence]
    assert f"ffmpeg -i {path} -c copy " in report.advice


def test_a_file_without_time_stamps_is_usable_but_slow(folder):
    path = encode(folder / "raw.h264", container_format="h264")
    report = examine(path)
    assert report.verdict == "usable"
    assert "every jump decodes from the start, which is slow" in report.reasons[0]
    assert report.scan.agreed == NUM_MOMENTS
    assert "by guess (no time stamps)" in described(report)


def test_key_frames_far_apart_are_told(folder, monkeypatch):
    monkeypatch.setattr(doctor, "LONG_GROUP", 100)
    report = examine(VIDEOS["one group"](folder))
    assert "up to 300 frames from one key frame to the next" in report.reasons[0]


def test_random_access_that_shows_something_else_is_not_usable(sound, monkeypatch):
    class Forgetful(VideoReader):
        def frame_at(self, seconds):
            return super().frame_at(max(0.0, seconds - 0.05))

    monkeypatch.setattr(doctor, "VideoReader", Forgetful)
    report = examine(sound)
    assert report.verdict == "not usable"
    assert "random access and playing from the start show different" in report.reasons[0]


UNUSABLE = {
    "empty": (lambda path, _: path.touch(), "the file is empty"),
    "text": (lambda path, _: path.write_text("no video\n"), "it is a text file, beginning with"),
    "noise": (lambda path, _: path.write_bytes(bytes(range(256)) * 9), "Invalid data found"),
    "audio": (lambda path, _: write_sound_only(path), "no video stream (found: audio/aac)"),
    "no index": (
        lambda path, folder: changed(
            encode(folder / "whole.mp4"), path, lambda data: data[: len(data) // 2]
        ),
        "its index (moov) is missing",
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_opened_is_not_usable_with_the_cause(folder, name):
    make, cause = UNUSABLE[name]
    path = folder / f"bad {name}.mp4"
    make(path, folder)
    report = examine(path)
    assert report.verdict == "not usable"
    assert cause in report.reasons[0] and report.advice


def test_a_file_that_breaks_the_check_itself_still_gets_a_verdict(sound, monkeypatch):
    def broken(*_):
        raise RuntimeError("unheard of")

    monkeypatch.setattr(doctor, "fetch_moments", broken)
    report = examine(sound)
    assert report.verdict == "not usable"
    assert "failed with RuntimeError: unheard of" in report.reasons[0]


def test_fast_decodes_only_some_moments(sound, monkeypatch):
    monkeypatch.setattr(doctor, "scan_file", None)
    report = examine(sound, fast=True)
    assert report.verdict == "ok" and report.scan is None
    assert "not compared with a decode of the whole file" in described(report)


def test_a_folder_is_looked_at_file_by_file_and_the_worst_decides(folder, sound, tmp_path, capsys):
    (tmp_path / "a.mp4").write_bytes(sound.read_bytes())
    assert main(["doctor", str(tmp_path), "--fast"]) == 0
    (tmp_path / "b.mp4").touch()
    assert main(["doctor", str(tmp_path / "*.mp4"), "--fast"]) == 1
    output = capsys.readouterr().out
    assert f"{tmp_path / 'a.mp4'}: ok" in output
    assert f"{tmp_path / 'b.mp4'}: not usable: the file is empty" in output


def test_json_gives_one_object_per_file(sound, tmp_path, capsys):
    (tmp_path / "empty.mp4").touch()
    assert main(["doctor", str(sound), str(tmp_path / "empty.mp4"), "--json"]) == 1
    good, bad = map(json.loads, capsys.readouterr().out.splitlines())
    assert (good["path"], good["verdict"]) == (str(sound), "ok")
    assert good["facts"]["duration_seconds"] == 10 and good["scan"]["frames"] == 250
    assert good["scan"]["errors"] == {"count": 0, "first_seconds": []}
    assert bad["verdict"] == "not usable" and bad["scan"] is None and bad["schema_version"] == 1


def test_a_missing_file_or_a_wrong_flag_is_a_mistake(tmp_path, capsys):
    assert main(["doctor", str(tmp_path / "none.mp4")]) == 2
    assert "videoatlas doctor: no video found at" in capsys.readouterr().err
    assert main(["doctor"]) == 2
    assert "required: VIDEO" in capsys.readouterr().err


EXPECTED = {
    "audio_only.mp4": ("not usable", "no video stream"),
    "decord_corrupted.mp4": ("usable", "not decodable"),
    "decord_unordered.mov": ("ok", ""),
    "firstpts_10s.mp4": ("ok", ""),
    "made_audio_with_cover.m4a": ("not usable", "no video stream"),
    "made_bad_utf8_title.mp4": ("ok", ""),
    "made_corrupt_middle.mp4": ("usable", "moments cannot be shown"),
    "made_interlaced.mpg": ("usable", "every jump decodes from the start"),
    "made_live_no_cues.webm": ("ok", ""),
    "made_nom é中 %20#1 (a) 'q'.mp4": ("ok", ""),
    "made_raw.h264": ("usable", "it stores no time stamps"),
    "made_single_frame.mp4": ("ok", ""),
    "made_text_as.mp4": ("not usable", "it is a text file"),
    "made_truncated_faststart.mp4": ("usable", "it is cut off: 126 of 250 frames"),
    "made_truncated_no_moov.mp4": ("not usable", "its index (moov) is missing"),
    "made_ts_discontinuity.ts": ("usable", "time stamps jump"),
    "made_ts_packet_loss.ts": ("usable", "pictures missing"),
    "made_vfr.mp4": ("ok", ""),
    "made_wrong_duration.webm": ("usable", "though its header says 3600.000 s"),
    "made_zero_bytes.mp4": ("not usable", "the file is empty"),
    "no_timescale.mp4": ("not usable", "most of it cannot be shown"),
    "vp9_invalid_bug_1416.webm": ("not usable", "12336x12336 pixels"),
}


@pytest.mark.data
@pytest.mark.parametrize("name", EXPECTED)
def test_verdicts_of_nasty_files_agree_with_what_is_known_of_them(name):
    verdict, reason = EXPECTED[name]
    report = examine(data_folder() / "nasty" / name)
    assert report.verdict == verdict
    assert reason in "; ".join(report.reasons)
    assert bool(report.advice) == (verdict != "ok")
