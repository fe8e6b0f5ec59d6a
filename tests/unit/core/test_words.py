"""When something was, as it is written everywhere."""

from datetime import UTC, timedelta, timezone

from dpdash.core.words import moment


def test_a_moment_is_written_by_the_clock_that_is_asked_for() -> None:
    assert moment(0.9, UTC) == "1970-01-01 00:00:00"
    assert moment(86_399, timezone(timedelta(hours=-3))) == "1970-01-01 20:59:59"
