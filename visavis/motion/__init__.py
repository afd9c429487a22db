"""Motion: what a face does, frame by frame, independent of how it is drawn."""

from visavis.motion.articulation import SpeechTrack
from visavis.motion.director import Director
from visavis.motion.frame import ARKIT, ARKIT_INDEX, Head, MotionFrame
from visavis.motion.gestures import GESTURES, Gesture
from visavis.motion.hearing import HearingTrack
from visavis.motion.life import Life, Mode
from visavis.motion.loops import Loop, loop

__all__ = [
    "ARKIT",
    "ARKIT_INDEX",
    "GESTURES",
    "Director",
    "Gesture",
    "Head",
    "HearingTrack",
    "Life",
    "Loop",
    "Mode",
    "MotionFrame",
    "SpeechTrack",
    "loop",
]
