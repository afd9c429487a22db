"""The RTC room: tokens, peers, offer and answer, WHEP, TURN credentials, fan-out of encoded packets."""
