"""The one base class of all settings: frozen, checked when built, plain when written."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Self

from twinlens.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of every stage's settings; subclasses add fields and override `check`."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _require_type(self, field.name, field.type)
        self.check()

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""

    def require(self, name: str, *, minimum: float, maximum: float) -> None:
        """Raise `SettingsError` unless the field `name` lies in [minimum, maximum]."""
        value = getattr(self, name)
        if not minimum <= value <= maximum:
            raise SettingsError(
                f"{type(self).__name__}.{name} is {value!r}; it must lie between {minimum:g} and {maximum:g}",
                hint=f"give {name} a value in that range",
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as written beside what was made with them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Settings from plain values.

        Raises:
            SettingsError: a name is unknown, or a value cannot work.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise SettingsError(
                f"{cls.__name__} has no setting {', '.join(unknown)}",
                hint=f"known are: {', '.join(sorted(known))}",
            )
        return cls(**{name: _frozen(value) for name, value in values.items()})


def _require_type(settings: Settings, name: str, kind: Any) -> None:
    """Raise `SettingsError` where a plain field holds another type: the text "no" would count as true."""
    value, plain = getattr(settings, name), _PLAIN.get(kind)
    if plain is None or (isinstance(value, plain) and (kind is bool or not isinstance(value, bool))):
        return
    raise SettingsError(
        f"{type(settings).__name__}.{name} is {value!r}; {_WORDS[kind]} is needed",
        hint=f"give {name} as {_WORDS[kind]}",
    )


_PLAIN: Mapping[Any, type] = {bool: bool, int: Integral, float: Real, str: str}
_WORDS: Mapping[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def _frozen(value: Any) -> Any:
    """Tuples where JSON and TOML have lists."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
