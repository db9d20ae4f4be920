"""Runs the IndexTTS2 cases of decoding: every mode, alone and in batches, and the beam rules."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from tests.parity.golden import Case
from tests.parity.indextts2_gpt_cases import conditions_of, ids_of, make_gpt
from tests.parity.lines import batches, numbered
from unitaf.tts.indextts2.beam_search import BeamSearch
from unitaf.tts.indextts2.decoding import SKIPPED_POSITION, decode, make_search
from unitaf.tts.indextts2.gpt import SpeechGpt
from unitaf.tts.indextts2.prompt import generation_prompts
from unitaf.tts.indextts2.search import (
    Choice,
    Noise,
    Path,
    Rules,
    Sampling,
    Search,
    Vocabulary,
    nucleus,
)
from unitaf.tts.indextts2.teaching import code_latents

Trace = dict[str, list[Tensor]]


class StoredNoise:
    """Noise that stands in a case: rows are steps, columns beams x codes.

    Args:
        tables: One for each line; steps behind the end repeat the last.
    """

    def __init__(self, tables: list[Tensor]) -> None:
        self._tables = tables

    def exponential(self, lines: Tensor, step: int, index: Tensor) -> Tensor:
        rows = [self._tables[line] for line in lines.tolist()]
        steps = [table[min(step, len(table) - 1)] for table in rows]
        return torch.stack(steps).gather(1, index)


class TracedSearch:
    """Keeps what a search sees and chooses at each step, for each line until it is done."""

    def __init__(self, search: Search, rules: Rules) -> None:
        self._search, self._rules = search, rules
        self.traces: list[Trace] = [defaultdict(list) for _ in range(len(search.lines))]

    num_beams = property(lambda self: self._search.num_beams)
    max_steps = property(lambda self: self._search.max_steps)
    lines = property(lambda self: self._search.lines)
    done = property(lambda self: self._search.done)

    def advance(self, logits: Tensor) -> Choice:
        seen = {"logits": logits, **self._scores(logits)}
        is_open = ~self.done
        choice = self._search.advance(logits)
        seen["next_tokens"], seen["next_beams"] = choice.codes, choice.parents
        if isinstance(self._search, BeamSearch):
            seen["next_scores"] = self._search.scores
        for row, line in enumerate(self.lines.tolist()):
            for name, value in seen.items():
                if is_open[row]:
                    self.traces[line][name].append(value[row])
        return choice

    def keep(self, lines: Tensor) -> None:
        self._search.keep(lines)

    def paths(self) -> list[Path]:
        return self._search.paths()

    def _scores(self, logits: Tensor) -> dict[str, Tensor]:
        if isinstance(self._search, BeamSearch):
            scores = self._search.processed(logits)
            found = self._search.propose(logits)
            names = {
                "cand_scores": found.scores,
                "cand_tokens": found.codes,
                "cand_beams": found.beams,
            }
            return {"processed_scores": self._filtered(scores), **names}
        scores = self._search.penalised(logits)[:, None]
        return {"penalised_logits": scores, "processed_scores": self._filtered(scores)}

    def _filtered(self, scores: Tensor) -> Tensor:
        if self._rules.sampling is None:
            return scores
        min_kept = min(self.num_beams, 2)
        kept, codes = nucleus(scores, self._rules.sampling, min_kept)
        return torch.full_like(scores, float("-inf")).scatter(-1, codes, kept)


def read_rules(decoding: dict[str, float]) -> Rules:
    sampling = None
    if decoding["do_sample"]:
        sampling = Sampling(decoding["temperature"], decoding["top_k"], decoding["top_p"])
    return Rules(decoding["num_beams"], decoding["repetition_penalty"], sampling)


def stored_noise(case: Case, lines: list[str]) -> Noise:
    names = [f"{line}/exponential_noise" for line in lines]
    return StoredNoise([case.input(n) for n in names if f"inputs/{n}" in case.tensors])


def run_decoding(case: Case) -> None:
    gpt = make_gpt(case)
    rules = read_rules(case.json["decoding"])
    for lines in batches(numbered(case, "L")):
        limits = torch.full((len(lines),), case.json["decoding"]["max_new_codes"])
        inner = make_search(gpt.sizes, rules, limits, stored_noise(case, lines))
        search = TracedSearch(inner, rules)
        conditions, texts = conditions_of(case, gpt, lines), ids_of(case, lines, "text_ids")
        with _network_trace(gpt) as network:
            prompts = generation_prompts(gpt, conditions, texts)
            paths = decode(gpt, prompts, search, SKIPPED_POSITION).paths
        if len(lines) == 1:
            search.traces[0].update(network)
        latents = code_latents(gpt, conditions, texts, [path.codes for path in paths])
        for row, (line, path) in enumerate(zip(lines, paths, strict=True)):
            results = _results(path, latents[row, : len(path.codes)], gpt.sizes.stop_code)
            _check_line(case, line, results, search.traces[row])


@contextmanager
def _network_trace(gpt: SpeechGpt) -> Iterator[Trace]:
    """Collect the state of the last step and the code position, of every pass."""
    trace: Trace = {"decode_states": [], "mel_positions": []}
    hooks = [
        gpt.final_norm.register_forward_hook(
            lambda _module, _inputs, output: trace["decode_states"].append(output[0, -1])
        ),
        gpt.mel_pos_embedding.register_forward_pre_hook(
            lambda _module, inputs: trace["mel_positions"].append(inputs[0].flatten()[0])
        ),
    ]
    try:
        yield trace
    finally:
        for hook in hooks:
            hook.remove()


def _results(path: Path, latents: Tensor, stop: int) -> dict[str, Tensor]:
    codes = torch.tensor(path.codes, dtype=torch.int64)
    return {
        "codes": codes,
        "codes_with_stop": torch.tensor([*path.codes, *([stop] if path.is_stopped else [])]),
        "latents": latents,
        "sequence_score": torch.tensor([path.score]),
        "score": torch.tensor(path.score),
    }


def _check_line(case: Case, line: str, results: dict[str, Tensor], trace: Trace) -> None:
    for name in case.names(f"outputs/{line}/"):
        case.check(name, results[name.split("/")[-1]])
    for name in case.names(f"intermediates/{line}/"):
        kind, stored = name.split("/")[-1], case.tensors[name]
        if kind not in trace:
            continue
        steps = torch.stack(trace[kind])
        if kind in ("logits", "processed_scores"):
            steps = steps[: len(stored)]
        case.check(name, steps.reshape(len(steps), *stored.shape[1:]))


def run_beam_rules(case: Case) -> None:
    config = case.json["config"]
    vocabulary = Vocabulary(config["vocabulary"], config["start"], config["stop"])
    for entry in case.json["tables"]:
        line = entry["table"]
        rules = read_rules({**config["sampling"], **entry, "num_beams": config["num_beams"]})
        noise = stored_noise(case, [line])
        inner = BeamSearch(vocabulary, rules, torch.tensor([entry["max_new_codes"]]), noise)
        search = TracedSearch(inner, rules)
        table = case.input(f"{line}/table")
        last = torch.full((1, rules.num_beams), vocabulary.start)
        for step in range(entry["max_new_codes"]):
            last = search.advance(table[step][last]).codes
            if search.done:
                break
        path = search.paths()[0]
        case.check_equal(f"{line} steps", step + 1, entry["steps"])
        _check_line(case, line, _results(path, torch.zeros(0), vocabulary.stop), search.traces[0])


RUNNERS = {
    ("indextts2", "gpt_greedy"): run_decoding,
    ("indextts2", "gpt_sample"): run_decoding,
    ("indextts2", "gpt_beam"): run_decoding,
    ("indextts2", "gpt_beam_sample"): run_decoding,
    ("indextts2", "beam_rules"): run_beam_rules,
}
