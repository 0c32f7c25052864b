"""What an operator allows one client, one upload and one queue."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sanum.core.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """Upper limits of the service.

    Attributes:
        upload_mb: one request, in MB (10⁶ bytes).
        unpacked_mb: what an archive holds, or the voxels that a header promises, in MB.
        voxels: of one volume or image.
        predict_voxels: of one that is judged at once, in a web process: 30 bytes of its memory each, about.
        upload_seconds: how long one request may take to arrive.
        silent_seconds: how long a connection may send nothing.
        queue: cases that wait or run; more are answered 429.
        waiting: synchronous predictions that wait for a slot; more are answered 503.
        wait_seconds: how long a synchronous prediction waits.
        requests_per_minute: of each token.

    Raises:
        ConfigError: a limit that is not above 0.
    """

    upload_mb: float = 512.0
    unpacked_mb: float = 2048.0
    voxels: int = 200_000_000
    predict_voxels: int = 30_000_000
    upload_seconds: float = 900.0
    silent_seconds: float = 30.0
    queue: int = 200
    waiting: int = 16
    wait_seconds: float = 120.0
    requests_per_minute: float = 1200.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ConfigError(f"limits: {field.name}: expected above 0, got {value}")
