"""A real S3 server (moto's, over HTTP on a free port of 127.0.0.1) for the tests of reports and recordings.

It checks signatures and permissions: only the key of its one user may write.
"""

from __future__ import annotations

import json
import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from visavis.store.buckets import BucketStore

BUCKET = "conversations"


class BucketServer:
    """One store with one empty bucket. It can be stopped, and started again on its port."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._port = 0
        self._server: ThreadedMotoServer | None = None
        self.start()
        self._moto("reset")
        self._moto("reset-auth", "inf")
        iam = self._client("iam", "any", "any")
        self.key, self.secret = self._user(iam, "writer")
        self._iam = iam
        self.forbid()
        self.stranger = self._user(iam, "stranger")
        self._moto("reset-auth", "0")
        self._iam = self._client("iam", self.key, self.secret)
        self.admin = self._client("s3", self.key, self.secret)
        self.admin.create_bucket(Bucket=BUCKET)

    def start(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self._port, verbose=False)
        self._server.start()
        self._port = self._server.get_host_and_port()[1]

    def stop(self) -> None:
        self._server.stop()
        self._server = None

    def refresh(self) -> None:
        """For the next test: it runs, and is empty."""
        if self._server is None:
            self.start()
        self.forbid()
        for key in self.keys():
            self.admin.delete_object(Bucket=BUCKET, Key=key)

    def forbid(self, *keys: str) -> None:
        """The key may do everything but with objects of these names (``*`` stands for anything)."""
        allowed = {"Effect": "Allow", "Action": ["s3:*", "iam:*"], "Resource": "*"}
        denied = [{"Effect": "Deny", "Action": "s3:*", "Resource": f"arn:aws:s3:::{BUCKET}/{key}"} for key in keys]
        policy = {"Version": "2012-10-17", "Statement": [allowed, *denied]}
        self._iam.put_user_policy(UserName="writer", PolicyName="all", PolicyDocument=json.dumps(policy))

    def _moto(self, what: str, body: str = "") -> None:
        url = f"{self.endpoint}/moto-api/{what}"
        request = urllib.request.Request(url, body.encode(), {"Content-Type": "text/plain"}, method="POST")
        urllib.request.urlopen(request).close()

    def _client(self, service: str, key: str, secret: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    @staticmethod
    def _user(iam: Any, name: str) -> tuple[str, str]:
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def store(self, project_id: str = "p1", **more: Any) -> BucketStore:
        """As an operator would set it for a project."""
        values = {"project_id": project_id, "endpoint": self.endpoint, "access_key": self.key, "secret": self.secret}
        return BucketStore(**{**values, **more})

    def body(self, switch: str, **more: Any) -> dict[str, Any]:
        """The body of a configuration that is on."""
        return {switch: True, "obs_bucket_name": BUCKET, "obs_endpoint": self.endpoint, **more}

    def keys(self) -> list[str]:
        return sorted(one["Key"] for one in self.admin.list_objects_v2(Bucket=BUCKET).get("Contents", []))

    def read(self, key: str) -> bytes:
        found: bytes = self.admin.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return found

    def content_type(self, key: str) -> str:
        return str(self.admin.head_object(Bucket=BUCKET, Key=key)["ContentType"])

    def lines(self, key: str) -> list[dict[str, Any]]:
        """A JSON Lines object."""
        return [json.loads(line) for line in self.read(key).decode().splitlines()]


@contextmanager
def bucket_server() -> Iterator[BucketServer]:
    server = BucketServer()
    try:
        yield server
    finally:
        server.refresh()
        server.stop()
