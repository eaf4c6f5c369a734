"""A log line that cannot be written is lost, counted, and stops nothing."""

import errno
import io

from bridge.runtime.logs import Lossy


class Full(io.StringIO):
    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_lines_are_lost_and_counted() -> None:
    inner = Full()
    stream = Lossy(inner)
    stream.write("one\n")
    inner.full = True
    for _ in range(3):
        assert stream.write("lost\n") == 0
    stream.flush()
    inner.full = False
    stream.write("two\n")
    first, told, last = inner.getvalue().splitlines()
    assert (first, last) == ("one", "two")
    assert '"lines":3' in told
    assert stream.lost == 0
