import logging

from dpdash.web.streamlit_internals.refusals import OncePerMinute


def record(text: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord("guard", logging.WARNING, __file__, 1, text, values, None)


def test_a_kind_is_said_once_a_minute() -> None:
    now = 0.0
    once = OncePerMinute(clock=lambda: now)
    assert [once.filter(record("Refused %d", number)) for number in range(4)] == [True, False, False, False]
    assert once.filter(record("Closed"))
    now = 61.0
    last = record("Refused %d", 9)
    assert once.filter(last)
    assert last.getMessage() == "Refused 9 (3 more since the last time)"


def test_a_percent_sign_in_a_value_does_no_harm() -> None:
    now = 0.0
    once = OncePerMinute(clock=lambda: now)
    for moment in (0.0, 1.0, 100.0):
        now = moment
        last = record("Refused %s", "%s%d")
        once.filter(last)
    assert last.getMessage() == "Refused %s%d (1 more since the last time)"
