import numpy as np
import torch

from unitaf.face.calming import MoodAverage


def test_only_chosen_channels_are_averaged_and_by_a_hann_window() -> None:
    curves = torch.zeros(1, 21, 2)
    curves[0, 10] = 1.0
    average = MoodAverage([False, True], 30.0)
    calmed = average(curves, torch.ones(1, 21, dtype=torch.bool))[0].numpy()
    window = np.hanning(11)[1:-1]
    np.testing.assert_array_equal(calmed[:, 0], curves[0, :, 0])
    np.testing.assert_allclose(calmed[6:15, 1], window / window.sum(), atol=1e-7)
    assert not calmed[:6, 1].any()
    assert average.frame_context == 4


def test_a_face_that_rests_stays_as_it_is_to_its_ends() -> None:
    curves = torch.full((1, 5, 1), 0.3)
    calmed = MoodAverage([True], 30.0)(curves, torch.ones(1, 5, dtype=torch.bool))
    torch.testing.assert_close(calmed, curves)


def test_a_clip_is_what_it_is_alone_whatever_its_padding_holds() -> None:
    average, curves = MoodAverage([True, True, False], 60.0), torch.randn(3, 40, 3)
    mask = torch.arange(40) < torch.tensor([40, 7, 1])[:, None]
    together = average(curves.masked_fill(~mask[..., None], torch.nan), mask)
    for row, frames in enumerate((40, 7, 1)):
        alone = average(curves[row : row + 1, :frames], mask[row : row + 1, :frames])
        torch.testing.assert_close(together[row, :frames], alone[0])


def test_it_has_no_weights() -> None:
    assert not MoodAverage([True], 30.0).state_dict()
