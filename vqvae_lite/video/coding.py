"""Clips as codes: made once, as they are stored, and given to training in windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from vqvae_lite.checks import check_classes, check_ints, check_positive_int, check_strings
from vqvae_lite.codefile import CodeFile
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import TensorImages
from vqvae_lite.model import VQVAE
from vqvae_lite.modules import fingerprint
from vqvae_lite.video.clips import Clips


@dataclass(frozen=True, eq=False)
class VideoCodes(CodeFile):
    """The codes of clips, in memory and in a file of codes: (T, h, w) each.

    Attributes:
        actions: int64 (T - 1,) each; None where nothing is known of what was done.
        action_names: of the actions; None as above.
        source: the folder they come from; "" for the mazes that ship with the book.
    """

    actions: list[Tensor] | None
    action_names: list[str] | None
    source: str

    kind = "video"
    ranks = (3,)
    alike = 1
    of_each = ("actions",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_strings("source", [self.source], 1)
        if self.actions is None or self.action_names is None:
            if self.actions is not self.action_names:
                raise ValueError("actions and action_names must be given together")
            return
        check_strings("action_names", self.action_names, len(self.action_names))
        if len(self.actions) != len(self.codes):
            raise ValueError(f"actions must be of {len(self.codes)} clips, got {len(self.actions)}")
        for frames, steps in zip(self.lengths_of_codes(), self.actions, strict=True):
            check_classes("actions", steps, (frames - 1,), len(self.action_names))

    @classmethod
    def from_json(cls, more: dict[str, Any]) -> dict[str, Any]:
        """See `CodeFile.from_json`: lists of numbers become tensors."""
        actions = more["actions"]
        if more["action_names"] is None and actions in (None, [None] * len(actions or ())):
            return {**more, "actions": None}
        for steps in actions:
            check_ints("actions", steps, least=0)
        return {**more, "actions": [torch.tensor(steps, dtype=torch.int64) for steps in actions]}


class VideoBatch(NamedTuple):
    """Windows of clips.

    Attributes:
        codes: int64 (B, length, h, w).
        actions: int64 (B, length - 1); without a column where the clips have no actions.
    """

    codes: Tensor
    actions: Tensor


class VideoWindows(Dataset):
    """Every window of so many frames out of clips.

    Args:
        codes: int64 (T, h, w) each.
        actions: int64 (T - 1,) each, or None.
        length: frames in a window, at least 2. A shorter clip gives none.

    Raises:
        TypeError: `length` is no int.
        ValueError: it is below 2, or no clip is that long.
    """

    def __init__(self, codes: Sequence[Tensor], actions: Sequence[Tensor] | None, length: int):
        check_positive_int(length=length)
        if length < 2:
            raise ValueError(f"length must be at least 2 frames, got {length}")
        self.codes, self.length = codes, length
        self.actions = actions or [clip.new_empty(0) for clip in codes]
        self.windows = [
            (clip, start)
            for clip, frames in enumerate(codes)
            for start in range(len(frames) - length + 1)
        ]
        if not self.windows:
            longest = max((len(frames) for frames in codes), default=0)
            raise ValueError(f"no clip has a window of {length} frames: the longest has {longest}")

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> VideoBatch:
        return VideoBatch(*(part[0] for part in self.__getitems__([index])))

    def __getitems__(self, indices: Sequence[int]) -> VideoBatch:
        chosen = [self.windows[index] for index in indices]
        end = self.length
        return VideoBatch(
            torch.stack([self.codes[clip][start : start + end] for clip, start in chosen]),
            torch.stack([self.actions[clip][start : start + end - 1] for clip, start in chosen]),
        )


def encode_clips(
    model: VQVAE, clips: Clips, source: str = "", progress: bool = False
) -> VideoCodes:
    """The codes of every frame of every clip, by the model in eval mode.

    Args:
        model: with one codebook, on any device.
        clips: such as `MazeClips`.
        source: where they come from.
        progress: whether to show a bar.

    Raises:
        ValueError: the model has several codebooks; or as `FolderClips` on reading.
    """
    if model.config.num_codebooks != 1:
        raise ValueError(
            f"a dynamics model is for one codebook, got {model.config.num_codebooks} of them"
        )
    names, codes, actions = [], [], []
    for clip in tqdm(clips, unit="clip", disable=not progress):
        names.append(clip.name)
        codes.append(encode_images(model, TensorImages(clip.frames)))
        actions.append(clip.actions)
    return VideoCodes(
        codes=codes,
        actions=None if clips.actions is None else actions,
        action_names=None if clips.actions is None else list(clips.actions),
        num_codes=model.config.num_codes,
        names=names,
        model=fingerprint(model),
        source=source,
    )
