"""What can go wrong, as exceptions whose sentences can be translated.

An error carries a template and its values apart, so that the command line prints the English sentence and a
page prints it in the reader's language. Each sentence gives the rule, the value received and a way out.
"""

from collections.abc import Mapping


def N_(message: str) -> str:  # noqa: N802 (gettext's own name for "extract, translate later")
    """Mark a text for the catalogue; it is translated where it is shown."""
    return message


class DpdashError(Exception):
    """An error whose text is a translatable template plus its values, errors among them."""

    def __init__(self, template: str, **values: object) -> None:
        super().__init__(template, values)
        self.template = template
        self.values: Mapping[str, object] = values

    def __str__(self) -> str:
        written = {
            name: f"{value:g}" if isinstance(value, float) else value for name, value in self.values.items()
        }
        return self.template.format(**written)


class SettingError(DpdashError, ValueError):
    """One setting has a value that its rule does not allow.

    `setting` is the field's name, so that a page can show the error beside the control it belongs to.
    """

    def __init__(self, setting: str, template: str, **values: object) -> None:
        super().__init__(template, setting=setting.replace("_", " "), **values)
        self.setting = setting


class ConfigError(DpdashError, ValueError):
    """One or more settings are not allowed; `problems` has one error for each."""

    def __init__(self, problems: tuple[SettingError, ...]) -> None:
        super().__init__("{problems}", problems=" ".join(str(problem) for problem in problems))
        self.problems = problems


class EngineUnavailableError(DpdashError, ValueError):
    """This machine cannot run the engine that was asked for."""


class UnknownRunError(DpdashError, LookupError):
    """There is no run with this id, neither live nor stored."""


class NotOwnerError(DpdashError, PermissionError):
    """Someone tried to steer a run that another browser started."""


class TooManyRunsError(DpdashError):
    """A browser, or all of them together, have as many runs as they may have at the same time."""


class NotResumableError(DpdashError):
    """A run cannot go on where it ended."""


class FrozenError(DpdashError):
    """New runs are refused until the teacher allows them again."""


class RunFileError(DpdashError, ValueError):
    """A file of runs is not what it must be, or a run cannot be written as one."""


class StoreError(DpdashError):
    """The database cannot be used; training goes on without being saved."""
