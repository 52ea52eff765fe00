"""Clouds on the loopback interface, behind proxies that can spoil answers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from bootimg_uploaders.azure import gallery, replicating, retiring
from botocore.loaders import JSONFileLoader

from tests.integration.clouds.azurecommands import Galleries, Storage, compute_action, storage_action
from tests.support.clouds.azurite import azurite, connection_string
from tests.support.clouds.faultproxy import Proxy, fault_proxy
from tests.support.clouds.strictaws import StrictAws, strict_aws
from tests.support.clouds.strictazure import IDENTITY_HEADER, SUBSCRIPTION, StrictAzure, strict_azure
from tests.support.clouds.tlsfiles import make_certificate, server_context

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI", "AWS_CONFIG_FILE": "/none",
    "AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def descriptions() -> Iterator[None]:
    """boto3's descriptions of services are parsed once, not for every client."""
    parsed = cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: parsed(path))
        yield


@pytest.fixture
def aws() -> Iterator[StrictAws]:
    with strict_aws() as running:
        yield running


@pytest.fixture
def proxy(aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy of the server, for which the environment is set."""
    for name in ("AWS_PROFILE", "HTTP_PROXY", "http_proxy", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    with fault_proxy(aws.url) as running:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": running.url}.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture(scope="session")
def blob_server() -> Iterator[str]:
    with azurite() as url:
        yield url


@pytest.fixture
def storage(blob_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """An empty container behind a proxy, for which the environment is set."""
    for name in ("HTTP_PROXY", "http_proxy", "AZURE_SUBSCRIPTION_ID"):
        monkeypatch.delenv(name, raising=False)
    account = BlobServiceClient.from_connection_string(connection_string(blob_server))
    container = f"images-{uuid.uuid4().hex[:12]}"
    account.create_container(container)
    with fault_proxy(blob_server, action=storage_action) as proxy:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection_string(proxy.url))
        yield Storage(proxy, account, container)
    account.delete_container(container)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def identity(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictAzure]:
    """A machine whose identity has rights in Azure, for which the environment is set."""
    for name in ("HTTPS_PROXY", "https_proxy", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with strict_azure() as running:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{running.url}/token")
        monkeypatch.setenv("IDENTITY_HEADER", IDENTITY_HEADER)
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
        monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)
        yield running


@pytest.fixture
def galleries(
    storage: Storage,
    identity: StrictAzure,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Galleries]:
    """A gallery with definitions of both architectures, behind a proxy; what runs is looked at often."""
    for module in (gallery, replicating, retiring):
        monkeypatch.setattr(module, "_EVERY", 0.05)
    identity.define("rhcos-x86_64")
    identity.define("rhcos-aarch64", "Arm64")
    with fault_proxy(identity.url, action=compute_action, tls=server_context(*certificate)) as proxy:
        yield Galleries(proxy, identity, storage)
