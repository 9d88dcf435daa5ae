"""What an order costs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from portfolio.errors import SettingsError

CENT = Decimal("0.01")
ZERO = Decimal("0.00")

# The most a PEA may charge for an online order in listed shares or ETFs: article D. 221-111-1, 3 of the Code
# monetaire et financier (decrees 2020-95 and, for ETFs, 2021-925). Most brokers charge less.
PEA_ONLINE_CAP = Decimal("0.005")
MAX_RATE = Decimal("0.05")  # ten times the law's cap: more is a typing error, 0.5 for 0.5 % say


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """A broker's fee: `rate` (fraction) of an order's amount, `minimum_eur` at least; SettingsError when odd."""

    rate: Decimal = PEA_ONLINE_CAP
    minimum_eur: Decimal = ZERO

    def __post_init__(self) -> None:
        if not (self.rate.is_finite() and 0 <= self.rate <= MAX_RATE):
            message = f"The fee rate is {self.rate}: give a fraction from 0 to {MAX_RATE}, 0.005 for 0.5 %."
            raise SettingsError(message)
        if not (self.minimum_eur.is_finite() and self.minimum_eur >= 0):
            message = f"The smallest fee is {self.minimum_eur} EUR: give 0 or more."
            raise SettingsError(message)

    def fee(self, amount_eur: Decimal) -> Decimal:
        """Return the fee (EUR, rounded up to the cent) of an order of that amount (EUR, 0 or more); 0 for 0."""
        if amount_eur == 0:
            return ZERO
        return max(self.minimum_eur, amount_eur * self.rate).quantize(CENT, ROUND_CEILING)
