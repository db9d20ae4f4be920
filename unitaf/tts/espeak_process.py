"""A process that speaks with espeak-ng, started when it is first needed."""

import json
import subprocess
import sys
import weakref

import numpy as np

from unitaf.tts.espeak_library import Event, Sound


class EspeakProcess:
    """Asks a process of its own to say texts; a new one after a text that it crashed on."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def say(self, text: str, voice: str, speed: float, pitch: float) -> Sound:
        """Say a text, as `unitaf.tts.espeak_library.say` does.

        Raises:
            ValueError: If the library crashed.
        """
        process = self._process
        if process is None:
            process = self._process = subprocess.Popen(
                [sys.executable, "-m", "unitaf.tts.espeak_library"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            weakref.finalize(self, _end, process)
        request = json.dumps({"text": text, "voice": voice, "speed": speed, "pitch": pitch})
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(request.encode() + b"\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            _end(process)
            self._process = None
            raise ValueError(f"espeak-ng crashed on it in the voice {voice}")
        num_samples, events = json.loads(answer)
        data = process.stdout.read(4 * num_samples)
        return Sound(np.frombuffer(data, np.float32), tuple(Event(*event) for event in events))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let a process see the end of its requests, and wait for it."""
    process.communicate()
