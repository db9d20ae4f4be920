import pytest
import torch

from unitaf.tts.indextts2.random import SeededNoise, normal_noise, philox, segment_seed


# Known answers published with Random123 (Salmon et al. 2011), file kat_vectors.
@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (
            [0xFFFFFFFF] * 4,
            [0xFFFFFFFF] * 2,
            [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
        ),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_words_are_the_published_known_answers(
    counter: list[int], key: list[int], words: list[int]
) -> None:
    assert philox(torch.tensor(counter), torch.tensor(key)).tolist() == words


def test_noise_of_a_line_does_not_depend_on_its_mates_or_on_what_else_is_asked() -> None:
    noise = SeededNoise([7, 2**62 + 5, 9], torch.device("cpu"))
    every = noise.exponential(torch.tensor([0, 1, 2]), 4, torch.arange(50).expand(3, -1))
    alone = SeededNoise([2**62 + 5], torch.device("cpu"))
    some = alone.exponential(torch.tensor([0]), 4, torch.tensor([[30, 3]]))
    assert some.tolist() == [[every[1, 30].item(), every[1, 3].item()]]


def test_seeds_steps_and_places_give_different_noise() -> None:
    noise = SeededNoise([1, 2, 2**40 + 1], torch.device("cpu"))
    lines, index = torch.tensor([0, 1, 2]), torch.arange(40).expand(3, -1)
    drawn = torch.cat([noise.exponential(lines, step, index) for step in (0, 1)]).flatten()
    assert len(set(drawn.tolist())) == len(drawn)


def test_exponential_noise_is_exponential() -> None:
    noise = SeededNoise([3], torch.device("cpu"))
    drawn = noise.exponential(torch.tensor([0]), 0, torch.arange(40_000)[None])[0]
    assert drawn.min() > 0
    assert drawn.mean().item() == pytest.approx(1.0, abs=0.03)
    assert (drawn > 1.0).float().mean().item() == pytest.approx(0.3679, abs=0.01)


def test_normal_noise_is_normal_and_is_cut_from_a_fixed_row() -> None:
    noise = normal_noise(5, (80, 500))
    assert noise.shape == (80, 500)
    assert noise.mean().item() == pytest.approx(0.0, abs=0.02)
    assert noise.std().item() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(noise, normal_noise(5, (80, 500)))
    assert not torch.equal(noise, normal_noise(6, (80, 500)))


def test_segments_have_seeds_of_their_own() -> None:
    seeds = {segment_seed(seed, segment) for seed in (0, 1, 2**63 - 1) for segment in range(20)}
    assert len(seeds) == 60
    assert all(0 <= seed < 2**63 for seed in seeds)
