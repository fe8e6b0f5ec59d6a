import ast
import gettext
import math
import re
import string

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from babel.numbers import parse_decimal
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.config import FIELD_NAMES, EngineName, OptimizerName, RunConfig
from dpdash.core.errors import ConfigError
from dpdash.core.events import LearningRateChanged
from dpdash.core.translations import DOMAIN, ENGLISH, FOLDER, HAVE_A_COLUMN, LANGUAGES, PSEUDO, language, negotiate
from dpdash.core.words import BRIEF, NAMES

ROOT = FOLDER.parents[2]
TRANSLATED = [code for code in LANGUAGES if code != ENGLISH]


def texts_in_the_program() -> set[str]:
    keywords = {"_": None, "N_": None, "gettext": None}
    found: set[str] = set()
    for folder in ("dpdash", "pages"):
        for _file, _line, message, _comments, _context in extract_from_dir(ROOT / folder, keywords=keywords):
            assert isinstance(message, str), "no text of the program has a plural yet"
            found.add(message)
    return found


def test_no_text_stands_in_an_f_string() -> None:
    """Babel does not look into f-strings: such a text would never reach a translator."""
    hidden = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in [*(ROOT / "dpdash").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.JoinedStr)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("_", "N_")
        if any(isinstance(argument, ast.Constant) for argument in call.args)
    ]
    assert hidden == []


def placeholders(text: str) -> set[str | None]:
    if "%{" in text:
        return set(re.findall(r"%\{[^}]*\}", text))
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("code", TRANSLATED)
def test_catalogue_is_complete_and_has_nothing_else(code: str) -> None:
    with (FOLDER / code / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        messages = {message.id: message for message in read_po(file, locale=code) if message.id}
    texts = texts_in_the_program()
    assert texts - set(messages) == set(), "run `make messages` and translate these"
    assert set(messages) - texts == set(), "run `make messages`: nobody uses these"
    assert [text for text, message in messages.items() if not message.string] == []
    assert [text for text, message in messages.items() if message.fuzzy] == []
    differing = [
        text for text, message in messages.items() if placeholders(str(text)) != placeholders(str(message.string))
    ]
    assert differing == [], "the placeholders differ from the original's"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("pt-BR", "pt_BR"),
        ("pt", "pt_BR"),
        ("pt-PT", "pt_BR"),
        ("en-GB", "en"),
        ("de", "en"),
        ("", "en"),
        (None, "en"),
        ("../../etc/passwd", "en"),
        ("x" * 10_000, "en"),
    ],
)
def test_negotiate(wanted: str | None, code: str) -> None:
    assert negotiate(wanted) == code


@pytest.mark.parametrize(
    ("value", "english", "portuguese"),
    [
        (10_000, "10,000", "10.000"),
        (0.25, "0.250", "0,250"),
        (32.1349, "32.1", "32,1"),
        (-0.0061, "−0.00610", "−0,00610"),
        (99.96, "100", "100"),
        (1234.5, "1,234", "1.234"),
        (0.0, "0", "0"),
        (1.5e-6, "1.5×10⁻⁶", "1,5×10⁻⁶"),
        (6.93e37, "6.93×10³⁷", "6,93×10³⁷"),
        (math.nan, "–", "–"),
        (math.inf, "∞", "∞"),
        (-math.inf, "−∞", "−∞"),
    ],
)
def test_measured_numbers(value: float, english: str, portuguese: str) -> None:
    assert language("en").number(value) == english
    assert language("pt_BR").number(value) == portuguese


@given(
    value=st.floats(1e-4, 9.9e6).flatmap(lambda size: st.sampled_from([size, -size])),
    code=st.sampled_from(sorted(LANGUAGES)),
)
def test_numbers_are_written_as_the_locale_writes_them(value: float, code: str) -> None:
    spoken = language(code)
    written = spoken.number(value)
    read = parse_decimal(written.replace("−", "-"), locale=code, strict=True)
    assert float(read) == pytest.approx(value, rel=0.0051)
    assert written == spoken.number(float(read)), "a number that has been read is written in the same way"
    if abs(value) < 1000:
        assert sum(sign.isdigit() for sign in written.lstrip("−0.,")) == 3


@pytest.mark.parametrize(
    ("value", "english", "portuguese"),
    [(0.01, "0.01", "0,01"), (1e-6, "0.000001", "0,000001"), (10_000, "10,000", "10.000"), (0.5, "0.5", "0,5")],
)
def test_settings_are_written_with_all_their_digits(value: float, english: str, portuguese: str) -> None:
    assert language("en").setting(value) == english
    assert language("pt_BR").setting(value) == portuguese


def test_errors_are_translated_with_their_numbers() -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig.parse({"learning_rate": 50})
    problem = caught.value.problems[0]
    assert str(problem) == "learning rate must be at most 10. Received: 50. Try 0.01."
    english, portuguese = language("en").error(problem), language("pt_BR").error(problem)
    assert english == "Learning rate must be at most 10. Received: 50. Try 0.01."
    assert "Taxa de aprendizado" in portuguese
    assert "0,01" in portuguese


def test_separators_for_plotly() -> None:
    assert language("en").separators == ".,"
    assert language("pt_BR").separators == ",."


@pytest.mark.parametrize("code", [*LANGUAGES, PSEUDO])
def test_no_text_stays_none_and_is_not_the_head_of_the_catalogue(code: str) -> None:
    assert language(code).text("") == ""


def test_pseudo_language_brackets_every_text() -> None:
    pseudo = language(PSEUDO)
    assert pseudo.text("Start") == "⟦Start⟧"
    assert isinstance(pseudo.translations, gettext.NullTranslations)


def test_an_unknown_language_is_english() -> None:
    assert language("xx").code == ENGLISH


