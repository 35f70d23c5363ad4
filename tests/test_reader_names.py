"""Names of files are names of files, whatever they look like; addresses only where allowed."""

from __future__ import annotations

import functools
import http.server
import os
import pickle
import threading

import pytest
from helpers import encode

from videoatlas_gym.video import VideoOpenError, VideoReader
from videoatlas_gym.video.synthesis import read_number

NAMES = (
    "with spaces  .mp4",
    "naïve 影片 \U0001f3ac.mp4",
    "%03d.mp4",
    "shot%d?.gif*.mp4",
    "[a-z]{1,2}.mp4",
    "-i.mp4",
    "--help.mp4",
    "http:x.mp4",
    "concat:a|b",
    "concat:one.mp4|two.mp4",
    "file:x",
    "subfile,,start,0,end,0,,:x.mp4",
    "data:video.mp4",
    "pipe:0",
    "crypto:x.mp4",
    "cache:x.mp4",
    "new\nline.mp4",
    "quote'\"\\.mp4",
    "#hash?query=1&x.mp4",
    "~.mp4",
    "$HOME.mp4",
    "no suffix",
    " ",
)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("names") / "plain.mp4", count=50).read_bytes()


@pytest.fixture
def server(content, tmp_path):
    """A server on loopback that shows a folder with a video, and keeps what it was asked for."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "video.mp4").write_bytes(content)
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        running.address = f"http://127.0.0.1:{running.server_port}"
        running.asked = asked
        yield running
        running.shutdown()


def number_at(path, seconds, **options):
    with VideoReader(path, **options) as reader:
        return read_number(reader.frame_at(seconds).rgb)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_relative", [True, False])
def test_a_file_of_any_name_is_read(name, is_relative, content, tmp_path, monkeypatch):
    (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    path = name if is_relative else tmp_path / name
    assert number_at(path, 1) == 25
    with VideoReader(path) as reader:
        monkeypatch.chdir("/")
        assert read_number(pickle.loads(pickle.dumps(reader)).frame_at(0.5).rgb) == 12


@pytest.mark.parametrize("name", [*NAMES, "http://127.0.0.1/x.mp4", "nul\0.mp4", ""])
def test_no_name_means_another_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.mp4").touch()
    with pytest.raises(VideoOpenError, match=r"no such file|a directory"):
        VideoReader(name)


def test_a_name_with_a_pattern_does_not_stand_for_numbered_pictures(tmp_path):
    for number in range(3):
        encode(tmp_path / f"{number:03d}.gif", count=1, codec="gif", pixel_format="rgb8")
    pattern = encode(tmp_path / "plain.gif", count=9, codec="gif", pixel_format="rgb8")
    pattern.rename(tmp_path / "%03d.gif")
    with VideoReader(tmp_path / "%03d.gif") as reader:
        assert len(reader.frame_times(0, reader.duration_seconds)) == 9
    (tmp_path / "%03d.gif").unlink()
    with pytest.raises(VideoOpenError, match="no such file"):
        VideoReader(tmp_path / "%03d.gif")


def test_a_name_that_is_no_text_is_read_or_refused(content, tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.mp4")
    with open(path, "wb") as file:
        file.write(content)
    try:
        assert number_at(path, 1) == 25
    except VideoOpenError as error:
        assert "cannot read" in str(error)


def remote_m3u8(address):
    return "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n" + address + "\n#EXT-X-ENDLIST\n"


def remote_ffconcat(address):
    return f"ffconcat version 1.0\nfile '{address}'\n"


def remote_sdp(address):
    port = address.split(":")[2].split("/")[0]
    head = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    return f"{head}m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n"


def remote_mpd(address):
    return f"""<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"
mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">
<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1" width="160"
height="96"><BaseURL>{address}</BaseURL></Representation></AdaptationSet></Period></MPD>"""


@pytest.mark.parametrize("suffix", [".m3u8", ".txt", ".sdp", ".mpd", ".mp4"])
@pytest.mark.parametrize("text", [remote_m3u8, remote_ffconcat, remote_sdp, remote_mpd])
def test_files_that_name_others_do_not_reach_the_network(text, suffix, server, tmp_path):
    path = tmp_path / f"list{suffix}"
    path.write_text(text(f"{server.address}/video.mp4"))
    with VideoReader(path, time_limit_seconds=20) as reader, pytest.raises(VideoOpenError):
        reader.frame_at(0)
    assert server.asked == []


def test_a_list_of_local_files_plays_them(tmp_path):
    encode(tmp_path / "one.ts", count=50)
    path = tmp_path / "list.m3u8"
    path.write_text(remote_m3u8("one.ts"))
    assert number_at(path, 1) == 25


def test_an_address_is_a_file_name_unless_its_protocol_is_allowed(server):
    address = f"{server.address}/video.mp4"
    for allowed in ((), ("https", "tls", "tcp"), ("tcp",)):
        with pytest.raises(VideoOpenError, match="no such file"):
            VideoReader(address, allow_protocols=allowed)
    assert server.asked == []
    assert number_at(address, 1, allow_protocols=("http", "tcp")) == 25
    assert set(server.asked) == {"/video.mp4"}


def test_an_address_is_read_like_a_file(server):
    with VideoReader(f"{server.address}/video.mp4", allow_protocols=("http", "tcp")) as reader:
        assert reader.duration_seconds == 2
        shown = [read_number(frame.rgb) for frame in reader.frames_at([1.5, 0, 1])]
        assert shown == [37, 0, 25]
        reader.check_unchanged()
        again = pickle.loads(pickle.dumps(reader))
        assert again.fingerprint() == reader.fingerprint()
        assert read_number(again.frame_at(1).rgb) == 25


def test_an_address_without_a_video_gives_an_error_that_names_it(server):
    address = f"{server.address}/none.mp4"
    with (
        VideoReader(address, allow_protocols=("http", "tcp")) as reader,
        pytest.raises(VideoOpenError, match=f"{address}.*404"),
    ):
        reader.frame_at(0)


def test_with_addresses_allowed_other_names_are_still_file_names(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a|b", "tcp.mp4", "a http:x"):
        (tmp_path / name).write_bytes(content)
        assert number_at(name, 1, allow_protocols=("http", "tcp")) == 25
