"""What a training went through, epoch by epoch; plain numbers, no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class History:
    """Course of one training, for the loss curve and the model card.

    Attributes:
        training_loss: mean loss of each finished epoch.
        validation_loss: the same on validation subjects after each epoch; empty without validation.
        images: images trained on so far, repeats counted.
        seconds: time spent training on them, validation and checkpoints not counted.
    """

    training_loss: tuple[float, ...] = ()
    validation_loss: tuple[float, ...] = ()
    images: int = 0
    seconds: float = 0.0

    @property
    def epochs(self) -> int:
        """Epochs finished."""
        return len(self.training_loss)

    @property
    def images_per_second(self) -> float:
        """Mean training throughput, input included; 0 before the first image."""
        return self.images / self.seconds if self.seconds > 0.0 else 0.0

    def extended(
        self, training_loss: float, validation_loss: float | None, images: int, seconds: float
    ) -> History:
        """This history and one more epoch."""
        validation = () if validation_loss is None else (validation_loss,)
        return replace(
            self,
            training_loss=(*self.training_loss, training_loss),
            validation_loss=(*self.validation_loss, *validation),
            images=self.images + images,
            seconds=self.seconds + seconds,
        )
