"""What an error of an S3 server means: whether to try again, and what to tell the user."""

import socket

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

_TRANSIENT_CODES = {
    "ConditionalRequestConflict",
    "OperationAborted",
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "TooManyRequests",
}
_ACCESS = (
    "the key may not do this; it needs s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject"
)
_REGION = "set AWS_REGION to the region of the bucket"
_ADVICE = {
    "AccessDenied": _ACCESS,
    "403": _ACCESS,
    "AuthorizationHeaderMalformed": _REGION,
    "ExpiredToken": "the session token has expired; renew the credentials",
    "InvalidAccessKeyId": "the server does not know the key; check AWS_ACCESS_KEY_ID",
    "NoSuchBucket": "there is no such bucket; create it or correct the name of the store",
    "NoSuchKey": "there is no such object",
    "404": "there is no such object",
    "NotImplemented": "the server does not know this request; use one with conditional writes",
    "PermanentRedirect": _REGION,
    "RequestTimeTooSkewed": "the clock of this machine is wrong; set it",
    "SignatureDoesNotMatch": "the secret does not fit the key; check AWS_SECRET_ACCESS_KEY",
}


def status_of(error: ClientError) -> int:
    """Return the HTTP status of a server's answer."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def is_transient(error: ClientError | BotoCoreError) -> bool:
    """Return whether the same request may succeed later."""
    if isinstance(error, ClientError):
        if error.response["Error"]["Code"] in _TRANSIENT_CODES:
            return True
        return status_of(error) == 429 or (status_of(error) >= 500 and status_of(error) != 501)
    if isinstance(error, SSLError) or _is_unknown_host(error):
        return False
    return isinstance(error, BotoConnectionError | HTTPClientError | IncompleteReadError)


def explain(error: ClientError | BotoCoreError) -> str:
    """Return what went wrong and what to do, as the end of a sentence."""
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        return f"{_ADVICE.get(code, error.response['Error']['Message'])} ({code})"
    if _is_unknown_host(error):
        return f"{error}: no machine has that name; check AWS_ENDPOINT_URL"
    if isinstance(error, EndpointConnectionError):
        return f"{error}; is the server up, and AWS_ENDPOINT_URL right?"
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return f"{error}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile"
    return " ".join(str(error).split())


def _is_unknown_host(error: BotoCoreError) -> bool:
    """Return whether the host's name does not resolve, for a reason that will not pass."""
    if not isinstance(error, EndpointConnectionError):
        return False
    cause: BaseException | None = error.kwargs["error"]
    while cause is not None and not isinstance(cause, socket.gaierror):
        cause = cause.__cause__
    return cause is not None and cause.errno != socket.EAI_AGAIN
