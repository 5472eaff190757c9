"""What a WAV file holds, measured: how long, how loud, whether anything is said in it."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass

import numpy as np

__all__ = ["Sound", "listen"]

_WINDOW_SECONDS = 0.05
_SILENCE = 0.01
"""Root mean square, as a part of full scale, below which a window counts as silent (-40 dB)."""


@dataclass(frozen=True)
class Sound:
    """A PCM sound. `loudness` is the root mean square as a part of full scale; `voiced` the part of 50 ms windows that
    are not silent."""

    seconds: float
    rate: int
    channels: int
    loudness: float
    voiced: float


def listen(data: bytes) -> Sound:
    """Read a 16-bit PCM WAV file.

    Raises ValueError for anything that is not one, or that is cut short.
    """
    try:
        with wave.open(io.BytesIO(data)) as file:
            rate, channels, width, frames = (
                *(file.getframerate(), file.getnchannels()),
                *(file.getsampwidth(), file.getnframes()),
            )
            samples = np.frombuffer(file.readframes(frames), dtype="<i2").astype(float) / 32768
    except (wave.Error, EOFError) as error:
        raise ValueError(f"not a WAV file: {error}") from error
    if width != 2:
        raise ValueError(f"samples of {width} bytes; 2 are expected")
    if len(samples) != frames * channels:
        raise ValueError(f"{len(samples)} samples for {frames} announced frames of {channels} channels")
    if not len(samples):
        return Sound(0, rate, channels, 0, 0)
    window = max(1, int(rate * channels * _WINDOW_SECONDS))
    whole = samples[: len(samples) // window * window].reshape(-1, window)
    loud = np.sqrt((whole**2).mean(axis=1)) if len(whole) else np.array([0.0])
    return Sound(
        seconds=frames / rate,
        rate=rate,
        channels=channels,
        loudness=float(np.sqrt((samples**2).mean())),
        voiced=float((loud > _SILENCE).mean()),
    )
