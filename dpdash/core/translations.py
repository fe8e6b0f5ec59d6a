"""The languages of the page: gettext catalogues and the way each writes its numbers.

The catalogues are read from their `.po` files, so nothing has to be compiled before the first start.
"""

import gettext
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache, cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_scientific

from dpdash.core.config import EngineName, OptimizerName, RunConfig
from dpdash.core.errors import ConfigError, DpdashError, SettingError
from dpdash.core.events import LearningRateChanged
from dpdash.core.learning_rates import moves
from dpdash.core.own_data import OwnData
from dpdash.core.sweep_axis import RANGE_SIGN
from dpdash.core.words import BRIEF, NAMES, NOT_SET

FOLDER: Final = Path(__file__).parent / "locale"
DOMAIN: Final = "dpdash"
ENGLISH: Final = "en"
LANGUAGES: Final[Mapping[str, str]] = {ENGLISH: "English", "pt_BR": "Português (Brasil)"}
PSEUDO: Final = "pseudo"
"""Not a language: brackets every text, so that a test sees what was never handed to gettext."""
SCIENTIFIC_FROM: Final = 1e7
SCIENTIFIC_BELOW: Final = 1e-4
LARGEST_SETTING: Final = 1e15
MOST_SET_DIGITS: Final = 6
"""Significant ones of a number that a person sets; what a search draws from a range has some seventeen."""
USUAL: Final = RunConfig()
HAVE_A_COLUMN: Final = ("engine", "replicas")
"""Settings that stand beside a run's name wherever it does."""
MOST_MOVES: Final = 2
"""Of a learning rate that a name has one by one."""
NUMBER: Final = re.compile(r"[-+]?\d*\.?\d*(e[-+]?\d+)?", re.IGNORECASE)
SUPERSCRIPTS: Final = str.maketrans("-−0123456789", "⁻⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class _PseudoTranslations(gettext.NullTranslations):
    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"


@dataclass(frozen=True)
class Language:
    """One language: its texts and its numbers."""

    code: str
    translations: gettext.NullTranslations
    locale: Locale

    def text(self, message: str) -> str:
        """Translate a text; the English one where there is no translation."""
        # What gettext has under the empty text is the head of its catalogue.
        return self.translations.gettext(message) if message else message

    def sentence(self, template: str, values: Mapping[str, object]) -> str:
        """Translate a template and put its measured values in, three digits each; a decimal has all of its own."""
        written = {name: self._measured(value) for name, value in values.items()}
        return self.text(template).format(**written)

    def _measured(self, value: object) -> str:
        if isinstance(value, Decimal):
            return self.decimal(value)
        if isinstance(value, StrEnum) and type(value) in NAMES:
            return self.name(value)
        return self.number(value) if isinstance(value, int | float) else str(value)

    def error(self, error: DpdashError) -> str:
        """Translate an error; the numbers in it are settings, so every digit of them is written."""
        if isinstance(error, ConfigError):
            return " ".join(map(self.error, error.problems))
        written = {name: self._word(value) for name, value in error.values.items()}
        if isinstance(error, SettingError) and error.setting in RunConfig.model_fields:
            written["setting"] = self.title(error.setting)
            received = written.get("received", "")
            if all(NUMBER.fullmatch(part) for part in received.split(RANGE_SIGN)):
                written["received"] = self.typed(received)
        return self.text(error.template).format(**written)

    def _word(self, value: object) -> str:
        if isinstance(value, DpdashError):
            return self.error(value)
        if isinstance(value, StrEnum) and type(value) in NAMES:
            return self.name(value)
        return self.setting(value) if isinstance(value, int | float) else str(value)

    def title(self, setting: str) -> str:
        """What a setting is called."""
        return self.text(RunConfig.model_fields[setting].title or setting)

    def help(self, setting: str) -> str:
        """What a setting does."""
        return self.text(RunConfig.model_fields[setting].description or "")

    def name(self, choice: StrEnum) -> str:
        """What a choice or a state is called."""
        return self.text(NAMES[type(choice)][choice])

    def value(self, value: object) -> str:
        """A setting's value: a choice by its name, a number as it was set, a longer one in three digits."""
        _ = self.text
        if value is None:
            return _("all")
        if isinstance(value, OwnData):
            return _("{name}, standardised").format(name=value.name) if value.is_standardised else value.name
        if isinstance(value, tuple):
            return ", ".join(map(str, value))
        if isinstance(value, str):
            return self.name(value if isinstance(value, StrEnum) else OptimizerName(value))
        assert isinstance(value, int | float)
        is_set = isinstance(value, int) or float(f"{value:.{MOST_SET_DIGITS}g}") == value
        return self.setting(value) if is_set else self.number(value)

    def named(self, setting: str, value: object) -> str:
        """A setting with its value."""
        return f"{self.title(setting).lower()} {self.value(value)}"

    def value_in(self, config: RunConfig, setting: str) -> str:
        """What a setting is in a config."""
        value = getattr(config, setting)
        if value is None and setting in NOT_SET:
            return self.text(NOT_SET[setting])
        return self.value(value)

    def settings(self, config: RunConfig, wanted: Iterable[str]) -> str:
        """Some settings with their values, in a line."""
        return " · ".join(f"{self.title(setting).lower()} {self.value_in(config, setting)}" for setting in wanted)

    def problem(self, config: RunConfig) -> str:
        """What is learned."""
        _ = self.text
        if config.data is None:
            return _("y = 3x + noise, trained in parallel")
        return _("{name}, trained in parallel").format(name=config.data.name)

    def model(self, depth: int, width: int) -> str:
        """What is trained: a straight line, or so many hidden layers of so many units."""
        _ = self.text
        if not depth:
            return _("a straight line, y = wx + b")
        text = _("1 hidden layer of {width} units") if depth == 1 else _("{depth} hidden layers of {width} units")
        return text.format(depth=self.setting(depth), width=self.setting(width))

    def engine(self, config: RunConfig) -> str:
        """The engine and its replicas; an emulated one says so."""
        name = self.name(config.engine)
        return name if config.engine is EngineName.SINGLE else f"{name} × {self.setting(config.replicas)}"

    def run_name(self, config: RunConfig, changes: Sequence[LearningRateChanged] = ()) -> str:
        """The name that a run has by itself: what is not as usual in its settings, but for engine and replicas."""
        _ = self.text
        usual = USUAL if config.data is None else USUAL.on(config.data)
        told = config.changes_from(usual).keys() | ({"learning_rate"} if moves(config, changes) else set())
        data = "" if config.data is None else self.value(config.data)
        return " · ".join(filter(None, (data, self.in_brief(config, changes, told)))) or _("usual settings")

    def in_brief(self, config: RunConfig, changes: Sequence[LearningRateChanged], wanted: Collection[str]) -> str:
        """Some settings of a run in a few letters each, those first that tell most of it."""
        values = {setting: self.value_of(setting, config, changes) for setting in BRIEF if setting in wanted}
        return " · ".join(self.brief(setting, value) for setting, value in values.items())

    def brief(self, setting: str, value: str) -> str:
        """A setting with its value, as `value` writes it, in a few letters."""
        return self.text(BRIEF[setting]).format(value=value)

    def value_of(
        self, setting: str, config: RunConfig, changes: Sequence[LearningRateChanged], most_moves: int = MOST_MOVES
    ) -> str:
        """A setting of a run; a learning rate with how it was moved, such as *0.01 → 0.5 at 59*.

        Of more than `most_moves` only their number and the last rate are told.
        """
        _ = self.text
        text = self.value_in(config, setting)
        moved = moves(config, changes) if setting == "learning_rate" else ()
        if len(moved) > most_moves:
            text = _("{rates} → … ({number} changes)").format(rates=text, number=self.number(len(moved)))
            return f"{text} → {self.value(moved[-1].learning_rate)}"
        for change in moved:
            text = _("{rates} → {rate} at {epoch}").format(
                rates=text, rate=self.value(change.learning_rate), epoch=self.number(change.epoch)
            )
        return text

    def setting(self, value: float) -> str:
        """Write a number that a person set: all of its digits, and none that it does not have."""
        # Beyond any bound, as a file from elsewhere may have it, Babel gives up.
        return _setting(value, self.locale) if abs(value) < LARGEST_SETTING else self.number(value)

    def number(self, value: float, digits: int = 3) -> str:
        """Write a number: whole ones in full, others with so many significant digits."""
        if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
            return {float("inf"): "∞", float("-inf"): "−∞"}.get(value, "–")
        magnitude = _rounded(abs(value), digits)
        if isinstance(value, int) or value == 0:
            text = self._decimal(int(value), 0)
        elif magnitude >= SCIENTIFIC_FROM or magnitude < SCIENTIFIC_BELOW:
            mantissa, exponent = format_scientific(value, format="0.##E0", locale=self.locale).split("E")
            text = f"{mantissa}×10{exponent.translate(SUPERSCRIPTS)}"
        else:
            text = self._decimal(value, _num_decimals(magnitude, digits))
        return text.replace("-", "−")

    def decimal(self, value: Decimal) -> str:
        """Write a decimal with the decimals that it has, so that what adds up is seen to add up."""
        num_decimals = -int(value.as_tuple().exponent)
        return self._decimal(value, num_decimals).replace("-", "−")

    def values(self, typed: str) -> str:
        """Values as a person types them in this language, written as a program does: `0.01, 0.1` or `0.001..1`.

        Between values stand commas, semicolons or spaces. Where the comma is the decimal sign, one that a digit
        follows belongs to its number, unless the number then had two. What is no number stays as it was typed.
        """
        if RANGE_SIGN in typed:
            return RANGE_SIGN.join(map(self.values, typed.split(RANGE_SIGN)))
        parts = re.split(r"(?:[;\s]|,(?!\d))+" if self.separators[0] == "," else r"[,;\s]+", typed)
        return ", ".join(self._plain(part) for part in parts if part)

    def typed(self, values: str) -> str:
        """Such values as this language writes them: `0,01; 0,1` or `0,001..1`."""
        decimal = self.separators[0]
        if decimal == ".":
            return values
        written = (part.strip().replace(".", decimal) for part in values.split(","))
        return RANGE_SIGN.join("; ".join(written).split(RANGE_SIGN.replace(".", decimal)))

    def _plain(self, typed: str) -> str:
        """A number that was typed, without signs between thousands and with a decimal point."""
        decimal, group = self.separators[0], self.separators[1]
        if decimal == ".":
            return typed
        if typed.count(decimal) > 1:
            return typed.replace(decimal, ", ")
        number = typed
        if re.fullmatch(rf"[1-9]\d{{0,2}}({re.escape(group)}\d{{3}})+({decimal}\d+)?", typed):
            number = number.replace(group, "")
        number = number.replace(decimal, ".")
        return number if NUMBER.fullmatch(number) else typed

    @property
    def tag(self) -> str:
        """What a document in this language says of itself (BCP 47)."""
        tag = str(self.locale).replace("_", "-")
        return f"{tag}-x-pseudo" if self.code == PSEUDO else tag

    @cached_property
    def separators(self) -> str:
        """Decimal and thousands sign, as plotly wants them."""
        symbols = self.locale.number_symbols["latn"]
        return f"{symbols['decimal']}{symbols['group']}"

    @cached_property
    def _signs(self) -> dict[int, int]:
        return str.maketrans(".,", self.separators)

    def _decimal(self, value: float | Decimal, num_decimals: int) -> str:
        """Not by Babel, which takes 40 µs: a refresh writes some fifteen numbers that no page has had before."""
        return f"{value:,.{num_decimals}f}".translate(self._signs)


@lru_cache(maxsize=1024)
def _setting(value: float, locale: Locale) -> str:
    """A slider has its whole scale written in every run of the page: hundreds of the same few numbers."""
    return format_decimal(value, format="#,##0.##########", locale=locale).replace("-", "−")


def _rounded(magnitude: float, digits: int) -> float:
    """Round as the pattern will, so that 99.96 counts as the three whole digits it is shown with."""
    return float(f"{magnitude:.{digits}g}") if magnitude < 10**digits else magnitude


def _num_decimals(magnitude: float, digits: int) -> int:
    """Decimals that make `digits` significant digits: 0.250, 32.1, 1,234."""
    if magnitude >= 1:
        return max(0, digits - len(str(int(magnitude))))
    return digits - 1 - math.floor(math.log10(magnitude))


@cache
def language(code: str) -> Language:
    """Load a language once; English for a code that is not known."""
    if code == PSEUDO:
        return Language(PSEUDO, _PseudoTranslations(), Locale.parse(ENGLISH))
    if code not in LANGUAGES or code == ENGLISH:
        return Language(ENGLISH, gettext.NullTranslations(), Locale.parse(ENGLISH))
    path = FOLDER / code / "LC_MESSAGES" / f"{DOMAIN}.po"
    with path.open("rb") as file:
        catalogue = read_po(file, locale=code, domain=DOMAIN)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Language(code, gettext.GNUTranslations(compiled), Locale.parse(code))


def negotiate(wanted: str | None) -> str:
    """Code of the language that fits a browser's tag such as `pt-BR` best; English where none does."""
    try:
        spoken = Locale.parse((wanted or ENGLISH).replace("-", "_")).language
    except (ValueError, UnknownLocaleError):
        return ENGLISH
    return next((code for code in LANGUAGES if code.split("_")[0] == spoken), ENGLISH)
