"""Error codes of the published API, each with its HTTP status and message.

The codes are the publicly listed ones; the publication rarely gives a status, so the fitting one is chosen here. Where
two public pages disagree (``MSS.00000002``) it means an invalid body.
"""

from __future__ import annotations

from enum import Enum

from visavis.errors import VisavisError


class ErrorCode(Enum):
    """(error_code, HTTP status, message)."""

    SUCCESS = ("MSS.00000000", 200, "success")
    INTERNAL = ("MSS.00000001", 500, "Internal error")
    INVALID_BODY = ("MSS.00000002", 400, "Invalid request body")
    BODY_TOO_LARGE = ("MSS.00000002", 413, "Request body too large")
    UNSUPPORTED_MEDIA_TYPE = ("MSS.00000002", 415, "Unsupported content type")
    INVALID_PARAMETER = ("MSS.00000003", 400, "Invalid parameter")
    ASSET_NOT_FOUND = ("MSS.00000003", 404, "Asset not found")
    NOT_FOUND = ("MSS.00000003", 404, "Not found")
    EXISTS = ("MSS.00000003", 409, "It exists already")
    IN_USE = ("MSS.00000003", 409, "It is in use")
    VERSION_CONFLICT = ("MSS.00000003", 412, "It was changed meanwhile")
    QUOTA_EXCEEDED = ("MSS.00000003", 409, "The project has too many of these")
    NOT_NOW = ("MSS.00000003", 409, "Its state does not allow this")
    BUCKET_UNUSABLE = ("MSS.00000003", 400, "Nothing can be written to the bucket")
    UNAUTHORIZED = ("MSS.00000004", 401, "Unauthorized")
    API_NOT_FOUND = ("MSS.00010003", 404, "API not found")
    METHOD_NOT_ALLOWED = ("MSS.00010004", 405, "Method not allowed")
    INVALID_TOKEN = ("MSS.00010008", 401, "Invalid token")
    TENANT_MISMATCH = ("MSS.00010009", 403, "The project does not match the credentials")
    ROOM_NOT_FOUND = ("MSS.20010045", 404, "Room not found")
    ROOM_JOB_EXISTS = ("MSS.20010046", 409, "The room has a running job")
    JOB_NOT_FOUND = ("MSS.20010074", 404, "Job not found")
    RESOURCE_FULL = ("MSS.20010089", 503, "No worker has room for another job")
    CONCURRENCY_EXCEEDED = ("MSS.20010135", 409, "The room's concurrency is exhausted")
    HEARTBEAT_FAILED = ("MSS.20010146", 500, "Heartbeat failed")
    WORKER_FAILED = ("MSS.47000001", 500, "The worker failed")
    DIALOG_NOT_FOUND = ("MSS.47010001", 404, "The dialog does not exist")
    TOO_FREQUENT = ("MSS.47010004", 429, "Too much at once")
    DIALOG_FINISHED = ("MSS.47010012", 409, "The dialog has finished")
    STATE_UNAVAILABLE = ("MSS.47010014", 409, "The dialog is not in a state that allows this")
    ROBOT_NOT_FOUND = ("MSS.47010033", 404, "Robot not found")
    ROBOT_IN_USE = ("MSS.47010034", 409, "The robot is in use")
    ROBOT_UNUSABLE = ("MSS.47010035", 400, "The robot cannot be used")
    START_FAILED = ("MSS.47010037", 400, "The job could not be started")
    ACTIVE_CODE_FAILED = ("MSS.47010043", 401, "The activation code is wrong, or not for this room, robot or device")
    ACTIVE_CODE_LOCKED = ("MSS.47010044", 429, "Too many wrong activation codes")
    ACTIVE_CODE_EXPIRED = ("MSS.47010045", 401, "The activation code has expired")
    ONCE_CODE_FAILED = ("MSS.47010046", 401, "The one-time code is wrong, used or expired")
    ONCE_CODE_LOCKED = ("MSS.47010047", 429, "Too many wrong one-time codes")
    NO_PERMISSION = ("MSS.47010063", 403, "No permission")
    DRIVE_INTERNAL = ("MSS.47010100", 500, "The drive connection failed")
    DRIVE_PARSE = ("MSS.47010101", 400, "The frame cannot be read")
    DRIVE_ROBOT_EMPTY = ("MSS.47010102", 400, "The robot id is empty")
    DRIVE_UNKNOWN_ACTION = ("MSS.47010103", 400, "Unknown command")
    DRIVE_TIMEOUT = ("MSS.47010104", 408, "The driver was silent for too long")
    DRIVE_TOKEN_INVALID = ("MSS.47010105", 401, "The token is wrong, used or expired")
    DRIVE_QUERY_INVALID = ("MSS.47010106", 400, "The query is invalid")
    LLM_REPLY_EMPTY = ("MSS.47010130", 400, "The third-party language model gives no usable reply")
    LLM_URL_EMPTY = ("MSS.47010131", 400, "The URL of the third-party language model is empty")
    LLM_URL_INVALID = ("MSS.47010134", 400, "The URL of the third-party language model is invalid")
    EXTEND_PARAM_INVALID = ("MSS.47010152", 400, "extend_param is invalid")
    DRIVEN_NOT_FROM_PAGE = ("MSS.47015010", 403, "A job that a third party drives is not started from the page")
    THROTTLED = ("APIGW.0308", 429, "Too many requests")

    @property
    def code(self) -> str:
        """The published ``error_code``."""
        return self.value[0]

    @property
    def status(self) -> int:
        """The HTTP status it is answered with."""
        return self.value[1]

    @property
    def message(self) -> str:
        """What ``error_msg`` begins with."""
        return self.value[2]


class ApiError(VisavisError):
    """A request that fails on purpose. ``detail`` is shown to the caller: it must hold no secret."""

    def __init__(self, code: ErrorCode, detail: str = "", headers: dict[str, str] | None = None) -> None:
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        super().__init__(self.error_msg)

    @property
    def error_msg(self) -> str:
        """The ``error_msg`` of the answer."""
        return f"{self.code.message}: {self.detail}" if self.detail else self.code.message

    def body(self) -> dict[str, str]:
        """The answer's body."""
        return {"error_code": self.code.code, "error_msg": self.error_msg}
