"""What pydantic finds wrong with values from anywhere, as sentences that can be translated."""

import re
from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from dpdash.core.errors import N_, ConfigError, DpdashError, SettingError

MAX_RECEIVED_LENGTH: Final = 40
SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Half a character: Python puts one where a command line's bytes are no UTF-8, and nothing can write it."""

MISSING: Final = N_("{setting} is missing. {way_out}")

_ERRORS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    MISSING: ("missing",),
    N_("{setting} must be at least {limit}. Received: {received}. {way_out}"): ("greater_than_equal",),
    N_("{setting} must be at most {limit}. Received: {received}. {way_out}"): ("less_than_equal",),
    N_("{setting} must have {limit} or more entries. Received: {received}. {way_out}"): ("too_short",),
    N_("{setting} may have at most {limit} entries. Received: {received}. {way_out}"): ("too_long",),
    N_("{setting} must be one of {choices}. Received: {received}. {way_out}"): ("enum", "literal_error"),
    N_("{setting} must be a number. Received: {received}. {way_out}"): (
        "finite_number",
        "float_parsing",
        "float_type",
    ),
    N_("{setting} must be a whole number. Received: {received}. {way_out}"): (
        "int_from_float",
        "int_parsing",
        "int_parsing_size",
        "int_type",
    ),
    N_("{setting} must be a text. Received: {received}. {way_out}"): ("string_type",),
    N_("{setting} must be true or false. Received: {received}. {way_out}"): ("bool_parsing", "bool_type"),
    N_("{setting} must be a list. Received: {received}. {way_out}"): ("list_type", "tuple_type"),
    N_("{setting} must be an object. Received: {received}. {way_out}"): (
        "dict_type",
        "model_attributes_type",
        "model_type",
    ),
}
_SENTENCES: Final = {kind: sentence for sentence, kinds in _ERRORS_OF.items() for kind in kinds}
_OTHER: Final = N_("{setting} is not as it must be. Received: {received}. {way_out}")


class Settings(BaseModel):
    """Values that are checked as they come in, and never change."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def typed_names(cls) -> tuple[str, ...]:
        """The settings that can be typed."""
        return tuple(cls.model_fields)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Build them from values of any origin, strings included.

        Raises:
            ConfigError: with one sentence for everything that is not allowed.
        """
        try:
            return cls.model_validate(readable(values))
        except ValidationError as error:
            raise ConfigError(
                tuple(problem for detail in error.errors() for problem in cls._problems(detail))
            ) from None

    @classmethod
    def _problems(cls, detail: ErrorDetails) -> tuple[SettingError, ...]:
        if detail["type"] == "value_error":
            # A rule that pydantic does not have, which a validator has told in full.
            told = detail["ctx"]["error"]
            return told.problems if isinstance(told, ConfigError) else (told,)
        setting = str(detail["loc"][0])
        if detail["type"] == "extra_forbidden":
            unknown = N_("There is no setting called {received}. The settings are: {choices}.")
            return (SettingError(setting, unknown, received=shown(setting), choices=", ".join(cls.typed_names())),)
        field = cls.model_fields[setting]
        hint = field.examples[0] if field.examples else field.default
        way_out = DpdashError(N_("Try {hint}."), hint=hint)
        template, values = sentence(detail)
        return (SettingError(setting, template, way_out=way_out, **values),)


def sentence(detail: ErrorDetails) -> tuple[str, dict[str, object]]:
    """A template and its values but for `setting` and `way_out`, which may be templates themselves."""
    context = detail.get("ctx", {})
    received = shown(context.get("actual_length", detail["input"]))
    limit = next((context[name] for name in ("ge", "le", "min_length", "max_length") if name in context), None)
    choices = context.get("expected", "").replace("'", "").replace(" or ", ", ")
    template = _SENTENCES.get(detail["type"], _OTHER)
    return template, {"received": received, "limit": limit, "choices": choices}


def readable(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values, without characters that no text can hold, as a command line or a link may bring them."""
    return {_without_surrogates(name): _without_surrogates(value) for name, value in values.items()}


def _without_surrogates(value: Any) -> Any:
    return SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value


def shown(received: object) -> str:
    """A value that somebody sent, short and on one line whatever it is."""
    # Python writes no decimal number of thousands of digits.
    text = (
        hex(received) if isinstance(received, int) and abs(received) > 10**MAX_RECEIVED_LENGTH else str(received)
    )
    short = text if len(text) <= MAX_RECEIVED_LENGTH else text[: MAX_RECEIVED_LENGTH - 1] + "…"
    return "".join(character if character.isprintable() else "�" for character in short) or '""'
