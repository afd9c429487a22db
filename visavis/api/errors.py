"""Every error becomes ``{"error_code", "error_msg"}``."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from visavis.contract.checking import complaint
from visavis.contract.errors import ApiError, ErrorCode

_OF_STATUS = {
    401: ErrorCode.UNAUTHORIZED,
    403: ErrorCode.NO_PERMISSION,
    404: ErrorCode.API_NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.BODY_TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
}


def response(error: ApiError) -> JSONResponse:
    """The answer of an error."""
    return JSONResponse(error.body(), status_code=error.code.status, headers=error.headers)


async def _api_error(request: Request, error: Any) -> JSONResponse:
    request.state.error_code = error.code.code  # for the audit log
    return response(error)


async def _validation_error(request: Request, error: Any) -> JSONResponse:
    return await _api_error(request, complaint(error.errors()))


def http_response(error: HTTPException) -> JSONResponse:
    """The answer of an error that Starlette raised."""
    code = _OF_STATUS.get(error.status_code)
    if code is None:
        code = ErrorCode.INTERNAL if error.status_code >= 500 else ErrorCode.INVALID_BODY
    answer = response(ApiError(code, headers=dict(error.headers or {})))
    answer.status_code = error.status_code
    return answer


async def _http_error(_: Request, error: Any) -> JSONResponse:
    return http_response(error)


def install(app: FastAPI) -> None:
    """Register the handlers. What none of them takes is answered 500 by the middleware."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
