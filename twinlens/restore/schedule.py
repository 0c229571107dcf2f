"""The learning rate over the steps of a training."""

import math


def learning_rate_factor(step: int, *, steps: int, warmup_steps: int, final_fraction: float) -> float:
    """The factor on the base learning rate for `step`, counted from 0.

    It rises linearly over `warmup_steps`, then falls along half a cosine to `final_fraction` at the last step.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, steps - 1 - warmup_steps)
    return final_fraction + (1 - final_fraction) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
