"""Features behind a selector: each value of the selector keeps its own values of them."""

from collections.abc import Callable, Mapping

from twinlens.capture.virtual.registers import RegisterFile


class Bank:
    """The registers `members` show what belongs to the present value of the register `selector`."""

    def __init__(
        self,
        registers: RegisterFile,
        selector: str,
        members: tuple[str, ...],
        *,
        power_up: Mapping[tuple[int, str], int],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`power_up` holds, by (selector's value, member), what differs from the member's own default."""
        self._registers = registers
        self._selector = selector
        self._defaults = {member: registers.integer(member) for member in members}
        self._power_up = dict(power_up)
        self._values = dict(power_up)
        self._on_change = on_change
        registers.effects[selector] = lambda _value: self._show()
        for member in members:
            registers.effects[member] = self._keep_of(member)
        self._show()

    def value(self, choice: int, member: str) -> int:
        """What `member` is where the selector is `choice`."""
        return self._values.get((choice, member), self._defaults[member])

    def reset(self) -> None:
        """Every value as after power-up."""
        self._values = dict(self._power_up)
        self._show()

    def _show(self) -> None:
        choice = self._registers.integer(self._selector)
        for member in self._defaults:
            self._registers.put(member, self.value(choice, member))

    def _keep_of(self, member: str) -> Callable[[float], None]:
        def keep(value: float) -> None:
            self._values[self._registers.integer(self._selector), member] = int(value)
            self._on_change()

        return keep
