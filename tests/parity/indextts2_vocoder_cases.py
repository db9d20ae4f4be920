"""Runs the IndexTTS2 cases of the vocoder."""

from contextlib import ExitStack

import torch
from torch import Tensor, nn

from tests.parity.golden import Case
from tests.parity.lines import batches, load, numbered, outputs_of
from unitaf.tts.indextts2.bigvgan import Ends, FilteredActivation, Vocoder, lowpass_taps
from unitaf.tts.indextts2.sizes import read_vocoder_sizes
from unitaf.tts.indextts2.weight_norm import fold_weight_norm


def make_vocoder(case: Case, source: str) -> Vocoder:
    config = case.json["config"]
    if source:
        config = Case(case.file.with_name(f"weights_{source}.json")).json["config"]
    vocoder = Vocoder(read_vocoder_sizes(config))
    weights = case.weights(source)
    folded = {key: value for key, value in weights.items() if key.startswith("folded/")}
    plain = fold_weight_norm({k: v for k, v in weights.items() if k not in folded})
    for key, value in folded.items():
        case.check_equal(key, torch.equal(plain[key.removeprefix("folded/")], value), True)
    load(vocoder, plain)
    return vocoder


def run_vocoder(case: Case) -> None:
    vocoder = make_vocoder(case, "bigvgan" if "weights_from" in case.json else "")
    inside: dict[str, nn.Module] = {
        "conv_pre": vocoder.conv_pre,
        "activation_post": vocoder.activation_post,
        **{f"up{i}": up for i, up in enumerate(vocoder.ups)},
        **{f"resblock{i}": block for i, block in enumerate(vocoder.resblocks)},
    }
    for lines in batches(numbered(case, "L")):
        mels = [case.input(f"{line}/mel") for line in lines]
        lengths = torch.tensor([mel.shape[1] for mel in mels])
        longest = int(lengths.max())
        padded = [nn.functional.pad(m, (0, longest - m.shape[1]), value=4.0) for m in mels]
        with outputs_of(inside) as found:
            waves = vocoder(torch.stack(padded), lengths)
        for row, line in enumerate(lines):
            case.check(f"outputs/{line}/wave", waves[row, : vocoder.hop * lengths[row]])
            if len(lines) == 1:
                for name in case.names(f"intermediates/{line}/"):
                    case.check(name, found[name.split("/")[-1]][0])
    if "inputs/act/x" in case.tensors:
        _check_activation(case)


def _check_activation(case: Case) -> None:
    signal = case.input("act/x")[None]
    activation = FilteredActivation(signal.shape[1])
    load(activation, {"act.alpha": case.input("act/alpha"), "act.beta": case.input("act/beta")})
    calls: list[tuple[Tensor, Tensor]] = []
    with ExitStack() as stack:
        hook = activation.act.register_forward_hook(
            lambda _module, inputs, output: calls.append((inputs[0], output))
        )
        stack.callback(hook.remove)
        result = activation(signal, Ends.of(torch.tensor([signal.shape[2]]), signal.shape[2]))
    case.check("outputs/act/y", result[0])
    case.check("intermediates/filter12", lowpass_taps())
    upsampled, activated = calls[0]
    case.check("intermediates/act/upsampled", upsampled[0])
    case.check("intermediates/act/snakebeta", activated[0])


RUNNERS = {("indextts2", "bigvgan"): run_vocoder}
