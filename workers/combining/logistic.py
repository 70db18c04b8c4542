"""Penalised logistic regression in plain Python: for a few columns and thousands of rows. Pure."""

import math
from collections.abc import Sequence
from operator import mul

from service.core.combination import sigmoid

_STEPS = 50
_CLOSE = 1e-10
_HALVINGS = 30
_LEAST_PIVOT = 1e-12

Column = Sequence[float]


def fit_logistic(
    columns: Sequence[Column], targets: Column, weights: Column, penalties: Sequence[float]
) -> list[float]:
    """The coefficients, one a column, at the least of -log likelihood + sum of penalty / 2 x coefficient^2.

    Newton's steps, which here are iteratively reweighted least squares (McCullagh, Nelder 1989, section 2.5), halved
    where one does not go down: the sum is convex, so that there is one least, and with a penalty it is finite where the
    labels can be told apart without error.

    Args:
        columns: each of the rows' length; one of them all ones, with the penalty 0, is the intercept.
        targets: 0..1.
        weights: above 0.
        penalties: 0 or more, one a column.
    """
    found = [0.0] * len(columns)
    least = _loss(found, columns, targets, weights, penalties)
    for _ in range(_STEPS):
        step = _step(found, columns, targets, weights, penalties)
        size = 1.0
        for _ in range(_HALVINGS):
            tried = [at - size * by for at, by in zip(found, step, strict=True)]
            loss = _loss(tried, columns, targets, weights, penalties)
            if loss <= least:
                break
            size /= 2
        else:
            return found
        done = least - loss <= _CLOSE * (1 + abs(least))
        found, least = tried, loss
        if done:
            break
    return found


def predictors(coefficients: Sequence[float], columns: Sequence[Column]) -> list[float]:
    """The log odds of each row."""
    at = [0.0] * len(columns[0])
    for coefficient, column in zip(coefficients, columns, strict=True):
        if coefficient:
            at = [value + coefficient * x for value, x in zip(at, column, strict=True)]
    return at


def _loss(
    coefficients: Sequence[float],
    columns: Sequence[Column],
    targets: Column,
    weights: Column,
    penalties: Sequence[float],
) -> float:
    at = predictors(coefficients, columns)
    # ln(1 + e^x) - y x, in the form that does not overflow
    rows = (
        w * (max(x, 0.0) + math.log1p(math.exp(-abs(x))) - y * x) for x, y, w in zip(at, targets, weights, strict=True)
    )
    return sum(rows) + sum(by * b * b for by, b in zip(penalties, coefficients, strict=True)) / 2


def _step(
    coefficients: Sequence[float],
    columns: Sequence[Column],
    targets: Column,
    weights: Column,
    penalties: Sequence[float],
) -> list[float]:
    guesses = [sigmoid(x) for x in predictors(coefficients, columns)]
    errors = [w * (p - y) for p, y, w in zip(guesses, targets, weights, strict=True)]
    spreads = [w * p * (1 - p) for p, w in zip(guesses, weights, strict=True)]
    gradient = [
        sum(map(mul, errors, column)) + penalty * coefficient
        for column, penalty, coefficient in zip(columns, penalties, coefficients, strict=True)
    ]
    curvature = [[0.0] * len(columns) for _ in columns]
    for i, column in enumerate(columns):
        spread = list(map(mul, spreads, column))
        for j in range(i + 1):
            curvature[i][j] = curvature[j][i] = sum(map(mul, spread, columns[j]))
        curvature[i][i] += penalties[i]
    return solve(curvature, gradient)


def solve(matrix: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    """X of matrix x = values by elimination with the greatest pivot; 0 for what no row tells."""
    rows = [[*row, value] for row, value in zip(matrix, values, strict=True)]
    size = len(rows)
    for at in range(size):
        best = max(range(at, size), key=lambda row: abs(rows[row][at]))
        rows[at], rows[best] = rows[best], rows[at]
        if abs(rows[at][at]) < _LEAST_PIVOT:
            rows[at] = [0.0] * (size + 1)
            rows[at][at] = 1.0
        for below in range(at + 1, size):
            factor = rows[below][at] / rows[at][at]
            rows[below] = [x - factor * y for x, y in zip(rows[below], rows[at], strict=True)]
    found = [0.0] * size
    for at in reversed(range(size)):
        rest = sum(rows[at][j] * found[j] for j in range(at + 1, size))
        found[at] = (rows[at][size] - rest) / rows[at][at]
    return found
