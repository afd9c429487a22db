"""H.264 for real time: libx264 through PyAV, one thread, one packet out for each picture in."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import av
from av.video.frame import PictureType

from visavis.errors import VisavisError
from visavis.media.clock import VIDEO_RATE
from visavis.media.types import I420, EncodedFrame

_TIME_BASE: Final = Fraction(1, VIDEO_RATE)

# ITU-T H.264 table A-1: (level, macroblocks per frame, macroblocks per second, kbit/s of the Baseline profile).
_LEVELS: Final = (
    ("3.0", 1620, 40_500, 10_000),
    ("3.1", 3600, 108_000, 14_000),
    ("3.2", 5120, 216_000, 20_000),
    ("4.0", 8192, 245_760, 20_000),
    ("4.2", 8704, 522_240, 50_000),
    ("5.0", 22_080, 589_824, 135_000),
    ("5.1", 36_864, 983_040, 240_000),
)


class EncoderError(VisavisError):
    """An encoder cannot work with what it was given."""


def level_for(width: int, height: int, fps: int, bitrate_kbps: int = 0) -> str:
    """The lowest H.264 level (of 3.0 and above) that such a picture fits, e.g. "3.1" for 720x1280 at 25 fps."""
    blocks = -(-width // 16) * -(-height // 16)
    for level, max_blocks, max_rate, max_kbps in _LEVELS:
        if blocks <= max_blocks and blocks * fps <= max_rate and bitrate_kbps <= max_kbps:
            return level
    raise EncoderError(f"{width}x{height} at {fps} fps is more than H.264 level 5.1 allows")


class H264Encoder:
    """Constrained Baseline, zero latency. Not thread-safe, but ``encode`` releases the GIL: call it in a worker thread.

    Bitrate control is average bitrate under a VBV of half a second with a floor on the quantiser: a moving picture gets
    ``bitrate_kbps``, a resting one costs next to nothing. Pictures are tagged BT.601, limited range.
    """

    def __init__(
        self, width: int, height: int, fps: int = 25, bitrate_kbps: int = 2500, preset: str = "ultrafast"
    ) -> None:
        """``preset``: x264's; only what is encoded ahead of time can afford another. Raises EncoderError for odd or too large sizes."""
        if width % 2 or height % 2 or width < 16 or height < 16:
            raise EncoderError(f"{width}x{height}: width and height must be even and at least 16")
        if not 1 <= fps <= 120 or bitrate_kbps < 50:
            raise EncoderError(f"{fps} fps at {bitrate_kbps} kbit/s is out of range")
        self.width, self.height, self.fps, self.bitrate_kbps = width, height, fps, bitrate_kbps
        codec = av.CodecContext.create("libx264", "w")
        codec.width, codec.height = width, height
        codec.pix_fmt = "yuv420p"
        codec.framerate = Fraction(fps, 1)
        codec.time_base = _TIME_BASE
        codec.bit_rate = bitrate_kbps * 1000
        codec.thread_count = 1
        codec.profile = "Baseline"
        codec.options = {
            "preset": preset,
            "tune": "zerolatency",
            "forced-idr": "1",
            "level": level_for(width, height, fps, bitrate_kbps),
            "maxrate": str(bitrate_kbps * 1000),
            "bufsize": str(bitrate_kbps * 500),
            # Below this quantiser nothing more is to be seen; without it a resting picture eats the whole bitrate.
            "qmin": "18",
            "color_range": "tv",
            "colorspace": "smpte170m",
            "color_primaries": "smpte170m",
            "color_trc": "smpte170m",
            # A viewer that joins or loses data asks for an IDR; the regular one every 10 s is for those that do not.
            "x264-params": f"keyint={fps * 10}:scenecut=0:repeat-headers=1:annexb=1:bframes=0",
        }
        codec.open()
        self._codec = codec
        self._picture: I420 | None = None
        self._frame: av.VideoFrame | None = None

    def encode(self, i420: I420, pts_90k: int, force_idr: bool = False) -> EncodedFrame:
        """Encode one picture.

        Args:
            i420: shape (height * 3 // 2, width), C-contiguous; read during the call only. Passing the same array again
                saves wrapping it.
            pts_90k: presentation time in 1/90000 s; must rise.
            force_idr: make it an IDR with SPS and PPS.
        """
        if i420.shape != (self.height * 3 // 2, self.width):
            raise EncoderError(f"picture of shape {i420.shape}, wanted {(self.height * 3 // 2, self.width)}")
        frame = self._frame
        if frame is None or i420 is not self._picture:
            # Wraps the array without copying; x264 makes its own copy of the planes.
            frame = av.VideoFrame.from_numpy_buffer(i420, format="yuv420p")
            frame.time_base = _TIME_BASE
            self._picture, self._frame = i420, frame
        frame.pts = pts_90k
        frame.pict_type = PictureType.I if force_idr else PictureType.NONE
        packets = self._codec.encode(frame)
        if len(packets) != 1:
            raise EncoderError(f"x264 gave {len(packets)} packets for one picture")
        packet = packets[0]
        return EncodedFrame(bytes(packet), pts_90k, packet.is_keyframe)
