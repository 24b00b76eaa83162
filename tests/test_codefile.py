"""Files of codes: what was written before still reads."""

from pathlib import Path

import pytest
import torch

from vqvae_lite.codefile import read_codes
from vqvae_lite.sound.codefile import read_sound_codes
from vqvae_lite.video.coding import read_video_codes

OLD = Path(__file__).parent / "data" / "codes"
MODEL = "0123456789ab"


def ramp(*shape, num_codes, first=0):
    """The codes in the files of before: every seventh in turn, from the one numbered `first`."""
    count = torch.Size(shape).numel()
    return ((torch.arange(count) + first) * 7 % num_codes).view(shape)


def same(codes, expected):
    return [row.tolist() for row in codes] == [row.tolist() for row in expected]


def test_files_of_images_written_before_still_read():
    file = read_codes(OLD / "images.codes")
    assert same(file.codes, ramp(3, 4, 5, num_codes=20))
    assert (file.num_codes, file.model) == (20, MODEL)
    assert file.names == ["a.png", "b.jpg", "sub/ü.png"]
    file = read_codes(OLD / "images_of_two_codebooks.codes")
    assert same(file.codes, ramp(2, 2, 3, 4, num_codes=512))
    assert (file.num_codes, file.names, file.model) == (512, ["a.png", "b.jpg"], MODEL)


def test_a_file_of_sound_written_before_still_reads():
    file = read_sound_codes(OLD / "sound.codes")
    lengths = [(1, 0), (3, 1), (8, 4)]
    assert same(file.codes, [ramp(count, num_codes=300, first=at) for count, at in lengths])
    assert (file.num_codes, file.hop, file.rate, file.model) == (300, 64, 8000, MODEL)
    assert (file.names, file.speakers) == (["a", "b/c", "d"], ["ann", "", "bob"])
    assert file.lengths == [1, 192, 449]


@pytest.mark.parametrize("actions", [True, False])
def test_a_file_of_clips_written_before_still_reads(actions):
    file = read_video_codes(OLD / ("video.codes" if actions else "video_without_actions.codes"))
    assert same(file.codes, [ramp(3, 2, 3, num_codes=10), ramp(2, 2, 3, num_codes=10, first=18)])
    assert (file.num_codes, file.names, file.model) == (10, ["one", "two"], MODEL)
    assert file.source == ("mazes" if actions else "")
    if actions:
        assert same(file.actions, [torch.tensor([0, 2]), torch.tensor([1])])
        assert file.action_names == ("left", "right", "on")
    else:
        assert file.actions is None
        assert file.action_names is None
