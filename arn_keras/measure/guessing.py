"""What an eavesdropper who only guesses may look like: limits that luck alone rarely exceeds.

Of several Eves, epochs and restarts the best is reported, so the risk is shared out among all looks
at the test set (Bonferroni): a ladder of guessing Eves exceeds a limit with probability `risk` at
most. Both limits hold for any number of sources and need no approximation. They are taken for one
test set and say nothing of labels that the training set would predict better than this one.
"""

import math

from arn_keras.measure.leakage import TEMPERATURES

RISK = 0.01


def accuracy_limit(chance, sources, looks=1, risk=RISK):
    """Accuracy that guessing exceeds with probability `risk` at most.

        min {k / n: P(Bin(n, p) > k) <= risk / looks}

    The hits of an Eve whose guesses do not depend on the labels are independent trials of mean p or
    less, and no such sum has a heavier upper tail than the binomial (Hoeffding, Annals of
    Mathematical Statistics 1956).

    Args:
        chance: p, the share of the most frequent label.
        sources: n, number of test sources.
        looks: number of times somebody looked at them; the best is reported.
        risk: of exceeding it by luck.

    Returns:
        A share of the sources, from `chance` to 1.
    """
    from scipy.stats import binom

    return float(binom.isf(risk / looks, sources, chance)) / sources


def leakage_limit(sources, looks=1, risk=RISK):
    """Leakage in nats, as `leakage` measures it, that guessing exceeds with probability `risk`.

        ln(T looks / risk) / n

    For labels that do not depend on what Eve hears, the likelihood ratio of her answer and the
    label's distribution has mean 1, so by Markov it exceeds x with probability 1/x at most; n times
    her leakage is its logarithm or less, at each of the T temperatures of which the best is taken.

    Args:
        sources: n, number of test sources.
        looks: as for `accuracy_limit`.
        risk: likewise.
    """
    return math.log(len(TEMPERATURES) * looks / risk) / sources


def difference_limit(one, other, sources, looks=1, risk=RISK):
    """By how much one of two equal Eves falls short of the other by luck, but for `risk`.

        sqrt(2 v L / n) + 2 L / (3 n),   L = ln(looks / risk)

    Bernstein's bound of the mean of n independent differences of two hits: each is 0 where both are
    right or both wrong, so its variance v is at most the sum of both shares of errors, or of both
    accuracies. Those measured are taken for them.

    Args:
        one, other: accuracies of both on the same test sources.
        sources: n, number of test sources.
        looks: number of pairs that are compared.
        risk: of exceeding it by luck.

    Returns:
        A difference of accuracies.
    """
    variance = min(2.0 - one - other, one + other)
    level = math.log(looks / risk)
    return math.sqrt(2.0 * variance * level / sources) + 2.0 * level / (3.0 * sources)