def test_a_run_is_called_by_what_is_not_as_usual() -> None:
    english, portuguese = language("en"), language("pt_BR")
    assert english.run_name(RunConfig()) == "usual settings"
    config = RunConfig(samples=1000, learning_rate=0.05, optimizer="sgd", engine="cpu_replicas", replicas=4)
    assert english.run_name(config) == "rate 0.05 · SGD · samples 1,000"
    assert portuguese.run_name(RunConfig(noise=0.1)) == "ruído 0,1"


def test_a_learning_rate_that_was_moved_is_part_of_the_name() -> None:
    english, portuguese = language("en"), language("pt_BR")
    first, second, third = (
        LearningRateChanged(epoch, rate) for epoch, rate in ((59, 0.5), (1_080, 0.1), (1_200, 0.2))
    )
    assert english.run_name(RunConfig(), (first,)) == "rate 0.01 → 0.5 at 59"
    assert portuguese.run_name(RunConfig(noise=0.1), (first,)) == "taxa 0,01 → 0,5 na época 59 · ruído 0,1"
    assert english.run_name(RunConfig(), (first, second)) == "rate 0.01 → 0.5 at 59 → 0.1 at 1,080"
    assert english.run_name(RunConfig(), (first, second, third)) == "rate 0.01 → … (3 changes) → 0.2"
    back = LearningRateChanged(59, RunConfig().learning_rate)
    assert english.run_name(RunConfig(), (first, back)) == "usual settings", "moved back before it was used"
    assert {*BRIEF, *HAVE_A_COLUMN} == {*FIELD_NAMES}, "a setting in which two runs differ, and their names do not"


def test_an_emulated_engine_says_so() -> None:
    english = language("en")
    assert english.engine(RunConfig(engine="cpu_replicas", replicas=2)) == "DataParallel, emulated on CPU × 2"
    assert english.engine(RunConfig()) == "one device"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "all"),
        (OptimizerName.ADAM, "Adam"),
        ("sgd_momentum", "SGD with momentum"),
        (10_000, "10,000"),
        (12_345_678, "12,345,678"),
        (0.000001, "0.000001"),
        (0.123456, "0.123456"),
        pytest.param(0.012345678, "0.0123", id="drawn by a search"),
        pytest.param(12345.67, "12,346", id="seven digits"),
    ],
)
def test_a_value_is_written_as_it_was_set(value: object, text: str) -> None:
    assert language("en").value(value) == text


def test_every_setting_and_every_choice_of_one_has_a_name() -> None:
    english = language("en")
    assert all(english.named(name, getattr(RunConfig(), name)) for name in FIELD_NAMES)
    for kind, names in NAMES.items():
        assert set(names) == set(kind), "a name for each"
    assert all(english.help(name) and english.title(name) for name in FIELD_NAMES)


@pytest.mark.parametrize(
    ("code", "typed", "values"),
    [
        ("pt_BR", "0,01, 0,1", "0.01, 0.1"),
        ("pt_BR", "0,01; 0,1", "0.01, 0.1"),
        ("pt_BR", " 0,01  0,1 ", "0.01, 0.1"),
        ("pt_BR", "0.01;0.1", "0.01, 0.1"),
        ("pt_BR", "0,001..1", "0.001..1"),
        ("pt_BR", "0,001 .. 1,5", "0.001..1.5"),
        ("pt_BR", "10,100,1000", "10, 100, 1000"),
        ("pt_BR", "10, 100", "10, 100"),
        ("pt_BR", "1.000; 10.000; 1.234,5", "1000, 10000, 1234.5"),
        ("pt_BR", "0.001", "0.001"),
        ("pt_BR", "1e-3", "1e-3"),
        ("pt_BR", "0,5x", "0,5x"),
        ("en", "0.01, 0.1", "0.01, 0.1"),
        ("en", "10,100 1000;2", "10, 100, 1000, 2"),
        ("en", "0.001 .. 1", "0.001..1"),
        ("en", "", ""),
    ],
)
def test_values_are_read_as_the_language_writes_them(code: str, typed: str, values: str) -> None:
    assert language(code).values(typed) == values


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=5), st.sampled_from(sorted(LANGUAGES)))
def test_what_is_written_is_read_as_it_was(numbers: list[float], code: str) -> None:
    said = language(code)
    values = ", ".join(f"{number:.12g}" for number in numbers)
    assert said.values(said.typed(values)) == values
    span = f"{min(numbers):g}..{max(numbers):g}"
    assert said.values(said.typed(span)) == span


FROM_CODE = {
    *(
        name.value
        for kind in (EngineName, OptimizerName)
        for name in kind
        if name.value not in ("single", "adam", "sgd")
    ),
    *(name for name in FIELD_NAMES if "_" in name),
    "`single`",
    " adam",
    " sgd",
    "layer.",
    ".weight",
}


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != ENGLISH])
def test_no_text_names_a_setting_or_a_choice_as_the_code_does(code: str) -> None:
    """But for what is typed into the search over runs and the options of a command, which read such names."""
    with (FOLDER / code / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        texts = [str(message.string) for message in read_po(file, locale=code) if message.id]
    typed = re.compile(r"learning_rate[>=]0\.01")
    assert [text for text in texts if any(name in text for name in FROM_CODE) and not typed.search(text)] == []


def test_an_error_names_an_engine_as_its_reader_does() -> None:
    with pytest.raises(ConfigError) as raised:
        RunConfig.parse({"replicas": 2, "engine": "single"})
    assert str(raised.value).endswith("with the engine single. Received: 2. Try the engine cpu_replicas.")
    assert language("pt_BR").error(raised.value) == (
        "Réplicas: deve ser 1 com o motor “um dispositivo”. Recebido: 2. "
        "Tente o motor “DataParallel, emulado na CPU”."
    )
