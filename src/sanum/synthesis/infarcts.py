"""Infarcts on CT: a few Hounsfield units less and no border between grey and white matter, or an old cavity."""

from __future__ import annotations

from torch import Tensor

from sanum.synthesis.draws import Draws
from sanum.synthesis.fields import box_mean
from sanum.synthesis.local_lesions import Lesions, local_shapes

FORMS: tuple[tuple[str, float], ...] = (("territory", 0.5), ("rough", 0.3), ("cortical", 0.2))

FALL = (0.06, 0.25)
"""By how much an acute infarct is darker, log-uniform, in 80 HU: 5 HU after some hours, 20 after days."""

OLD = 0.2
"""Share of the infarcts that are old: fluid in place of tissue."""

OLD_LEVEL = (0.05, 0.2)


def plant_infarcts(
    image: Tensor, tissues: Tensor, inside: Tensor, lesions: Lesions, draws: Draws
) -> tuple[Tensor, Tensor]:
    """One to three infarcts.

    Args:
        image: (I, J, K) in units of 80 HU.
        tissues: (T, I, J, K) memberships; fluid is spared.
        inside: (I, J, K) in {0, 1}, the room within the skull.
        lesions: sizes.
        draws: source of randomness.

    Returns:
        The image with infarcts, and where they are (I, J, K) in {0, 1}.
    """
    image, marked = image.clone(), inside.new_zeros(inside.shape)
    solid = 1.0 - (tissues[0] + tissues[1]).clamp(0.0, 1.0)
    for _ in range(draws.integer(1, 3)):
        voxels = float(draws.log_uniform(lesions.smallest, lesions.largest, 1))
        for box, soft, mask in local_shapes(draws.pick(FORMS), voxels, tissues, inside, draws):
            image[box] = _painted(image[box], soft * solid[box], draws)
            marked[box] = marked[box].maximum(mask * (solid[box] > 0.5))
    return image, marked


def _painted(healthy: Tensor, soft: Tensor, draws: Draws) -> Tensor:
    if draws.happens(OLD):
        return healthy.lerp(healthy.new_tensor(draws.number(*OLD_LEVEL)), soft)
    fall = float(draws.log_uniform(*FALL, 1))
    washed = draws.number() * (box_mean(healthy, 5) - healthy)
    return healthy + soft * (washed - fall)
