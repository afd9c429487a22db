"""Videos inside packs, made by strangers: looked at before they are decoded, and never decoded beyond what they declare."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

import av
import av.error
import numpy as np
import numpy.typing as npt

from visavis.avatar.archive import PackError

CODECS: Final = ("h264",)
MAX_RATE: Final = 1_000_000
"""Bytes a picture: a video that needs more of them is no idle loop."""

I420 = npt.NDArray[np.uint8]


def probe(data: bytes, width: int, height: int, count: int) -> None:
    """Look at the head of the video ``data``: it must be an mp4 of ``count`` H.264 pictures of that size.

    Raises:
        PackError: what is wrong with it. Pictures are not decoded: see :func:`pictures`.
    """
    if len(data) > count * MAX_RATE:
        raise PackError(f"the video takes more than {MAX_RATE} bytes a picture")
    try:
        with _opened(data) as container:
            stream = _stream(container, width, height)
            # Some muxers do not say; then the count is known when all is decoded.
            if stream.frames not in (0, count):
                raise PackError(f"the video has {stream.frames} pictures, must have {count}")
    except (av.error.FFmpegError, ValueError) as error:
        raise PackError(f"the video cannot be read ({_reason(error)})") from None


def pictures(data: bytes, width: int, height: int, count: int) -> Iterator[I420]:
    """The ``count`` pictures of the video, each of shape (height * 3 // 2, width); never one more.

    Raises:
        PackError: it is damaged, of another size, or has more or fewer pictures.
    """
    seen = 0
    try:
        with _opened(data) as container:
            stream = _stream(container, width, height)
            stream.codec_context.thread_count = 1
            for frame in container.decode(stream):
                if (frame.width, frame.height) != (width, height):
                    raise PackError(f"the video changes its size to {frame.width}x{frame.height}")
                if seen == count:
                    raise PackError(f"the video has more than {count} pictures")
                yield np.ascontiguousarray(frame.to_ndarray(format="yuv420p"))
                seen += 1
    except (av.error.FFmpegError, ValueError) as error:
        raise PackError(f"the video is damaged ({_reason(error)})") from None
    if seen != count:
        raise PackError(f"the video has {seen} pictures, must have {count}")


def _opened(data: bytes) -> av.container.InputContainer:
    # The format is given, so that nothing is guessed: a playlist would make the reader open other files.
    return av.open(io.BytesIO(data), "r", format="mp4")


def _stream(container: av.container.InputContainer, width: int, height: int) -> av.VideoStream:
    streams = container.streams
    if len(streams.video) != 1 or len(streams) != 1:
        raise PackError("the video must hold one stream of pictures and nothing else")
    stream = streams.video[0]
    codec = stream.codec_context
    if codec.name not in CODECS:
        raise PackError(f"the video is coded as {codec.name}, must be {' or '.join(CODECS)}")
    if (codec.width, codec.height) != (width, height):
        raise PackError(f"the video is {codec.width}x{codec.height}, must be {width}x{height}")
    if codec.pix_fmt not in ("yuv420p", "yuvj420p"):
        raise PackError(f"the video's pixels are {codec.pix_fmt}, must be yuv420p")
    return stream


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
