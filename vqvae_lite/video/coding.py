"""Clips as codes: made once, stored in a compact file, and given to training in windows."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from vqvae_lite.checks import check_classes, check_positive_int
from vqvae_lite.codefile import pack_codes, read_packed, reading, unpack_codes, write_packed
from vqvae_lite.encoding import encode_images
from vqvae_lite.images import TensorImages
from vqvae_lite.model import VQVAE
from vqvae_lite.modules import fingerprint
from vqvae_lite.video.clips import Clips

VIDEO_FORMAT = "vqvae-lite video codes 1"


class VideoCodes(NamedTuple):
    """What a file of codes of clips holds; the lists have one item for each clip.

    Attributes:
        codes: int64 (T, h, w) each.
        actions: int64 (T - 1,) each; None where nothing is known of what was done.
        action_names: of the actions; None as above.
        num_codes: K.
        names: of the clips.
        model: fingerprint of the model whose codes they are.
        source: the folder they come from; "" for the mazes that ship with the book.
    """

    codes: list[Tensor]
    actions: list[Tensor] | None
    action_names: tuple[str, ...] | None
    num_codes: int
    names: list[str]
    model: str
    source: str


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
        action_names=clips.actions,
        num_codes=model.config.num_codes,
        names=names,
        model=fingerprint(model),
        source=source,
    )


def write_video_codes(path: str | Path, file: VideoCodes) -> int:
    """Writes a file of codes of clips through a rename, so that it is whole or absent.

    Returns:
        Its size in bytes.
    """
    header = {
        **file._asdict(),
        "format": VIDEO_FORMAT,
        "shapes": [list(clip.shape) for clip in file.codes],
        "actions": file.actions and [clip.tolist() for clip in file.actions],
    }
    del header["codes"]
    flat = torch.cat([clip.flatten() for clip in file.codes])
    return write_packed(path, header, pack_codes(flat, file.num_codes))


def read_video_codes(path: str | Path) -> VideoCodes:
    """Reads a file of codes of clips.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is truncated, or no file of codes of clips.
    """
    header, packed = read_packed(path, VIDEO_FORMAT)
    with reading(path):
        del header["format"]
        shapes, actions, names = header.pop("shapes"), header["actions"], header["action_names"]
        sizes = [frames * height * width for frames, height, width in shapes]
        flat = unpack_codes(packed, sum(sizes), header["num_codes"])
        codes = [clip.view(shape) for clip, shape in zip(flat.split(sizes), shapes, strict=True)]
        if actions is not None:
            header["actions"] = [torch.tensor(clip) for clip in actions]
            header["action_names"] = tuple(names)
            for clip, done in zip(codes, header["actions"], strict=True):
                check_classes("actions", done, (len(clip) - 1,), len(names))
        if len(header["names"]) != len(codes):
            raise ValueError(f"{len(header['names'])} names for {len(codes)} clips")
        return VideoCodes(codes=codes, **header)
