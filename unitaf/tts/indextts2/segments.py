"""Long texts to segments that the GPT can hold, cut where the reference cuts them.

Cuts are made behind stops, commas and hyphens, and anywhere in a stretch that is too long;
neighbours are then joined again while they fit. Two habits of the reference are kept, as segments
decide what is spoken: a quote behind a closing stop comes twice, and a stretch without marks is cut
into the limit and one piece.
"""

from collections.abc import Sequence

MAX_TOKENS = 120

_STOPS = (".", "!", "?", "▁.", "▁?", "▁...")
_COMMAS = (",", "▁,")
_HYPHENS = ("-",)
_QUOTES = ("'", "▁'")
_SHORTEST_CUT = 2


def split_segments(
    pieces: Sequence[str], max_tokens: int = MAX_TOKENS, quick_tokens: int = 0
) -> list[list[str]]:
    """Split a tokenised text.

    Args:
        pieces: Pieces of the whole text.
        max_tokens: Most pieces of a segment.
        quick_tokens: Segments that begin within so many pieces are kept short, to be heard early.
    """
    return _split(pieces, _STOPS, max_tokens, quick_tokens)


def _split(
    pieces: Sequence[str], marks: Sequence[str], max_tokens: int, quick_tokens: int
) -> list[list[str]]:
    cut: list[list[str]] = []
    gathered: list[str] = []
    for index, piece in enumerate(pieces):
        gathered.append(piece)
        finer = _finer_marks(piece, marks)
        if finer:
            cut += _split(gathered, finer, max_tokens, quick_tokens)
        elif len(gathered) > max_tokens:
            cut += [gathered[:max_tokens], gathered[max_tokens:]]
        elif piece in marks and len(gathered) > _SHORTEST_CUT:
            following = pieces[index + 1 : index + 2]
            cut.append(gathered + [quote for quote in following if quote in _QUOTES])
        else:
            continue
        gathered = []
    return _join([*cut, gathered], max_tokens, quick_tokens)


def _finer_marks(piece: str, marks: Sequence[str]) -> Sequence[str]:
    """Return the marks that a piece asks to be cut at, if that is not being done already."""
    for finer in (_COMMAS, _HYPHENS):
        if piece in finer and piece not in marks:
            return finer
    return ()


def _join(cut: Sequence[list[str]], max_tokens: int, quick_tokens: int) -> list[list[str]]:
    """Join neighbours that fit together, up to half the limit within the quick tokens."""
    joined: list[list[str]] = []
    total = 0
    for piece in cut:
        total += len(piece)
        limit = max_tokens if total > quick_tokens else max_tokens // 2
        if joined and len(joined[-1]) + len(piece) <= limit:
            joined[-1] = joined[-1] + piece
        elif piece:
            joined.append(piece)
    return joined
