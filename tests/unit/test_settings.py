from pathlib import Path

import pytest
from pydantic import ValidationError

from dpdash.settings import MINIMUM_GRACE_SECONDS, ServerSettings, num_cores


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ServerSettings.model_fields:
        monkeypatch.delenv(f"DPDASH_{name.upper()}", raising=False)


def test_usual_settings_ask_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = ServerSettings()
    assert settings.database_url.startswith("sqlite:///")
    assert settings.database_url.endswith("runs.db")
    assert str(tmp_path) in settings.database_url
    assert settings.full_speed_slots == num_cores() >= 1
    assert settings.paced_slots == 64
    assert settings.grace_seconds == MINIMUM_GRACE_SECONDS
    assert settings.language is None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("database_url", "sqlite:///other.db", "sqlite:///other.db"),
        ("full_speed_slots", "3", 3),
        ("paced_slots", "5", 5),
        ("grace_seconds", "600", 600.0),
        ("refresh_seconds", "1.5", 1.5),
        ("language", "pt_BR", "pt_BR"),
    ],
)
def test_environment_sets_each(name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"DPDASH_{name.upper()}", text)
    assert getattr(ServerSettings(), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("full_speed_slots", "0"),
        ("paced_slots", "many"),
        ("grace_seconds", "119"),
        ("refresh_seconds", "0"),
        ("refresh_seconds", "nan"),
    ],
)
def test_values_out_of_bounds_are_refused(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"DPDASH_{name.upper()}", text)
    with pytest.raises(ValidationError, match=name):
        ServerSettings()


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in ServerSettings.model_fields.items() if not field.description] == []
