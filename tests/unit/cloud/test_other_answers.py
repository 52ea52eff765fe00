"""How answers of IBM's and Alibaba's clouds are understood, whatever a server or a proxy puts into them."""

from __future__ import annotations

import pytest
from alibabacloud_oss_v2 import exceptions as oss
from alibabacloud_tea_openapi.exceptions import ClientException, ServerException, ThrottlingException
from bootimg_uploaders.aliyun import faults as aliyun
from bootimg_uploaders.ibm import faults as ibm
from darabonba.exceptions import RetryError, UnretryableException
from darabonba.policy.retry import RetryPolicyContext
from ibm_botocore import exceptions

from bootimg.cloud.retry import TransientError
from bootimg.errors import BootimgError


def hide(text: str) -> str:
    return text.replace("SECRET", "[hidden]")


def of_cos(code: str, status: int) -> exceptions.ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {"retry-after": "3"}}
    response = {"Error": {"Code": code, "Message": "key SECRET"}, "ResponseMetadata": metadata}
    return exceptions.ClientError(response, "Call")


def of_token(status: int) -> exceptions.CredentialRetrievalError:
    return exceptions.CredentialRetrievalError(provider="x", error_msg=f"HttpCode({status}) - SECRET")


def of_oss(code: str, status: int) -> oss.OperationError:
    error = oss.ServiceError(code=code, status_code=status, message="key SECRET", request_id="", ec="",
                             timestamp="", request_target="", headers={"Retry-After": "3"})  # fmt: skip
    return oss.OperationError(name="Call", error=error)


def unretryable(inner: Exception) -> UnretryableException:
    return UnretryableException(RetryPolicyContext(retries_attempted=1, exception=inner))


@pytest.mark.parametrize(
    ("error", "found", "after"),
    [(of_cos("SlowDown", 503), "transient", 3), (of_cos("", 429), "transient", 3),
     (of_cos("InvalidAccessKeyId", 403), "cloud-credentials-refused", 0),
     (of_cos("AccessDenied", 403), "cloud-permission-missing", 0),
     (of_cos("NoSuchBucket", 404), "cloud-bucket-missing", 0), (of_cos("NoSuchKey", 404), "CosError", 0),
     (of_token(503), "transient", 0), (of_token(429), "transient", 0),
     (of_token(400), "cloud-credentials-refused", 0),
     (exceptions.EndpointConnectionError(endpoint_url="SECRET"), "transient", 0),
     (exceptions.NoCredentialsError(), "cloud-credentials-missing", 0)],
)  # fmt: skip
def test_ibm(error: Exception, found: str, after: float) -> None:
    with pytest.raises(Exception) as raised, ibm.converted("cos:Call in x", hide):
        raise error
    check(raised.value, found, after)


@pytest.mark.parametrize(
    ("error", "found", "after"),
    [(ThrottlingException(status_code=400, code="Throttling.User", message="SECRET", retry_after=3000),
      "transient", 3),
     (ServerException(status_code=500, code="InternalError", message="SECRET"), "transient", 0),
     (ClientException(status_code=404, code="InvalidAccessKeyId.NotFound", message="SECRET"),
      "cloud-credentials-refused", 0),
     (ClientException(status_code=403, code="Forbidden.RAM", message="SECRET"),
      "cloud-permission-missing", 0),
     (ClientException(status_code=400, code="Strange", message="SECRET"), "AliyunError", 0),
     (unretryable(RetryError("SECRET")), "transient", 0), (unretryable(KeyError("x")), "KeyError", 0),
     (of_oss("ServiceUnavailable", 503), "transient", 3),
     (of_oss("NoSuchBucket", 404), "cloud-bucket-missing", 0),
     (of_oss("BadErrorResponse", 404), "AliyunError", 0), (of_oss("BadErrorResponse", 502), "transient", 3),
     (of_oss("SecurityTokenExpired", 403), "cloud-credentials-refused", 0),
     (oss.OperationError(name="x", error=oss.RequestError(error="SECRET")), "transient", 0),
     (oss.DeserializationError(error="SECRET"), "transient", 0)],
)  # fmt: skip
def test_alibaba(error: Exception, found: str, after: float) -> None:
    with pytest.raises(Exception) as raised, aliyun.converted("ecs:Call in x", hide):
        raise error
    check(raised.value, found, after)


def check(value: Exception, found: str, after: float) -> None:
    if found == "transient":
        assert isinstance(value, TransientError)
        assert value.after == after
    elif isinstance(value, BootimgError):
        assert value.id == found
        assert "SECRET" not in " ".join([*value.context, value.message])
    else:
        assert type(value).__name__ == found
        inner = getattr(value, "error", None)
        assert "SECRET" not in " ".join(inner.context if inner else ())
    assert "SECRET" not in str(value)
