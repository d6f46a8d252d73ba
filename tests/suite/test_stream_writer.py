"""Lines reach a stream whole and in order, and a stream that takes none delays nobody."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TextIO

import pytest

from suite.stream_writer import StreamWriter
from tests.support.resource_limits import limited

Pipe = tuple[int, TextIO]


def told(lines: int) -> str:
    """What stands for lost lines."""
    return f"perdidas: {lines}"


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """The descriptor that reads and the stream that writes."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        yield reader, stream
    os.close(reader)


def read(reader: int, done: Callable[[str], bool], pause_s: float = 0.0) -> str:
    """What comes from a pipe until `done`, with a pause before each part."""
    content = b""
    while not done(content.decode(errors="ignore")):
        time.sleep(pause_s)
        content += os.read(reader, 20_000)
    return content.decode()


def write(output: StreamWriter, lines: int, first: int = 0) -> None:
    """Write so many lines, each with its number."""
    for number in range(first, first + lines):
        output.write(f"{number}" + "x" * 100)


def numbers(text: str) -> list[int]:
    """The numbers of the lines, each of them whole."""
    return [int(line.removesuffix("x" * 100)) for line in text.splitlines()]


def test_a_slow_reader_gets_all_lines(pipe: Pipe) -> None:
    """Who writes waits for it, so nothing is lost and each writer's lines are in order."""
    reader, stream = pipe
    got: list[str] = []
    reading = threading.Thread(target=lambda: got.append(read(reader, lambda text: text.count("\n") == 6000, 0.01)))
    reading.start()
    with closing(StreamWriter(stream, told)) as output:
        firsts = (100_000, 200_000, 300_000)
        writers = [threading.Thread(target=write, args=(output, 2000, first)) for first in firsts]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    reading.join()
    lines = numbers(got[0])
    assert len(lines) == 6000
    for first in firsts:
        assert [number for number in lines if 0 <= number - first < 100_000] == list(range(first, first + 2000))


def test_a_reader_that_pauses_delays_nobody_and_hears_what_it_missed(pipe: Pipe) -> None:
    """Once the queue is full lines are dropped at once, and the next that is written tells how many."""
    reader, stream = pipe
    with closing(StreamWriter(stream, told)) as output:
        began = time.monotonic()
        write(output, 20_000)
        assert time.monotonic() - began < 3
        before = read(reader, lambda text: text.count("\n") > 1400)
        output.write("de novo")
        after = read(reader, lambda text: text.endswith("de novo\n"))
    *kept, notice, last = (before + after).splitlines()
    assert numbers("\n".join(kept)) == list(range(len(kept)))
    assert len(kept) > 1000
    assert (notice, last) == (told(20_000 - len(kept)), "de novo")


def test_the_end_waits_for_a_late_reader(pipe: Pipe) -> None:
    """A reader that begins after the end has begun gets all lines to the last, and how many were lost."""
    reader, stream = pipe
    output = StreamWriter(stream, told)
    write(output, 3000)
    end = threading.Thread(target=output.close)
    end.start()
    time.sleep(0.5)
    *kept, notice = read(reader, lambda text: "perdidas" in text and text.endswith("\n")).splitlines()
    assert numbers("\n".join(kept)) == list(range(len(kept)))
    assert notice == told(3000 - len(kept))
    end.join()


def test_the_end_does_not_wait_long_for_a_reader_that_never_comes(pipe: Pipe) -> None:
    """The last lines stay unwritten after two seconds."""
    with closing(StreamWriter(pipe[1], told)) as output:
        write(output, 3000)
        began = time.monotonic()
    assert time.monotonic() - began < 3
    os.read(pipe[0], 1 << 20)


def test_a_pipe_that_does_not_block_loses_nothing(pipe: Pipe) -> None:
    """As another program may leave a shared terminal: the line waits for room."""
    reader, stream = pipe
    os.set_blocking(stream.fileno(), False)
    output = StreamWriter(stream, told)
    write(output, 1500)
    assert numbers(read(reader, lambda text: text.count("\n") == 1500)) == list(range(1500))
    output.close()


def test_a_disk_that_was_full_is_written_again(tmp_path: Path) -> None:
    """What it refused is counted in the file, and a line that it cut ends before the next one."""
    path = tmp_path / "suite.out"
    with path.open("w", encoding="utf-8") as stream:
        output = StreamWriter(stream, told)
        output.write("cabe")
        wait_for(lambda: path.stat().st_size == 5)
        with limited("FSIZE", 8):
            output.write("cortada")
            output.write("perdida")
            wait_for(lambda: output._lost == 2)
        output.write("depois")
        output.close()
    assert path.read_text(encoding="utf-8").splitlines() == ["cabe", "cor", told(2), "depois"]


def test_a_closed_stream_ends_only_the_output() -> None:
    """What cannot be written any more is left out in silence."""
    reader, writer = os.pipe()
    os.close(reader)
    closed = io.StringIO()
    closed.close()
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        for each in (stream, closed):
            with closing(StreamWriter(each, told)) as output:
                for _ in range(5000):
                    output.write("ninguém lê")


def wait_for(done: Callable[[], bool]) -> None:
    """Wait until `done`."""
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)
