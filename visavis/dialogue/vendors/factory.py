"""From a robot's account to its dialogue."""

from __future__ import annotations

import time
from collections.abc import Callable

from visavis.dialogue.model import Patience
from visavis.dialogue.types import Dialogue
from visavis.dialogue.vendors.aiui import Aiui
from visavis.dialogue.vendors.cbs import Cbs
from visavis.dialogue.vendors.dialogue import VendorDialogue
from visavis.dialogue.vendors.mobvoi import Mobvoi
from visavis.dialogue.vendors.spark import Spark
from visavis.dialogue.vendors.types import Account, Service
from visavis.urlpolicy import OPERATORS


def create(
    account: Account,
    patience: Patience | None = None,
    clock: Callable[[], float] = time.time,
) -> Dialogue:
    """The dialogue of one session with a vendor's service.

    Args:
        clock: epoch seconds; requests are signed with their time.
    """
    # Where the services are is the operator's setting, so that it may be anywhere.
    service: Service
    match account.kind:
        case "aiui":
            service = Aiui(account, OPERATORS, clock)
        case "cbs":
            service = Cbs(account, OPERATORS, clock)
        case "mobvoi":
            service = Mobvoi(account, OPERATORS, clock)
        case "spark":
            service = Spark(account, OPERATORS.speaking("ws", "wss"), clock)
    return VendorDialogue(service, patience)
