"""How fast is the collective refrigerator without qtd? The same numbers from NumPy, SciPy and
QuTiP.

Every rival takes the number N of two-level systems (odd, N >= 3; even parity sector, interaction
Omega = 1) and the temperatures, centers, widths and heights of the reservoirs, last axis in the
order cold, hot, work. It returns the cooling current I_c, its zero-frequency noise S_cc and the COP
I_c / I_w. Currents are positive into the system.

- `numpy_batch`: the fastest; elimination along the band of the generator, every step on the whole
  batch;
- `numpy_lapack`: the fastest with batched LAPACK, two calls of `numpy.linalg.solve`;
- `scipy_loop`: one point after the other, an LU factorization each;
- `qutip_countstat`: one point, a Lindblad equation with one collapse operator per jump.

Model: Kolisnyk and Schaller, "Performance boost of a collective qubit absorption refrigerator",
equations 4-14.
"""

import numpy as np
import scipy.linalg

COLD, HOT, WORK = range(3)


def numpy_batch(num_spins, temperatures, centers, widths, heights, chunk=6000):
    """I_c, S_cc and COP, each of shape (points,), for parameters of shape (points, 3).

    Jumps join a level with the next two only, so elimination costs O(N). The loops run over levels,
    never over points, each step one NumPy call on `chunk` neighbouring numbers. Dense LAPACK pays
    n**3 and a driver call for every matrix.
    """
    gaps, elements = _jumps(num_spins)
    edges, points = gaps.shape[1], len(temperatures)
    size = -(-points // -(-points // chunk))  # equal chunks: no short one at the end
    # Some 250 calls of 0.3 us per chunk, however short: below 2000 points that shows; above 10000
    # the scratch (12 MB at 6000 points, N = 31) leaves the level-3 cache. It is one block because
    # malloc then keeps its pages for the next call: separate arrays lose a fifth of the time in
    # page faults.
    rows = np.cumsum(
        [edges, 2 * edges, 2 * edges, 4 * (edges + 1), 2 * (edges + 1), edges + 1, 2]
        + [edges + 2] * 3
    )
    block, results = np.empty((rows[-1], size)), np.empty((3, points))
    for start in range(0, points, size):
        part = slice(start, min(start + size, points))
        # Points last: every call below runs along contiguous memory.
        parameters = [
            np.ascontiguousarray(x[part].T) for x in (temperatures, centers, widths, heights)
        ]
        scratch = np.split(block[:, : part.stop - start], rows[:-1])
        results[:, part] = _banded(gaps[..., None], elements[..., None], parameters, scratch)
    return tuple(results)


def _band(gaps, elements, parameters, t, up, down, pairs):
    """Rates k-2 -> k, k-1 -> k, k -> k-1, k -> k-2 in pairs[k]; those of the cold and work
    reservoirs in up and down.

    In this order every pair of rows that the elimination needs at once is contiguous.
    """
    _rates(gaps[HOT], elements[HOT], *(x[HOT] for x in parameters), (t, up[0], down[0]))
    pairs[1, 0] = pairs[1, 3] = pairs[2:, 1:3] = 0
    pairs[1, 1], pairs[1, 2] = up[0, 0], down[0, 0]  # the folded path
    pairs[2:, 0], pairs[2:, 3] = up[0, 1:], down[0, 1:]
    for i, r in enumerate(
        (COLD, WORK)
    ):  # one at a time: a tenth faster than all at once, the scratch is smaller
        _rates(gaps[r], elements[r], *(x[r] for x in parameters), (t, up[i], down[i]))
        pairs[1:, 1] += up[i]
        pairs[1:, 2] += down[i]


def _banded(gaps, elements, parameters, scratch):
    """I_c, S_cc, COP of one chunk. Rows are levels, ground level first; p, z and g have a row of
    padding before it."""
    t, up, down, pairs, shares, out, pair, p, z, g = scratch
    levels, points = out.shape
    up, down = up.reshape(2, -1, points), down.reshape(2, -1, points)
    pairs, shares = pairs.reshape(levels, 4, points), shares.reshape(levels, 2, points)
    _band(gaps, elements, parameters, t, up, down, pairs)
    for k in range(levels - 1, 0, -1):  # fold level k into the two below: no subtractions
        np.add(pairs[k, 2], pairs[k, 3], out=out[k])
        np.divide(pairs[k, :2], out[k], out=shares[k])
        np.multiply(shares[k], pairs[k, 2:], out=pair)
        pairs[k - 1, 1:3] += pair
    p[0], p[1] = 0, 1
    for k in range(1, levels):
        np.multiply(shares[k], p[k - 1 : k + 1], out=pair)
        np.add(pair[0], pair[1], out=p[k + 1])
    p *= 1 / np.add.reduce(p)

    low = p[1:-1]
    high = p[2:]
    quantum = gaps[COLD]
    (cold_up, work_up), (cold_down, work_down) = up, down
    work_up *= low
    work_down *= high
    work_up -= work_down
    work = quantum[:, 0] @ work_up
    cold_up *= quantum
    cold_down *= quantum
    g[0], g[-1] = 0, 0
    np.negative(cold_up, out=g[1:-1])
    g[2:] += cold_down
    cold_up *= low  # from here on the gross energy fluxes
    cold_down *= high
    np.subtract(cold_up, cold_down, out=t)
    current = np.add.reduce(t)
    g[1:] += current

    # W^T z = g = I_c - w, with w the counted energy per time out of each level, is solved with the
    # same shares; the noise then takes the cold jumps alone. The right-hand system W y = (I_c -
    # W_1) p gives the same in as many calls.
    for k in range(levels - 1, 0, -1):
        np.multiply(shares[k], g[k + 1], out=pair)
        g[k - 1 : k + 1] += pair
    z[0] = z[1] = 0
    for k in range(1, levels):
        np.multiply(pairs[k, 2:], z[k : k - 2 if k > 1 else None : -1], out=pair)
        np.add(pair[0], pair[1], out=z[k + 1])
        z[k + 1] -= g[k + 1]
        z[k + 1] /= out[k]
    noise = -2 * current * np.einsum("kp,kp->p", z, p)
    for flux, end, sign in ((cold_up, z[2:], 2), (cold_down, z[1:-1], -2)):
        np.multiply(end, sign, out=t)
        t += quantum
        t *= flux
        noise += np.add.reduce(t)
    return current, noise, current / work


def numpy_lapack(num_spins, temperatures, centers, widths, heights, chunk=512):
    """I_c, S_cc and COP, each of shape (points,), for parameters of shape (points, 3), with dense
    linear algebra.

    With p_0 and z_0 of the ground level fixed the rest is regular and column-dominant. Two solves
    with n - 1 unknowns are the cheapest: one inverse takes 1.4 times as long in all, one system of
    twice the size 1.5 times.
    """
    gaps, elements = _jumps(num_spins)
    results = np.empty((3, len(temperatures)))
    for start in range(
        0, len(temperatures), chunk
    ):  # 512 matrices of 16 x 16 are 1 MB: the level-2 cache
        part = slice(start, start + chunk)
        parameters = (x[part, :, None] for x in (temperatures, centers, widths, heights))
        results[:, part] = _dense(gaps[COLD], *_rates(gaps, elements, *parameters))
    return tuple(results)


def _dense(quantum, up, down):
    generator = _generator(up, down)
    inner = generator[:, 1:, 1:]
    p = np.ones(generator.shape[:2])
    p[:, 1:] = np.linalg.solve(inner, -generator[:, 1:, :1])[..., 0]
    p /= p.sum(axis=1, keepdims=True)
    low, high = p[:, :-1], p[:, 1:]
    out_up, out_down = quantum * up[:, COLD], quantum * down[:, COLD]
    flux_up, flux_down = out_up * low, out_down * high
    current = (flux_up - flux_down).sum(axis=1)
    work = (up[:, WORK] * low - down[:, WORK] * high) @ quantum
    g = np.repeat(current[:, None], p.shape[1], axis=1)
    g[:, :-1] -= out_up
    g[:, 1:] += out_down
    z = np.zeros_like(p)
    z[:, 1:] = np.linalg.solve(inner.transpose(0, 2, 1), g[:, 1:, None])[..., 0]
    noise = flux_up * (quantum + 2 * z[:, 1:]) + flux_down * (quantum - 2 * z[:, :-1])
    return current, noise.sum(axis=1) - 2 * current * (z * p).sum(axis=1), current / work


def scipy_loop(num_spins, temperatures, centers, widths, heights):
    """I_c, S_cc and COP, each of shape (points,), for parameters of shape (points, 3): one LU per
    point."""
    gaps, elements = _jumps(num_spins)
    quantum, results = gaps[COLD], np.empty((3, len(temperatures)))
    for i, parameters in enumerate(zip(temperatures, centers, widths, heights)):
        up, down = _rates(gaps, elements, *(x[:, None] for x in parameters))
        generator = _generator(up[None], down[None])[0]
        # The norm replaces the ground row; replacing the top one costs S_cc eight digits
        generator[0] = 1
        factors = scipy.linalg.lu_factor(generator)
        p = scipy.linalg.lu_solve(factors, np.eye(len(generator))[0])
        # DW/dchi_c; d2W/dchi_c2 below.
        first = np.diag(quantum * up[COLD], -1) - np.diag(quantum * down[COLD], 1)
        second = np.diag(quantum**2 * up[COLD], -1) + np.diag(quantum**2 * down[COLD], 1)
        current = (first @ p).sum()
        source = current * p - first @ p
        source[0] = 0
        noise = (second @ p).sum() + 2 * (first @ scipy.linalg.lu_solve(factors, source)).sum()
        results[:, i] = (
            current,
            noise,
            current / (quantum @ (up[WORK] * p[:-1] - down[WORK] * p[1:])),
        )
    return tuple(results)


def qutip_countstat(num_spins, temperatures, centers, widths, heights):
    """I_c, S_cc and COP of one point, as floats, for parameters of shape (3,), from a Lindblad
    equation."""
    import qutip  # here, so that the other rivals run without it

    gaps, elements = _jumps(num_spins)
    up, down = _rates(
        gaps, elements, *(np.reshape(x, (3, 1)) for x in (temperatures, centers, widths, heights))
    )
    levels = gaps.shape[1] + 1
    kets = [qutip.basis(levels, k) for k in range(levels)]
    # For each reservoir pairs of a collapse operator and the energy it brings into the system.
    jumps = [
        [],
        [],
        [],
    ]
    for r in (COLD, HOT, WORK):
        for k in range(levels - 1):
            a, b = (max(k - 1, 0), k + 1) if r == HOT else (k, k + 1)
            jumps[r].append((np.sqrt(up[r, k]) * kets[b] * kets[a].dag(), gaps[r, k]))
            jumps[r].append((np.sqrt(down[r, k]) * kets[a] * kets[b].dag(), -gaps[r, k]))
    hamiltonian = qutip.qdiags((np.arange(levels) + 0.5) ** 2)
    liouvillian = qutip.liouvillian(hamiltonian, [c for r in jumps for c, _ in r])
    state = qutip.steadystate(liouvillian)
    # Counted energy instead of particles: quanta weigh the net current, their squares its
    # self-correlation.
    net, total = (sum(e**n * qutip.sprepost(c, c.dag()) for c, e in jumps[COLD]) for n in (1, 2))
    current, noise, _ = qutip.countstat_current_noise(
        liouvillian, [], rhoss=state, I_ops=[net], J_ops=[total]
    )
    work = sum(e * qutip.expect(c.dag() * c, state) for c, e in jumps[WORK])
    return current[0], noise[0, 0, 0], current[0] / work


def _jumps(num_spins):
    """Gaps and squared matrix elements, shape (3, n - 1): cold, work k -> k+1; hot 0 -> 1 (folded),
    then k -> k+2."""
    j, m = num_spins / 2, np.arange((num_spins + 1) // 2) + 0.5
    step = (j * (j + 1) - m * (m + 1))[:-1] / 4
    energy = m**2
    gap, hot_gap = np.diff(energy), np.append(energy[1] - energy[0], energy[2:] - energy[:-2])
    folded = (j * (j + 1) + 0.25) * (j * (j + 1) - 0.75) / 16
    hot = np.append(folded, step[:-1] * step[1:]) / num_spins**2
    return np.stack([gap, hot_gap, gap]), np.stack([step, hot, step])


def _rates(gap, element, temperature, center, width, height, scratch=None):
    """Rates up and down of jumps, all arguments broadcast together; evaluated on the jumps, never
    on matrices."""
    if scratch is None:
        scratch = np.empty((3, *np.broadcast_shapes(np.shape(gap), temperature.shape)))
    t, up, down = scratch
    # [(w-e)^2 + d^2] [(w+e)^2 + d^2] = (w^2 + d^2 - e^2)^2 + (2 e d)^2: three passes over the
    # jumps, not seven.
    np.add(gap**2, width**2 - center**2, out=t)
    np.multiply(t, t, out=t)
    t += (2 * center * width) ** 2
    np.multiply(4 * gap * element, height * center * width**2, out=down)
    down /= t
    np.multiply(gap, 1 / temperature, out=t)
    with np.errstate(over="ignore"):  # n = 1 / expm1(inf) = 0 is right
        np.expm1(t, out=t)
    np.divide(down, t, out=up)  # Gamma n; one exponential serves both directions
    down += up  # Gamma (1 + n)
    return up, down


def _generator(up, down):
    """W[b, a] = rate a -> b, columns summing to zero, shape (points, n, n), written along strided
    diagonals."""
    n = up.shape[-1] + 1
    generator = np.zeros((len(up), n, n))
    flat = generator.reshape(len(up), n * n)
    flat[:, n :: n + 1] = up[:, COLD] + up[:, WORK]
    flat[:, 1 :: n + 1] = down[:, COLD] + down[:, WORK]
    flat[:, n] += up[:, HOT, 0]
    flat[:, 1] += down[:, HOT, 0]
    flat[:, 2 * n :: n + 1] = up[:, HOT, 1:]
    flat[:, 2 : (n - 2) * n : n + 1] = down[:, HOT, 1:]
    flat[:, :: n + 1] = -generator.sum(axis=1)
    return generator
