from dpdash.runs.presence import Presence


def test_a_browser_is_abandoned_after_the_grace_period_and_only_once() -> None:
    presence = Presence(grace_seconds=120)
    presence.opened("ann")
    presence.closed("ann", now=1000)
    assert presence.take_abandoned(now=1119) == ()
    assert presence.take_abandoned(now=1120) == ("ann",)
    assert presence.take_abandoned(now=2000) == ()


def test_coming_back_ends_the_grace_period() -> None:
    presence = Presence(120)
    presence.opened("ann")
    presence.closed("ann", now=1000)
    presence.opened("ann")
    assert presence.take_abandoned(now=9999) == ()


def test_a_second_tab_keeps_a_browser_here() -> None:
    presence = Presence(120)
    presence.opened("ann")
    presence.opened("ann")
    presence.closed("ann", now=1000)
    assert presence.take_abandoned(now=9999) == ()


def test_too_many_closings_do_no_harm() -> None:
    presence = Presence(120)
    presence.opened("ann")
    for now in (1000, 1100, 1119):
        presence.closed("ann", now=now)
    assert presence.take_abandoned(now=1120) == ("ann",)
    presence.opened("ann")
    assert presence.take_abandoned(now=9999) == ()


def test_steering_a_run_begins_the_grace_period_anew() -> None:
    presence = Presence(120)
    presence.opened("ann")
    presence.closed("ann", now=1000)
    presence.seen("ann", now=1100)
    assert presence.take_abandoned(now=1219) == ()
    assert presence.take_abandoned(now=1220) == ("ann",)


def test_whoever_never_opened_a_page_is_not_watched() -> None:
    presence = Presence(120)
    presence.seen("command line", now=0)
    assert presence.take_abandoned(now=9999) == ()


def test_pages_and_the_browsers_that_have_one_are_counted() -> None:
    presence = Presence(120)
    assert (presence.num_pages, presence.num_browsers) == (0, 0)
    for owner in ("ann", "ann", "bob"):
        presence.opened(owner)
    assert (presence.num_pages, presence.num_browsers) == (3, 2)
    presence.closed("ann", now=1000)
    presence.closed("bob", now=1000)
    presence.closed("bob", now=1000)
    assert (presence.num_pages, presence.num_browsers) == (1, 1)
    presence.seen("command line", now=1000)
    assert (presence.num_pages, presence.num_browsers) == (1, 1)
