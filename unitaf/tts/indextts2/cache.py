"""Where the GPT keeps keys and values while it decodes.

Every line has fixed slots: those of its prompt, which its beams share, then as many as it has beams
for each decoding step. A key is written once and never moves. What a beam may see is a mask over
the slots of its line, so when beams change parents only the mask is gathered. Lines can leave, and
room can grow.
"""

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor
from torch.nn import functional


class KeyValueCache:
    """Keys, values and the mask of what each beam has behind it.

    Call `attend_to_prompt` once for every layer, then for each step `begin_step` and
    `attend_to_past` for every layer.

    Args:
        prompt_lengths: Prompt tokens of every line.
        num_beams: Beams a line.
        capacity: Decoding steps that there is room for; more with `reserve`.
    """

    def __init__(
        self, prompt_lengths: Int[Tensor, " lines"], num_beams: int, capacity: int
    ) -> None:
        device = prompt_lengths.device
        self.device = device
        self.capacity = capacity
        self.num_beams = num_beams
        self.num_steps = 0
        self._num_prompt = int(prompt_lengths.max())
        self._keys: list[Float[Tensor, "lines heads slots head_dim"]] = []
        self._values: list[Float[Tensor, "lines heads slots head_dim"]] = []
        self._slots = torch.arange(num_beams, device=device) + self._num_prompt - num_beams
        self._own = torch.eye(num_beams, dtype=torch.bool, device=device)
        self._visible = self._blank_mask(prompt_lengths)
        self.num_read = self.num_slots

    @property
    def num_slots(self) -> int:
        """Slots a line has."""
        return self._num_prompt + self.capacity * self.num_beams

    @property
    def num_used(self) -> int:
        """Slots that have been written, those of the present step included."""
        return self._num_prompt + self.num_steps * self.num_beams

    def attend_to_prompt(
        self,
        layer: int,
        query: Float[Tensor, "lines heads steps head_dim"],
        key: Float[Tensor, "lines heads steps head_dim"],
        value: Float[Tensor, "lines heads steps head_dim"],
    ) -> Float[Tensor, "lines heads steps head_dim"]:
        """Attend causally inside the prompts and keep their keys and values."""
        assert layer == len(self._keys)
        self._keys.append(self._with_room(key))
        self._values.append(self._with_room(value))
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True)

    def begin_step(self, parents: Int64[Tensor, "lines beams"]) -> None:
        """Make each beam the child of a beam of the step before, and open its slot of this step."""
        assert self.num_steps < self.capacity
        index = parents[:, None, :, None].expand_as(self._visible)
        self._visible.copy_(self._visible.gather(2, index))
        self.num_steps += 1
        self._slots.add_(self.num_beams)
        own = self._own.expand(len(parents), 1, -1, -1)
        self._visible.index_copy_(3, self._slots, own)

    def attend_to_past(
        self,
        layer: int,
        query: Float[Tensor, "lines heads beams head_dim"],
        key: Float[Tensor, "lines heads beams head_dim"],
        value: Float[Tensor, "lines heads beams head_dim"],
    ) -> Float[Tensor, "lines heads beams head_dim"]:
        """Keep the keys and values of this step; attend to what each beam may see.

        The first `num_read` slots are read: all written ones at least.
        """
        self._keys[layer].index_copy_(2, self._slots, key)
        self._values[layer].index_copy_(2, self._slots, value)
        return functional.scaled_dot_product_attention(
            query,
            self._keys[layer][:, :, : self.num_read],
            self._values[layer][:, :, : self.num_read],
            attn_mask=self._visible[..., : self.num_read],
        )

    def keep(self, lines: Int64[Tensor, " kept"]) -> None:
        """Let all other lines leave."""
        self._visible = self._visible[lines]
        for layer, (key, value) in enumerate(zip(self._keys, self._values, strict=True)):
            self._keys[layer], self._values[layer] = key[lines], value[lines]

    def reserve(self, capacity: int) -> None:
        """Make room for more decoding steps."""
        self.capacity = capacity
        room = self.num_slots - self._visible.shape[3]
        self._visible = functional.pad(self._visible, (0, room))
        for layer, (key, value) in enumerate(zip(self._keys, self._values, strict=True)):
            self._keys[layer] = functional.pad(key, (0, 0, 0, room))
            self._values[layer] = functional.pad(value, (0, 0, 0, room))
        self.num_read = self.num_slots

    def _with_room(self, prompt: Tensor) -> Tensor:
        return functional.pad(prompt, (0, 0, 0, self.num_slots - prompt.shape[2]))

    def _blank_mask(
        self, prompt_lengths: Int[Tensor, " lines"]
    ) -> Bool[Tensor, "lines 1 beams slots"]:
        slots = torch.arange(self.num_slots, device=prompt_lengths.device)
        visible = slots < prompt_lengths[:, None]
        return visible[:, None, None, :].repeat(1, 1, self.num_beams, 1)
