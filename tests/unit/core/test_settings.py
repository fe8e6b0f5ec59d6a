from pathlib import Path

import pytest
from pydantic import ValidationError

from dpdash.core.cores import num_cores
from dpdash.core.errors import DpdashError
from dpdash.core.settings import MINIMUM_GRACE_SECONDS, ServerSettings, read_settings


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
        ("max_runs_per_browser", "2", 2),
        ("max_samples", "5000", 5000),
        ("max_epochs", "70", 70),
        ("max_pages", "40", 40),
        ("keep_runs", "100", 100),
        ("keep_megabytes", "500", 500),
        ("allowed_hosts", "lab.example, lab ,", ("lab.example", "lab")),
        ("allowed_hosts", "https://Lab.example:8501/lab", ("lab.example",)),
        ("allowed_hosts", "Bücher.example., [::1]:80", ("xn--bcher-kva.example", "::1")),
        ("allowed_hosts", "", ()),
        (
            "frame_ancestors",
            "https://Lab.example/, http://localhost:8000",
            ("https://lab.example", "http://localhost:8000"),
        ),
        ("frame_ancestors", "https://bücher.example", ("https://xn--bcher-kva.example",)),
        ("frame_ancestors", "https://[::1]:80", ("https://[::1]:80",)),
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
        ("max_samples", "0"),
        ("max_pages", "-1"),
        ("keep_runs", "0"),
        ("keep_megabytes", "-5"),
        ("allowed_hosts", "lab.example,*.lab.example"),
        ("allowed_hosts", "https://"),
        ("frame_ancestors", "*"),
        ("frame_ancestors", "lab.example"),
        ("frame_ancestors", "https://*.lab.example"),
        ("frame_ancestors", "https://lab.example/page"),
        ("frame_ancestors", "https://lab.example; script-src *"),
        ("frame_ancestors", "https://lab.example 'none'"),
        ("teacher_passphrase", "seven77"),
    ],
)
def test_values_out_of_bounds_are_refused(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"DPDASH_{name.upper()}", text)
    with pytest.raises(ValidationError, match=name):
        ServerSettings()


def test_without_a_home_folder_the_database_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    for name in ("HOME", "XDG_DATA_HOME", "DPDASH_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DpdashError, match="DPDASH_DATABASE_URL must be set"):
        read_settings()
    monkeypatch.setenv("DPDASH_DATABASE_URL", "sqlite:///there.db")
    assert read_settings().database_url == "sqlite:///there.db"


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in ServerSettings.model_fields.items() if not field.description] == []


def test_the_passphrase_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPDASH_TEACHER_PASSPHRASE", "correct horse")
    settings = ServerSettings()
    assert "correct" not in repr(settings)
    assert settings.teacher_passphrase is not None
    assert settings.teacher_passphrase.get_secret_value() == "correct horse"


def test_what_is_not_allowed_is_a_sentence_each_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPDASH_TEACHER_PASSPHRASE", "seven77")
    monkeypatch.setenv("DPDASH_PACED_SLOTS", "many")
    with pytest.raises(DpdashError) as caught:
        read_settings({"max_samples": "0"})
    said = str(caught.value)
    assert "DPDASH_TEACHER_PASSPHRASE: A passphrase needs 8 characters or more." in said
    assert "DPDASH_PACED_SLOTS: Input should be a valid integer" in said
    assert "Received: many." in said
    assert "--max-samples: Input should be greater than or equal to 1. Received: 0." in said
    with pytest.raises(ValidationError) as raw:
        ServerSettings()
    for text in (said, str(raw.value)):
        assert "seven77" not in text


def test_an_option_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPDASH_MAX_EPOCHS", "70")
    assert read_settings().max_epochs == 70
    assert read_settings({"max_epochs": "80"}).max_epochs == 80
