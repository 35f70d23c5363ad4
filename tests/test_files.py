"""Files are written whole or not at all; what stops half-way leaves what was there before."""

import os
from contextlib import suppress

import pytest

from videoatlas_gym import files
from videoatlas_gym.files import partial_of, replacing, write_atomically, write_synced


class Stopped(Exception):
    """Stands for whatever ends a program while it writes."""


@pytest.fixture
def path(tmp_path):
    """A file with something in it, alone in its folder."""
    path = tmp_path / "some film.mp4"
    path.write_text("old")
    return path


def names_beside(path):
    return sorted(other.name for other in path.parent.iterdir())


def test_a_file_is_replaced_when_all_of_it_was_written(path):
    with replacing(path) as partial:
        partial.write_text("ne")
        assert path.read_text() == "old"
        partial.write_text("new")
    assert path.read_text() == "new" and names_beside(path) == [path.name]


@pytest.mark.parametrize("error", [Stopped, OSError, KeyboardInterrupt])
def test_whoever_stops_half_way_leaves_the_old_file_and_nothing_beside_it(path, error):
    with pytest.raises(error), replacing(path) as partial:
        partial.write_text("half of the n")
        raise error
    assert path.read_text() == "old" and names_beside(path) == [path.name]
    with pytest.raises(error), replacing(path.with_name("fresh.txt")) as partial:
        raise error  # before anything was written
    assert names_beside(path) == [path.name]


@pytest.mark.parametrize("manager", [partial_of, replacing])
def test_what_is_being_written_is_hidden_beside_the_file_and_keeps_its_suffix(path, manager):
    with suppress(Stopped), manager(path) as partial, manager(path) as other:
        assert partial != other, "two that write one file do not write into each other's"
        for hidden in (partial, other):
            assert hidden.parent == path.parent and not hidden.exists()
            assert hidden.name.startswith(".") and hidden.suffix == ".mp4"
        raise Stopped


def test_a_partial_file_is_removed_at_the_end_and_replaces_nothing(path):
    with partial_of(str(path)) as partial:
        partial.write_text("new")
    assert path.read_text() == "old" and names_beside(path) == [path.name]


@pytest.mark.parametrize("content", ["Größe\n", "Größe\n".encode()])
def test_what_was_written_at_once_is_there_byte_for_byte(path, content):
    assert write_atomically(str(path), content) == path
    assert path.read_bytes() == "Größe\n".encode()
    fresh = write_atomically(path.with_name("fresh.txt"), content)
    assert fresh.read_bytes() == "Größe\n".encode()
    assert names_beside(path) == ["fresh.txt", path.name]


@pytest.mark.parametrize("stops", ["fsync", "replace"])
def test_writing_at_once_that_is_stopped_leaves_the_old_file(path, monkeypatch, stops):
    def stop(*_):
        raise Stopped

    monkeypatch.setattr(files.os, stops, stop)
    with pytest.raises(Stopped):
        write_atomically(path, "new")
    assert path.read_text() == "old" and names_beside(path) == [path.name]


def test_content_is_on_the_disk_before_it_takes_the_place_of_the_old(path, monkeypatch):
    done = []

    def synced(descriptor):
        done.append(("synced", os.fstat(descriptor).st_size))

    def replaced(new, old, replace=os.replace):
        done.append(("replaced", old.stat().st_size))
        replace(new, old)

    monkeypatch.setattr(files.os, "fsync", synced)
    monkeypatch.setattr(files.os, "replace", replaced)
    write_atomically(path, "newer")
    assert done == [("synced", len("newer")), ("replaced", len("old"))]
    write_synced(path, "in its place")
    assert done[2:] == [("synced", len("in its place"))] and path.read_text() == "in its place"
