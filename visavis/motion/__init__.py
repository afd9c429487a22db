"""Motion: what a face does, frame by frame, independent of how it is drawn."""

from visavis.motion.frame import ARKIT, ARKIT_INDEX, Head, MotionFrame

__all__ = ["ARKIT", "ARKIT_INDEX", "Head", "MotionFrame"]
