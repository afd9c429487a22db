"""How the hearing model (visavis/motion/hearing.py) is made: speech, noise, training, figures."""
