from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitaf import timing
from unitaf.face.windows import group_by_length, join_windows, plan_windows


@given(st.integers(400, 16_000 * 200))
def test_windows_cover_a_recording_and_overlap_by_five_seconds(num_samples: int) -> None:
    plan = plan_windows(num_samples, 16_000)
    assert plan[0][0] == 0
    assert plan[-1][1] == num_samples
    for (_, stop), (start, end) in pairwise(plan):
        assert stop - start == 5 * 16_000
        assert 5 * 16_000 < end - start <= 25 * 16_000


@given(st.integers(400, 16_000 * 100), st.sampled_from([25.0, 30.0, 60.0]))
def test_joined_windows_have_the_frames_of_the_whole_and_keep_a_steady_signal(
    num_samples: int, fps: float
) -> None:
    plan = plan_windows(num_samples, 16_000)
    ramps = []
    for start, stop in plan:
        frames = timing.num_frames(stop - start, 16_000, fps)
        ramps.append((start // 16_000 * fps + np.arange(frames))[:, None].astype(np.float32))
    joined = join_windows(ramps, fps)
    assert len(joined) == timing.num_frames(num_samples, 16_000, fps)
    assert np.allclose(joined[:, 0], np.arange(len(joined)), rtol=1e-6)


def test_the_older_window_fades_out_over_the_overlap() -> None:
    older, newer = np.ones((625, 1), np.float32), np.zeros((200, 1), np.float32)
    joined = join_windows([older, newer], 25.0)[:, 0]
    assert (joined[:501] == 1.0).all()
    assert joined[562] == pytest.approx(0.5, abs=0.01)
    assert (joined[624:] == 0.0).all()
    assert len(joined) == 700


def test_a_rate_at_which_windows_begin_between_frames_is_refused() -> None:
    with pytest.raises(ValueError, match=r"whole rate only, not at 29\.97"):
        join_windows([np.zeros((10, 1), np.float32)], 29.97)


@given(
    st.lists(st.integers(1, 100), min_size=1, max_size=30), st.integers(1, 200), st.integers(0, 50)
)
def test_batches_hold_every_clip_once_within_budget_and_slack(
    lengths: list[int], budget: int, slack: int
) -> None:
    batches = group_by_length(lengths, budget, slack)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        sizes = [lengths[index] for index in batch]
        assert len(batch) == 1 or max(sizes) * len(sizes) <= budget
        assert max(sizes) - min(sizes) <= slack


def test_clips_of_one_length_share_a_batch() -> None:
    assert group_by_length([5, 9, 5, 5], 100, 0) == [[1], [0, 2, 3]]
