"""What went wrong between us and an object store, in one line: what, why, what to do; never a secret."""

from __future__ import annotations

from collections.abc import Iterator

from vidinfer.address import shown
from vidinfer.errors import SourceError, SourceRefused, SourceUnreachable

__all__ = ["storage_failure"]

_CREDENTIALS = "renew or correct the credentials (`aws sts get-caller-identity` tells which are used)"
# What stores answer, by their own codes. Their sentences are not passed on: some of them quote keys and tokens.
_REFUSED = {
    "NoSuchBucket": "there is no such bucket; check its name and the endpoint",
    "AccessDenied": "access denied; ask for the right to list the bucket and to read from it",
    "403": "access denied; ask for the right to list the bucket and to read from it",
    "Forbidden": "access denied; ask for the right to list the bucket and to read from it",
    "ExpiredToken": f"the credentials have expired; {_CREDENTIALS}",
    "ExpiredTokenException": f"the credentials have expired; {_CREDENTIALS}",
    "TokenRefreshRequired": f"the credentials have expired; {_CREDENTIALS}",
    "RequestExpired": f"the credentials have expired, or the clock of this machine is wrong; {_CREDENTIALS}",
    "RequestTimeTooSkewed": "the clock of this machine is wrong; set it (e.g. `timedatectl set-ntp true`)",
    "InvalidAccessKeyId": f"the access key is not known there; {_CREDENTIALS}",
    "InvalidToken": f"the session token is not valid; {_CREDENTIALS}",
    "InvalidClientTokenId": f"the session token is not valid; {_CREDENTIALS}",
    "SignatureDoesNotMatch": f"the secret key does not belong to the access key; {_CREDENTIALS}",
    "InvalidObjectState": "archived (e.g. Glacier); restore it first",
    "PreconditionFailed": "it changed while it was read; run again once nobody writes to it",
    "412": "it changed while it was read; run again once nobody writes to it",
    "PermanentRedirect": "the bucket is in another region; set AWS_DEFAULT_REGION to it",
    "301": "the bucket is in another region; set AWS_DEFAULT_REGION to it",
}
_BY_CLASS = {
    "NoCredentialsError": "no credentials found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
    "for a public bucket FSSPEC_S3_ANON=true",
    "PartialCredentialsError": "only half of the credentials is set; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
    "belong together",
    "ProfileNotFound": "there is no profile of that name; check AWS_PROFILE",
    "TokenRetrievalError": f"the credentials have expired; {_CREDENTIALS}",
    "UnauthorizedSSOTokenError": f"the credentials have expired; {_CREDENTIALS}",
    "DefaultCredentialsError": "no credentials found; run `gcloud auth application-default login`",
    "RefreshError": "the credentials have expired; run `gcloud auth application-default login`",
    "ClientAuthenticationError": "the credentials are missing or wrong; log in again",
}
_UNREACHABLE = (
    *(
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "ConnectionError",
        "HTTPClientError",
    ),
    *(
        "ClientConnectorError",
        "ConnectionClosedError",
        "ServerTimeoutError",
        "FSTimeoutError",
        "TimeoutError",
    ),
    *(
        "ServiceRequestError",
        "gaierror",
        "ClientError_timeout",
        "ConnectionRefusedError",
        "ProxyConnectionError",
    ),
)


def storage_failure(url: str, error: BaseException) -> SourceError:
    """The error to raise for what an object store, or the way to it, did to ``url``."""
    at = shown(url)
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, SourceError):
            return one
        code = _code(one)
        if code in _REFUSED:
            return SourceRefused(f"{at}: {_REFUSED[code]}")
    names = [kind.__name__ for one in chain for kind in type(one).__mro__]
    for name in names:
        if name in _BY_CLASS:
            return SourceRefused(f"{at}: {_BY_CLASS[name]}")
    if any(isinstance(one, FileNotFoundError) for one in chain):
        return SourceError(f"{at}: no such object (any more); check the name")
    if any(isinstance(one, PermissionError) for one in chain):
        return SourceRefused(f"{at}: {_REFUSED['AccessDenied']}")
    if any(name in _UNREACHABLE for name in names):
        return SourceUnreachable(
            f"{at}: the store does not answer; check the network and the endpoint (AWS_ENDPOINT_URL)"
        )
    codes = ", ".join(filter(None, [type(error).__name__, *map(_code, chain)]))
    return SourceError(f"{at}: the store cannot be read ({codes}); try again, then ask those who run it")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _code(error: BaseException) -> str:
    """What botocore's errors carry as the store's own code."""
    response = getattr(error, "response", None)
    found = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
    return found if isinstance(found, str) else ""
