"""What can be asked of a ballistic conductor."""

import numpy as np

from ..findings import Checks, Finding, Severity
from ..limits import FIRST_ORDER
from ..oscillators import HarmonicDevice
from ..scattering import Conductor
from ._systems import checks_of

_NOT_ASKED = {
    "detailed balance": "Particles pass through, there are no jumps with rates up and down.",
    "weak coupling": "Scattering is exact at any coupling, as long as particles do not interact.",
    "steady state": "A current that passes through has no state that it relaxes to.",
    "kinetic uncertainty": "Without jumps there is no number of jumps per time.",
    "other approaches": "No master equation is involved, of which there would be several.",
}


@checks_of.register
def _(conductor: Conductor) -> Checks:
    skipped = {
        topic: lambda topic=topic, text=text: [Finding(Severity.INAPPLICABLE, topic, text)]
        for topic, text in _NOT_ASKED.items()
    }
    return (
        {**skipped, "narrow resonances": lambda: narrow(conductor)} if conductor.narrow else skipped
    )


@checks_of.register
def _(device: HarmonicDevice) -> Checks:
    return checks_of(device.conductor())


def narrow(conductor: Conductor) -> list[Finding]:
    """The widths of resonances that were taken as points, against temperatures and against the
    distances between them."""
    places, widths = [], []
    for transmission in conductor.transmissions:
        center, weight, square = (float(x) for x in transmission.narrow())
        places.append(center)
        widths.append(weight**2 / square)  # of a boxcar its width
    known = [
        float(reservoir.temperature)
        for reservoir in conductor.reservoirs.values()
        if reservoir.temperature is not None
    ]
    distances = np.diff(np.unique(places))
    width = max(widths)
    limits = {"the lowest temperature": known, "the distance of two resonances": distances}
    ratios = {what: width / float(min(values)) for what, values in limits.items() if len(values)}
    what = max(ratios, key=lambda what: ratios[what])
    ratio = ratios[what]
    text = (
        f"Resonances are taken as points; they are {width:.3g} wide, {ratio:.3g} times {what},"
        " which has to be small."
        " Currents grow in proportion to this width: read them per width, or give the resonances a"
        " shape."
    )
    return [
        Finding(
            FIRST_ORDER.rate(ratio),
            "narrow resonances",
            text,
            {"ratio": ratio, "width": width},
            "width",
            ratio,
        )
    ]
