"""Lines to segments that can be spoken, or to the reason why they cannot."""

from dataclasses import dataclass

from unitaf.errors import InputError
from unitaf.tts.indextts2.sizes import GptSizes
from unitaf.tts.indextts2.text import TextFront
from unitaf.types import Utterance

LANGUAGES = frozenset({"en", "zh"})


@dataclass(frozen=True, slots=True)
class TextReader:
    """Reads the texts of lines for one model."""

    front: TextFront
    sizes: GptSizes
    max_tokens: int
    """Of a segment."""

    def segments(self, utterance: Utterance) -> list[tuple[int, ...]]:
        """Return the text ids of each segment of a line.

        Raises:
            InputError: If the model cannot say it.
        """
        segments = self.front.segments(self._pieces(utterance), self.max_tokens)
        longest = max(map(len, segments))
        if longest > self.sizes.max_text_ids:
            reason = f"{longest} tokens without a mark to cut at; {self.sizes.max_text_ids} fit"
            raise InputError(utterance.id, reason)
        return segments

    def whole(self, utterance: Utterance) -> tuple[int, ...]:
        """Return the text ids of a whole line, as a recording is read with.

        Raises:
            InputError: If the model cannot read it.
        """
        ids = tuple(self.front.ids(self._pieces(utterance)))
        if len(ids) > self.sizes.max_text_ids:
            reason = f"the text has {len(ids)} tokens, but {self.sizes.max_text_ids} are most"
            raise InputError(utterance.id, reason)
        return ids

    def _pieces(self, utterance: Utterance) -> list[str]:
        if utterance.language.split("-")[0].lower() not in LANGUAGES:
            reason = f"the model speaks English and Chinese, not {utterance.language!r}"
            raise InputError(utterance.id, reason, column="language")
        if not any(character.isalnum() for character in utterance.text):
            raise InputError(utterance.id, "there is nothing to say: no letter and no digit")
        try:
            pieces = self.front.pieces(utterance.text)
        except ValueError as error:
            raise InputError(utterance.id, str(error)) from error
        unreadable = self.front.unreadable(pieces)
        if unreadable:
            reason = f"the model cannot read {unreadable[:20]!r}: it knows English and Chinese"
            raise InputError(utterance.id, reason)
        return pieces
