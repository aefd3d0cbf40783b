"""Versioned puts, deletes and copies while the platform is killed: what was acknowledged is there, whole, and nothing else but
the one operation per key that was on its way."""
import hashlib
import random
import threading
import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from conftest import Platform

KEYS, ROUNDS = 4, 3


def client(platform):
    return boto3.client("s3", endpoint_url=platform.url, region_name="us-east-1", aws_access_key_id="000000000000", aws_secret_access_key="x",
                        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, connect_timeout=2, read_timeout=10))


class Key:
    """What one writer did to one key: version id -> bytes (None: a delete marker), in order."""

    def __init__(self, name):
        self.name, self.acknowledged, self.pending, self.operations = name, {}, None, 0

    def work(self, platform, seed, stop):
        s3, random_ = client(platform), random.Random(seed)
        while not stop.is_set():
            kind = random_.choice(["put", "put", "large", "delete", "copy", "remove"])
            body = random_.randbytes({"large": 3 << 20}.get(kind, 2000))
            objects = [v for v, b in self.acknowledged.items() if b is not None]
            version = random_.choice(objects) if objects else None
            if kind in ("copy", "remove") and not version:
                continue
            at = {"Bucket": "kept", "Key": self.name}
            try:
                if kind == "delete":
                    self.pending = ("add", None)
                    self.acknowledged[s3.delete_object(**at)["VersionId"]] = None
                elif kind == "copy":
                    self.pending = ("add", self.acknowledged[version])
                    made = s3.copy_object(**at, CopySource={**at, "VersionId": version})["VersionId"]
                    self.acknowledged[made] = self.acknowledged[version]
                elif kind == "remove":
                    self.pending = ("remove", version)
                    s3.delete_object(**at, VersionId=version)
                    del self.acknowledged[version]
                else:
                    self.pending = ("add", body)
                    self.acknowledged[s3.put_object(**at, Body=body)["VersionId"]] = body
                self.pending = None
                self.operations += 1
            except (BotoCoreError, ClientError, ConnectionError):
                return

    def check(self, s3, listed):
        """`listed`: (version id, is latest, is an object), newest first."""
        want = dict(self.acknowledged)
        found = {version for version, _, _ in listed}
        if self.pending and self.pending[0] == "remove":
            if self.pending[1] not in found:
                del want[self.pending[1]]
        extra = found - set(want)
        assert set(want) <= found, f"{self.name}: lost {set(want) - found}"
        assert len(extra) <= (1 if self.pending and self.pending[0] == "add" else 0), f"{self.name}: {extra} was never sent"
        for version in extra:
            want[version] = self.pending[1]
        order = [version for version in want if version not in extra] + list(extra)
        assert [version for version, _, _ in listed] == order[::-1]
        assert [latest for _, latest, _ in listed] == [i == 0 for i in range(len(listed))]
        for version, _, is_object in listed:
            assert is_object == (want[version] is not None)
            if is_object:
                body = s3.get_object(Bucket="kept", Key=self.name, VersionId=version)["Body"].read()
                assert hashlib.md5(body).digest() == hashlib.md5(want[version]).digest()
        if listed and listed[0][2]:
            assert s3.get_object(Bucket="kept", Key=self.name)["VersionId"] == listed[0][0]
        else:
            with pytest.raises(ClientError, match="NoSuchKey"):
                s3.get_object(Bucket="kept", Key=self.name)
        self.acknowledged, self.pending = {version: want[version] for version in order}, None


def versions_of(s3):
    found = {}
    for page in s3.get_paginator("list_object_versions").paginate(Bucket="kept", PaginationConfig={"PageSize": 7}):
        rows = [(v["Key"], v["LastModified"], v, True) for v in page.get("Versions", [])]
        rows += [(v["Key"], v["LastModified"], v, False) for v in page.get("DeleteMarkers", [])]
        for key, _, version, is_object in rows:
            found.setdefault(key, []).append((version["VersionId"], version["IsLatest"], is_object))
    return found


def in_order(s3, key):
    """One version a page: the only way to see objects and delete markers of a key in their common order."""
    rows, marker = [], {}
    while True:
        page = s3.list_object_versions(Bucket="kept", Prefix=key, MaxKeys=1, **marker)
        rows += [(v["VersionId"], v["IsLatest"], True) for v in page.get("Versions", [])]
        rows += [(v["VersionId"], v["IsLatest"], False) for v in page.get("DeleteMarkers", [])]
        if not page["IsTruncated"]:
            return rows
        marker = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}


def test_acknowledged_versions_survive_kill(binary, tmp_path):
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    platform = Platform(binary, tmp_path, "--empty", "--sync", "always")
    try:
        s3 = client(platform)
        s3.create_bucket(Bucket="kept")
        s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        keys = [Key(f"key-{i}") for i in range(KEYS)]
        for round_ in range(ROUNDS):
            stop = threading.Event()
            workers = [threading.Thread(target=key.work, args=(platform, f"{seed}-{round_}-{key.name}", stop)) for key in keys]
            [worker.start() for worker in workers]
            done = sum(key.operations for key in keys)
            deadline = time.monotonic() + 20
            while sum(key.operations for key in keys) < done + 60 and time.monotonic() < deadline:
                time.sleep(0.005)
            platform.kill()
            stop.set()
            [worker.join() for worker in workers]
            platform.start()
            s3 = client(platform)
            found = versions_of(s3)
            for key in keys:
                rows = in_order(s3, key.name)
                assert sorted(rows) == sorted(found.get(key.name, []))
                key.check(s3, rows)
        for key in keys:
            for version, _, _ in in_order(s3, key.name):
                s3.delete_object(Bucket="kept", Key=key.name, VersionId=version)
        s3.delete_bucket(Bucket="kept")
    finally:
        platform.stop()
