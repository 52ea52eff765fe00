"""How answers of AWS are understood, whatever a server or a proxy puts into them."""

from __future__ import annotations

import email.utils
import time

import pytest
from bootimg_uploaders.aws.faults import converted
from botocore import exceptions

from bootimg.cloud.retry import TransientError, wait_of
from bootimg.errors import BootimgError


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [("", 0, 0), ("7", 7, 7), ("-5", 0, 0), ("soon", 0, 0), ("9" * 400, 300, 300), ("³", 0, 0),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0), ("Wed, 99 Oct 2015", 0, 0),
     ("Fri, 31 Dec 9999 23:59:59 GMT", 300, 300), ("0", 0, 0), ("1e3", 0, 0)],
)  # fmt: skip
def test_retry_after(text: str, least: float, most: float) -> None:
    assert least <= wait_of(text) <= most


def test_retry_after_a_date_that_comes_soon() -> None:
    assert 1 <= wait_of(email.utils.formatdate(time.time() + 100, usegmt=True)) <= 101


def answer(code: str, status: int) -> exceptions.ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {"retry-after": "3"}}
    response = {"Error": {"Code": code, "Message": "key SECRET"}, "ResponseMetadata": metadata}
    return exceptions.ClientError(response, "Call")


@pytest.mark.parametrize(
    ("error", "fresh", "found"),
    [(answer("RequestLimitExceeded", 503), False, "transient"), (answer("", 429), False, "transient"),
     (answer("", 502), False, "transient"), (answer("InvalidAMIID.NotFound", 400), True, "transient"),
     (answer("InvalidAMIID.NotFound", 400), False, "AwsError"),
     (answer("ExpiredToken", 400), False, "cloud-credentials-refused"),
     (answer("AccessDenied", 403), False, "cloud-permission-missing"),
     (exceptions.EndpointConnectionError(endpoint_url="SECRET"), False, "transient"),
     (exceptions.ReadTimeoutError(endpoint_url="x"), False, "transient"),
     (exceptions.NoCredentialsError(), False, "cloud-credentials-missing"),
     (exceptions.ProfileNotFound(profile="SECRET"), False, "cloud-credentials-missing")],
)  # fmt: skip
def test_errors_of_the_sdk(error: Exception, fresh: bool, found: str) -> None:
    hidden = converted("ec2:Call in x", fresh=fresh, scrub=lambda text: text.replace("SECRET", "[hidden]"))
    with pytest.raises(Exception) as raised, hidden:
        raise error
    value = raised.value
    if found == "transient":
        assert isinstance(value, TransientError)
        assert value.after == (3 if isinstance(error, exceptions.ClientError) else 0)
    elif found == "AwsError":
        assert type(value).__name__ == found
    else:
        assert isinstance(value, BootimgError)
        assert value.id == found
        assert "SECRET" not in " ".join([*value.context, value.message])
    assert "SECRET" not in str(value)
