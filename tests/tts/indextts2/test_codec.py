import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.rnn import pad_sequence

from tests.tts.indextts2.tiny import CODEC, STYLE, randomised
from unitaf.tts.indextts2.campplus import StyleEncoder
from unitaf.tts.indextts2.codec import SemanticCodec
from unitaf.tts.indextts2.weight_norm import fold_weight_norm


@torch.no_grad()
def test_codes_of_a_batch_are_those_of_its_lines_alone() -> None:
    codec = randomised(SemanticCodec(CODEC))
    lines = [torch.randn(steps, 1024) for steps in (30, 5, 17)]
    lengths = torch.tensor([len(line) for line in lines])
    codes = codec(pad_sequence(lines, batch_first=True, padding_value=50.0), lengths)
    for row, line in enumerate(lines):
        alone = codec(line[None], lengths[row : row + 1])[0]
        assert codes[row, : len(line)].tolist() == alone.tolist()
    assert len(set(codes.flatten().tolist())) > 5


@torch.no_grad()
def test_a_vector_is_the_projected_entry_of_its_code_and_found_again() -> None:
    codec = randomised(SemanticCodec(CODEC))
    quantizer = codec.quantizer.quantizers[0]
    codes = torch.arange(CODEC.num_codes)
    entries = quantizer.codebook.weight
    expected = quantizer.out_project(entries.T[None])[0].T
    torch.testing.assert_close(codec.vectors(codes), expected)
    # In the small space the search is by direction, so that length does not matter.
    inverse = torch.linalg.pinv(quantizer.in_project.weight[..., 0])
    hidden = (3.0 * entries - quantizer.in_project.bias) @ inverse.T
    assert codec.quantizer(hidden[None])[0].tolist() == codes.tolist()


def test_weight_norm_is_folded_as_the_library_applies_it() -> None:
    for layer in (nn.Conv1d(4, 6, 3), nn.ConvTranspose1d(4, 6, 3), nn.Linear(5, 7)):
        normed = weight_norm(layer)
        state = {
            "x.weight_g": normed.parametrizations.weight.original0.detach() * 1.7,
            "x.weight_v": normed.parametrizations.weight.original1.detach(),
            "x.bias": normed.bias.detach(),
        }
        folded = fold_weight_norm(state)
        assert set(folded) == {"x.weight", "x.bias"}
        torch.testing.assert_close(folded["x.weight"], 1.7 * normed.weight.detach())


@torch.no_grad()
def test_style_reads_the_second_around_each_frame() -> None:
    encoder = randomised(StyleEncoder(STYLE))
    fbank = torch.randn(1, 420, 80)
    style = encoder(fbank)
    assert style.shape == (1, 192)
    swapped = torch.cat([fbank[:, 210:], fbank[:, :210]], dim=1)
    assert not torch.allclose(encoder(swapped), style, atol=1e-4)
    both = encoder(torch.cat([fbank, swapped]))
    torch.testing.assert_close(both[:1], style, atol=1e-4, rtol=1e-4)
