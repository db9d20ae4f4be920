"""Runs the IndexTTS2 cases of the networks that read a voice: w2v-BERT, codec, CAM++."""

import torch
from torch.nn.utils.rnn import pad_sequence

from tests.parity.golden import Case
from tests.parity.lines import batches, lengths_of, load, numbered, outputs_of
from unitaf.tts.indextts2.campplus import StyleEncoder
from unitaf.tts.indextts2.codec import SemanticCodec
from unitaf.tts.indextts2.sizes import SpeechEncoderSizes, StyleSizes, read_codec_sizes
from unitaf.tts.indextts2.speech_encoder import SpeechEncoder
from unitaf.tts.indextts2.weight_norm import fold_weight_norm


def make_speech_encoder(case: Case, source: str, layers: int) -> SpeechEncoder:
    """Build the encoder of a case up to some layer."""
    file = Case(case.file.with_name(f"{source}.json"))
    config = file.json["config"]
    heads, inner = config["num_attention_heads"], config["intermediate_size"]
    encoder = SpeechEncoder(SpeechEncoderSizes(config["hidden_size"], inner, heads, layers))
    weights = file.weights()
    load(encoder.model, weights)
    encoder.mean.copy_(weights["stats.mean"])
    encoder.var.copy_(weights["stats.var"])
    return encoder.eval()


def run_speech_encoder(case: Case) -> None:
    used = case.json["config"]["layer"]
    encoder = make_speech_encoder(case, case.name, used)
    for lines in batches(numbered(case, "L")):
        values = [case.input(f"{line}/input_features") for line in lines]
        valid = torch.stack([case.input(f"{line}/mask").sum() for line in lines])
        with outputs_of({"model": encoder.model}) as found:
            normalised = encoder(pad_sequence(values, batch_first=True, padding_value=1.0), valid)
        for row, (line, length) in enumerate(zip(lines, lengths_of(values).tolist(), strict=True)):
            hidden = found["model"].last_hidden_state[row, :length]
            case.check(f"outputs/{line}/hidden", hidden)
            case.check(f"outputs/{line}/normalised", normalised[row, :length])
    for name in case.names("intermediates/"):
        line, kind = name.split("/")[1:]
        encoder = make_speech_encoder(case, case.name, int(kind.removeprefix("hidden_states")))
        mask = case.input(f"{line}/mask")[None]
        values = case.input(f"{line}/input_features")[None]
        case.check(name, encoder.model(values, attention_mask=mask).last_hidden_state[0])


def make_codec(case: Case, source: str) -> SemanticCodec:
    config = case.json["config"]
    if source:
        config = Case(case.file.with_name(f"weights_{source}.json")).json["config"]
    codec = SemanticCodec(read_codec_sizes(config))
    load(codec, fold_weight_norm(case.weights(source)))
    return codec


def run_codec(case: Case) -> None:
    codec = make_codec(case, "codec" if "weights_from" in case.json else "")
    inside = {"encoder_out": codec.encoder[1], "z_e": codec.quantizer.quantizers[0].in_project}
    for lines in batches(numbered(case, "L")):
        features = [case.input(f"{line}/features") for line in lines]
        padded = pad_sequence(features, batch_first=True, padding_value=5.0)
        with outputs_of(inside) as found:
            codes = codec(padded, lengths_of(features))
        for row, line in enumerate(lines):
            own = codes[row, : len(features[row])]
            case.check(f"outputs/{line}/codes", own)
            for name in case.names(f"outputs/{line}/"):
                if not name.endswith("/codes"):
                    case.check(name, codec.vectors(own))
            if len(lines) == 1:
                for name in case.names(f"intermediates/{line}/"):
                    case.check(name, found[name.split("/")[-1]][0])


def make_style_encoder(case: Case, source: str) -> StyleEncoder:
    config = case.json["config"]
    if source:
        config = Case(case.file.with_name(f"weights_{source}.json")).json["config"]
    sizes = StyleSizes(
        num_bins=config["feat_dim"],
        style_dim=config["embedding_size"],
        growth=config["growth_rate"],
        bottleneck=config["bn_size"],
        width=config["init_channels"],
    )
    encoder = StyleEncoder(sizes)
    weights = case.weights(source)
    counters = {k: v for k, v in encoder.state_dict().items() if k.endswith("num_batches_tracked")}
    load(encoder, {**counters, **weights})
    return encoder


def run_style_encoder(case: Case) -> None:
    encoder = make_style_encoder(case, "campplus" if "weights_from" in case.json else "")
    inside = {"head": encoder.head, **dict(encoder.xvector.named_children())}
    for line in numbered(case, "L"):
        with outputs_of(inside) as found:
            style = encoder(case.input(f"{line}/fbank")[None])
        case.check(f"outputs/{line}/style", style[0])
        found["stats"] = found["stats"][..., 0]
        for name in case.names(f"intermediates/{line}/"):
            case.check(name, found[name.split("/")[-1]][0])


RUNNERS = {
    ("indextts2", "w2vbert"): run_speech_encoder,
    ("indextts2", "codec"): run_codec,
    ("indextts2", "campplus"): run_style_encoder,
}
