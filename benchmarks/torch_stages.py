"""The base stage and the ARN stage in PyTorch, with our mathematics and any layers."""

import torch


def loss_and_optimizer(stage, sources, labels, models, trained, *, snr_db, psr_db, weights, rate):
    """What a step of PyTorch needs: a function from rows to a loss, and the optimiser.

    Args:
        stage: "arn" or "base".
        sources: of 8 bits, [n, ...].
        labels: [n].
        models: transmitter, receiver, Eve, and the modules: to what is sent, and what is cleaned.
        trained: parameters of the stage; all others are frozen.
        snr_db, psr_db: of the air and of the budget.
        weights: w1, w2, w3 of Eq. (19).
        rate: learning rate of Adam, the fused one.
    """
    transmitter, receiver, eve, alice, bob = models
    deviation, budget = 10 ** (-snr_db / 20), 10 ** (psr_db / 10)
    if stage == "arn":
        with torch.no_grad():
            signals = torch.cat([transmitter(part / 255.0) for part in sources.split(256)])

    def noisy(signal):
        return signal + deviation * torch.randn_like(signal)

    def arn_loss(rows):
        source, signal, label = sources[rows] / 255.0, signals[rows], labels[rows]
        sent = alice(signal)
        estimate, overheard = receiver(bob(noisy(sent))), noisy(sent)
        power = torch.relu((sent - signal).square().flatten(1).mean(1) - budget).mean()
        task = (source - estimate).square().mean()
        confidence = torch.softmax(eve(overheard), 1).gather(1, label[:, None]).mean()
        return weights[0] * power + weights[1] * task + weights[2] * confidence

    def base_loss(rows):
        source = sources[rows] / 255.0
        return (source - receiver(noisy(transmitter(source)))).square().mean()

    loss = arn_loss if stage == "arn" else base_loss
    return loss, torch.optim.Adam(trained, rate, fused=True)
