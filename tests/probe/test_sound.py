"""Silence is told from speech, and a broken file from a whole one."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from meshproof.probe.sound import listen


def wav(samples: np.ndarray, rate: int = 8000) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return target.getvalue()


def test_tone_is_as_long_and_loud_as_it_was_made() -> None:
    tone = 0.5 * np.sin(np.arange(16000) / 8000 * 2 * np.pi * 440)
    sound = listen(wav(tone))
    assert sound.seconds == 2.0
    assert sound.loudness == pytest.approx(0.5 / np.sqrt(2), rel=0.01)
    assert sound.voiced == 1.0


def test_half_of_it_silent() -> None:
    tone = 0.5 * np.sin(np.arange(16000))
    tone[8000:] = 0
    assert listen(wav(tone)).voiced == pytest.approx(0.5, abs=0.03)


def test_silence_is_silent() -> None:
    sound = listen(wav(np.zeros(8000)))
    assert (sound.loudness, sound.voiced) == (0, 0)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"{}", wav(np.zeros(8000))[:2000]])
def test_what_is_not_a_whole_wav_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        listen(data)
