"""An independent reference at 60 digits: the collective refrigerator from explicit spin matrices,
by plain linear algebra.

Nothing here knows the library: matrix elements come from J_x and J_x^2 as matrices, steady states
and cumulants from LU solves.
"""

from math import comb

import mpmath as mp
import numpy as np

mp.mp.dps = 60

TEMPERATURES = {"cold": mp.mpf(1) / 2, "hot": mp.mpf(1), "work": mp.mpf(1000)}
CENTERS = {"cold": 2, "hot": 6, "work": 4}
WIDTHS = {"cold": mp.mpf(1) / 10, "hot": mp.mpf(1) / 10, "work": mp.mpf(1) / 1000}
HEIGHTS = {"cold": 1, "hot": 1, "work": 1}


def collective_jumps(num_spins, parity="even", spin=None):
    """Levels m >= 0 of a sector and the jumps (reservoir, lower, upper, squared matrix element)
    among them."""
    j = num_spins / 2 if spin is None else spin
    m = np.arange(-j, j + 0.25)
    raising = np.sqrt(j * (j + 1) - m[:-1] * (m[:-1] + 1))
    jx = (np.diag(raising, -1) + np.diag(raising, 1)) / 2
    sign = 1 if parity == "even" else -1
    levels = m[(m > 0) | ((m == 0) & (sign > 0))]
    basis = np.zeros((len(m), len(levels)))
    for column, level in enumerate(levels):
        if level == 0:
            basis[m == 0, column] = 1
        else:
            basis[m == level, column], basis[m == -level, column] = (
                np.sqrt(0.5),
                sign * np.sqrt(0.5),
            )
    jumps = []
    for names, operator in ((("cold", "work"), jx), (("hot",), jx @ jx / num_spins)):
        elements = (basis.T @ operator @ basis) ** 2
        for a in range(len(levels)):
            for b in range(a + 1, len(levels)):
                if elements[a, b] > 1e-12:
                    # The exact values are multiples of 1/256 (over N^2 for the hot reservoir):
                    # remove the rounding.
                    scale = 256 * (num_spins**2 if names == ("hot",) else 1)
                    exact = mp.mpf(round(elements[a, b] * scale)) / scale
                    jumps += [(name, a, b, exact) for name in names]
    return levels, jumps


def peaked(energy, center, width, height):
    """Eq. (5) of Kolisnyk and Schaller."""
    return (
        4
        * height
        * center
        * width**2
        * energy
        / (((energy - center) ** 2 + width**2) * ((energy + center) ** 2 + width**2))
    )


class Reference:
    """A rate network from its energies and jumps (reservoir, lower, upper, rate up, rate down);
    energy is counted."""

    def __init__(self, energies, jumps):
        self.energies = energies
        self.jumps = jumps
        self.size = len(energies)
        self.names = list(dict.fromkeys(jump[0] for jump in jumps))
        generator = mp.zeros(self.size)
        for _, a, b, up, down in jumps:
            generator[b, a] += up
            generator[a, b] += down
            generator[a, a] -= up
            generator[b, b] -= down
        self.generator = generator
        for column in range(
            self.size
        ):  # the ground level's equation is redundant; normalise instead
            generator[0, column] = 1
        self.inverse = mp.inverse(generator)
        self.populations = self.inverse * mp.matrix([1] + [0] * (self.size - 1))

    def tilt(self, power, vector, names):
        """sum over jumps of rate * (energy out of the reservoir)^power, as an operator on a
        vector."""
        result = mp.zeros(self.size, 1)
        for name, a, b, up, down in self.jumps:
            if name in names:
                gap = self.energies[b] - self.energies[a]
                result[b] += up * gap**power * vector[a]
                result[a] += down * (-gap) ** power * vector[b]
        return result

    def solve(self, vector):
        """x with W x = vector and sum(x) = 0."""
        vector = vector.copy()
        vector[0] = 0
        return self.inverse * vector

    def current(self, name):
        return sum(self.tilt(1, self.populations, [name]))

    def cumulants(self, names, order):
        """Recursion of Eqs. (10)-(14), for the energy out of these reservoirs together."""
        expansion, cumulants = [self.populations], []
        for n in range(1, order + 1):
            tilted = [comb(n, k) * self.tilt(k, expansion[n - k], names) for k in range(1, n + 1)]
            cumulants.append(sum(sum(x) for x in tilted))
            drift = mp.zeros(self.size, 1)
            for k in range(1, n + 1):
                drift += comb(n, k) * cumulants[k - 1] * expansion[n - k] - tilted[k - 1]
            expansion.append(self.solve(drift))
        return cumulants

    def covariance(self, r, s):
        """By polarisation: S_rs = (c2 of both together - S_rr - S_ss) / 2."""
        if r == s:
            return self.cumulants([r], 2)[1]
        return (self.cumulants([r, s], 2)[1] - self.covariance(r, r) - self.covariance(s, s)) / 2


def collective_refrigerator(
    num_spins=31,
    temperatures=None,
    centers=None,
    widths=None,
    heights=None,
    interaction=1,
    parity="even",
    spin=None,
):
    """The machine of Fig. 2 with some of its parameters changed (dictionaries by reservoir)."""
    temperatures, centers = {**TEMPERATURES, **(temperatures or {})}, {**CENTERS, **(centers or {})}
    widths, heights = {**WIDTHS, **(widths or {})}, {**HEIGHTS, **(heights or {})}
    levels, jumps = collective_jumps(num_spins, parity, spin)
    energies = [mp.mpf(interaction) * mp.mpf(float(m)) ** 2 for m in levels]
    rated = []
    for name, a, b, element in jumps:
        gap = energies[b] - energies[a]
        density = peaked(gap, *(mp.mpf(x[name]) for x in (centers, widths, heights)))
        occupation = 1 / mp.expm1(gap / mp.mpf(temperatures[name]))
        rated.append(
            (name, a, b, element * density * occupation, element * density * (1 + occupation))
        )
    return Reference(energies, rated)


def derivative(function, x, step="1e-20"):
    """Central difference with an error of the order of 1e-38."""
    x, step = mp.mpf(x), mp.mpf(step)
    return (function(x + step) - function(x - step)) / (2 * step)
