import numpy as np
import pytest

from unitaf.rigs.arkit import (
    ANGLES,
    BLENDSHAPES,
    CHANNELS,
    LIVE_LINK_CSV,
    ORDERS,
    UNITAF_61,
    UNITALKER_51,
    UNITALKER_52,
    column_indices,
    pascal_case,
    reorder,
)


@pytest.mark.parametrize("name", ORDERS)
def test_order_holds_known_channels_once(name: str) -> None:
    order = ORDERS[name]
    assert set(order) <= set(CHANNELS)
    assert len(set(order)) == len(order)


def test_orders_differ_where_files_do() -> None:
    swapped = [(a, b) for a, b in zip(CHANNELS, LIVE_LINK_CSV, strict=True) if a != b]
    assert swapped == [
        ("jawLeft", "jawRight"),
        ("jawRight", "jawLeft"),
        ("mouthLeft", "mouthRight"),
        ("mouthRight", "mouthLeft"),
    ]
    # Positions that the authors of UniTalker and EmoTalk gave.
    known = ("jawOpen", "mouthClose", "mouthPucker", "cheekPuff")
    assert [UNITALKER_51.index(name) for name in known] == [19, 20, 40, 48]
    assert [UNITALKER_52.index(n) for n in ("eyeBlinkLeft", "jawOpen", "mouthFunnel")] == [
        8,
        24,
        31,
    ]
    assert set(BLENDSHAPES) - set(UNITALKER_51) == {"tongueOut"}
    assert UNITAF_61[51:] == ("tongueOut", *ANGLES)


def test_reorder_maps_by_name_whatever_the_capitals() -> None:
    curves = np.arange(2 * 52, dtype=np.float32).reshape(2, 52)
    names = tuple(pascal_case(name) for name in UNITALKER_52)
    ours = reorder(curves, names, BLENDSHAPES)
    assert ours[1, BLENDSHAPES.index("jawOpen")] == curves[1, 24]
    assert np.array_equal(reorder(ours, BLENDSHAPES, UNITALKER_52), curves)


def test_reorder_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="missing channels: tongueOut"):
        column_indices(UNITALKER_51, BLENDSHAPES)
    with pytest.raises(ValueError, match="stands twice"):
        column_indices(("jawOpen", "JawOpen"), ("jawOpen",))
    with pytest.raises(ValueError, match="3 columns but 2"):
        reorder(np.zeros((1, 3)), ("jawOpen", "jawLeft"), ("jawOpen",))
