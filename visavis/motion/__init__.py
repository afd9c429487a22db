"""Motion: what a face does, frame by frame, independent of how it is drawn."""

from visavis.motion.articulation import SpeechTrack
from visavis.motion.director import Director
from visavis.motion.envelope import EnvelopeTrack
from visavis.motion.frame import ARKIT, ARKIT_INDEX, Head, MotionFrame
from visavis.motion.life import Life, Mode

__all__ = ["ARKIT", "ARKIT_INDEX", "Director", "EnvelopeTrack", "Head", "Life", "Mode", "MotionFrame", "SpeechTrack"]
