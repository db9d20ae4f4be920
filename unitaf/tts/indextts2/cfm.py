"""Conditional flow matching: noise to mel along the estimated velocity (Lipman et al. 2023).

A fixed number of Euler steps with classifier-free guidance. The mel of the voice stands in front of
the line as a prompt; that part of the noise is kept at zero. Lines of different length, with
prompts of different length, flow together; the state is kept in float32 whatever the estimator's
type.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from unitaf.tts.indextts2.conformer import frame_mask
from unitaf.tts.indextts2.dit import Estimator
from unitaf.tts.indextts2.sizes import S2MelSizes

PUBLISHED_STEPS = 25
PUBLISHED_GUIDANCE = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class FlowInput:
    """One line for the flow."""

    content: Float[Tensor, "frames content"]
    """Content of the voice, then of the line."""
    prompt: Float[Tensor, "mels prompt_frames"]
    """Log mel of the voice."""
    style: Float[Tensor, " style"]
    noise: Float[Tensor, "mels frames"]
    """Standard normal; what stands in the prompt's place is not used."""


class Flow(nn.Module):
    """The estimator and the way along it.

    Args:
        sizes: Published or reduced sizes.
    """

    def __init__(self, sizes: S2MelSizes) -> None:
        super().__init__()
        self.estimator = Estimator(sizes)

    def forward(
        self,
        lines: Sequence[FlowInput],
        num_steps: int = PUBLISHED_STEPS,
        guidance: float = PUBLISHED_GUIDANCE,
    ) -> list[Float[Tensor, "mels _"]]:
        """Make the log mel of every line, without its prompt.

        Args:
            lines: What to make; best of similar length.
            num_steps: Euler steps.
            guidance: How far to go beyond the velocity without prompt, style and content; 0 is not
            at all.
        """
        batch = _Batch.of(lines, is_guided=guidance != 0.0)
        dtype = self.estimator.conv2.weight.dtype
        times = torch.linspace(0.0, 1.0, num_steps + 1, device=batch.state.device)
        schedule = self.estimator.schedule(times[:-1])
        around = self.estimator.surroundings(
            batch.prompt.to(dtype), batch.content.to(dtype), batch.style.to(dtype), batch.lengths
        )
        state = batch.state
        rows = len(batch.lengths) // len(lines)
        for step in range(num_steps):
            noisy = state.to(dtype).repeat(rows, 1, 1)
            velocity = self.estimator(noisy, around, schedule, step).float()
            if guidance != 0.0:
                told, untold = velocity.chunk(2)
                velocity = (1.0 + guidance) * told - guidance * untold
            state = (state + (times[step + 1] - times[step]) * velocity) * batch.is_line
        return [
            mel[:, line.prompt.shape[1] : len(line.content)]
            for mel, line in zip(state, lines, strict=True)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Lines padded at the right; where guided, all of them again with nothing told."""

    state: Float[Tensor, "lines mels frames"]
    is_line: Bool[Tensor, "lines 1 frames"]
    """False in the prompt and behind the end."""
    prompt: Float[Tensor, "batch mels frames"]
    content: Float[Tensor, "batch frames content"]
    style: Float[Tensor, "batch style"]
    lengths: Int64[Tensor, " batch"]

    @classmethod
    def of(cls, lines: Sequence[FlowInput], *, is_guided: bool) -> "_Batch":
        content = pad_sequence([line.content for line in lines], batch_first=True)
        frames = content.shape[1]
        lengths = torch.tensor([len(line.content) for line in lines], device=content.device)
        starts = torch.tensor([line.prompt.shape[1] for line in lines], device=content.device)
        is_line = frame_mask(lengths, frames) & ~frame_mask(starts, frames)
        noise = _stacked([line.noise for line in lines], frames).float()
        prompt = _stacked([line.prompt for line in lines], frames)
        style = torch.stack([line.style for line in lines])
        if is_guided:
            prompt = torch.cat([prompt, torch.zeros_like(prompt)])
            content = torch.cat([content, torch.zeros_like(content)])
            style = torch.cat([style, torch.zeros_like(style)])
            lengths = lengths.repeat(2)
        return cls(noise * is_line[:, None], is_line[:, None], prompt, content, style, lengths)


def _stacked(
    mels: Sequence[Float[Tensor, "mels _"]], frames: int
) -> Float[Tensor, "lines mels frames"]:
    return torch.stack([functional.pad(mel, (0, frames - mel.shape[1])) for mel in mels])
