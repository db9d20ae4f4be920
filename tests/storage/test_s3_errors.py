import pytest
from botocore.exceptions import ClientError, SSLError

from unitaf.storage.s3_errors import explain, is_transient


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (503, "SlowDown", True),
        (500, "InternalError", True),
        (502, "502", True),
        (429, "TooManyRequests", True),
        (409, "ConditionalRequestConflict", True),
        (400, "RequestTimeout", True),
        (409, "BucketNotEmpty", False),
        (501, "NotImplemented", False),
        (403, "AccessDenied", False),
        (404, "NoSuchBucket", False),
        (301, "PermanentRedirect", False),
    ],
)
def test_only_what_passes_is_tried_again(status: int, code: str, expected: bool) -> None:
    assert is_transient(answer(status, code)) is expected


def test_a_certificate_that_is_not_trusted_is_not_tried_again() -> None:
    error = SSLError(endpoint_url="https://a", error="certificate verify failed")
    assert not is_transient(error)
    assert "certificate verify failed" in explain(error)


def test_the_advice_says_what_to_set() -> None:
    assert "set AWS_REGION" in explain(answer(301, "PermanentRedirect"))
    assert explain(answer(400, "Unheard")) == "what the server said (Unheard)"


def answer(status: int, code: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "what the server said"},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "PutObject",
    )
