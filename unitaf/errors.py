"""The errors that unitaf raises: whose fault it was, and whether the run may go on.

    UnitafError
      ConfigError           the user's file or setting is wrong      exit 2, one line, no traceback
      InputError            this utterance or clip is unusable       a reject row; the run goes on
      BackendError          a model or server failed                 the job fails
        BackendUnavailable  transient: timeout, 503, preempted       retried with a bound, then the
        job fails
      StorageError          an object could not be read or created   the job fails

Misuse of a function is a plain ``ValueError``. Every message says what, which, and what to do.
"""


class UnitafError(Exception):
    """Any error that unitaf raises on purpose."""


class ConfigError(UnitafError):
    """A file, setting or argument of the user's is wrong; nothing has been made."""


class InputError(UnitafError):
    """One utterance or clip is unusable; the others are not affected.

    Args:
        utterance_id: The line that cannot be made.
        reason: One sentence, without the id.
        column: The script column at fault.
    """

    def __init__(self, utterance_id: str, reason: str, column: str = "text") -> None:
        super().__init__(f"line {utterance_id!r}: {reason}")
        self.utterance_id = utterance_id
        self.reason = reason
        self.column = column

    def __reduce__(self) -> tuple[type["InputError"], tuple[str, str, str]]:
        return InputError, (self.utterance_id, self.reason, self.column)


class BackendError(UnitafError):
    """A model or a server failed in a way that another try would not mend."""


class BackendUnavailable(BackendError):  # noqa: N818 - the state, not the act
    """A server did not answer in time or asked to be tried later."""


class StorageError(UnitafError):
    """An object could not be read, listed, created or deleted."""
