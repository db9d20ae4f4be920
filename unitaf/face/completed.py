"""A face model whose other channels are moved by rules.

A network learns what can be heard: mouth, cheeks, brows. Blinks, gaze and the head's drift cannot
be, and a network that had to predict them would give their mean, a stare through half shut lids.
"""

from collections.abc import Sequence

from unitaf.face.channel_mixing import EYES_AND_HEAD
from unitaf.face.visemes import VisemeAnimator
from unitaf.rigs.arkit import CHANNELS, column_indices
from unitaf.types import FaceAnimator, FaceMotion, Speech, Utterance


class CompletedAnimator:
    """A `types.FaceAnimator`: a face model, and `VisemeAnimator` for channels that it has not.

    Args:
        model: Moves the canonical channels.
        channels: Those that it has learnt; the others are not taken from it.
    """

    def __init__(self, model: FaceAnimator, channels: Sequence[str]) -> None:
        self._model = model
        self._rules = VisemeAnimator()
        others = [name for name in CHANNELS if name not in channels]
        self._columns = column_indices(CHANNELS, others)
        is_eyes_and_head = set(others) <= set(EYES_AND_HEAD)
        rules = self._rules
        self._rest = rules.animate_eyes_and_head if is_eyes_and_head else rules.animate

    @property
    def fingerprint(self) -> str:
        """The model's and the rules'."""
        return f"{self._model.fingerprint}; rest: {self._rules.fingerprint}"

    @property
    def licence(self) -> str:
        """The model's; the rules have no terms."""
        return self._model.licence

    def load(self) -> None:
        """Load the model now."""
        self._model.load()

    def animate(
        self, utterances: Sequence[Utterance], speeches: Sequence[Speech], fps: float
    ) -> list[FaceMotion]:
        """Animate every speech, in order.

        Raises:
            InputError: If a speech is empty or a phone's label is not IPA.
            ValueError: If the features are not those that the model was trained on.
        """
        motions = self._model.animate(utterances, speeches, fps)
        ruled = self._rest(utterances, speeches, fps)
        for motion, rest in zip(motions, ruled, strict=True):
            motion.curves[:, self._columns] = rest.curves[:, self._columns]
        return motions
