"""Versions, aliases and layers while the platform is killed: what was acknowledged is there and runs, numbers are never given twice."""
import json
import pathlib
import random
import sys
import threading
import time

from botocore.exceptions import BotoCoreError, ClientError

from conftest import Platform

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "conformance/lambda"))
from lambda_support import answer, make, package  # noqa: E402

ROUNDS = 3


class Writer:
    """What one client did to one function: version -> text that it answers; the alias' versions; layer version -> digest."""

    def __init__(self, name):
        self.name, self.versions, self.alias, self.layers, self.step = name, {}, [None], {}, 0

    def work(self, platform, stop):
        functions = platform.client("lambda")
        while not stop.is_set():
            self.step += 1
            text = f"{self.name}-{self.step}"
            try:
                made = functions.update_function_code(FunctionName=self.name, ZipFile=answer(text), Publish=True)
                self.versions[int(made["Version"])] = text
                self.alias.append(made["Version"])
                change = functions.create_alias if self.alias[0] is None else functions.update_alias
                if change == functions.create_alias:
                    try:
                        change(FunctionName=self.name, Name="live", FunctionVersion=made["Version"])
                    except functions.exceptions.ResourceConflictException:  # made just before the kill
                        functions.update_alias(FunctionName=self.name, Name="live", FunctionVersion=made["Version"])
                else:
                    change(FunctionName=self.name, Name="live", FunctionVersion=made["Version"])
                self.alias = [made["Version"]]
                layer = functions.publish_layer_version(LayerName=self.name, Content={"ZipFile": package({"f.txt": text})})
                assert layer["Version"] not in self.layers
                self.layers[layer["Version"]] = layer["Content"]["CodeSha256"]
            except (BotoCoreError, ClientError, ConnectionError):
                if not stop.is_set():
                    raise
                return

    def check(self, functions):
        listed = [int(v["Version"]) for page in functions.get_paginator("list_versions_by_function").paginate(FunctionName=self.name)
                  for v in page["Versions"] if v["Version"] != "$LATEST"]
        assert set(self.versions) <= set(listed) and len(listed) <= len(self.versions) + ROUNDS, (self.versions, listed)
        for version in random.sample(sorted(self.versions), min(3, len(self.versions))):
            assert json.load(functions.invoke(FunctionName=self.name, Qualifier=str(version))["Payload"])["text"] == self.versions[version]
        # An alias that was moved when the kill came may point to either version; it never points to one that is not there.
        now = functions.get_alias(FunctionName=self.name, Name="live")["FunctionVersion"]
        assert int(now) in listed
        if len(self.alias) == 1:
            assert now == self.alias[0]
        self.alias = [now]
        layers = {v["Version"] for page in functions.get_paginator("list_layer_versions").paginate(LayerName=self.name) for v in page["LayerVersions"]}
        assert set(self.layers) <= layers and len(layers) <= len(self.layers) + ROUNDS
        for version, digest in self.layers.items():
            assert functions.get_layer_version(LayerName=self.name, VersionNumber=version)["Content"]["CodeSha256"] == digest


def test_acknowledged_versions_survive_kill(binary, tmp_path):
    platform = Platform(binary, tmp_path, "--empty", "--sync", "always")
    try:
        writers = [Writer("first"), Writer("second")]
        for writer in writers:
            make(platform.client("lambda"), writer.name, answer("none"))
        for _ in range(ROUNDS):
            stop = threading.Event()
            threads = [threading.Thread(target=w.work, args=(platform, stop)) for w in writers]
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(2, 4))
            stop.set()
            platform.kill()
            for thread in threads:
                thread.join()
            platform.start()
            for writer in writers:
                writer.check(platform.client("lambda"))
        assert all(len(w.versions) >= ROUNDS for w in writers), "too slow to say anything"
    finally:
        if platform.process.poll() is None:
            platform.stop()


def test_provisioned_concurrency_comes_back(binary, tmp_path):
    """After a kill and after a clean stop: in the background, so that a start does not wait for it."""
    platform = Platform(binary, tmp_path, "--empty", "--sync", "always")
    functions = platform.client("lambda")
    code = package("exports.handler = async () => process.env.AWS_LAMBDA_INITIALIZATION_TYPE;")
    try:
        for name in ("kept", "gone"):
            make(functions, name, code, Publish=True)
            functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
            functions.put_provisioned_concurrency_config(FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=2)
        functions.delete_provisioned_concurrency_config(FunctionName="gone", Qualifier="live")
        for end in (platform.kill, platform.stop):
            end()
            platform.start()
            functions = platform.client("lambda")
            deadline = time.monotonic() + 20
            while (now := functions.get_provisioned_concurrency_config(FunctionName="kept", Qualifier="live"))["Status"] != "READY":
                assert time.monotonic() < deadline, now
                time.sleep(0.05)
            assert now["AllocatedProvisionedConcurrentExecutions"] == 2
            assert json.load(functions.invoke(FunctionName="kept", Qualifier="live")["Payload"]) == "provisioned-concurrency"
            assert json.load(functions.invoke(FunctionName="gone", Qualifier="live")["Payload"]) == "on-demand"
            assert functions.list_provisioned_concurrency_configs(FunctionName="gone")["ProvisionedConcurrencyConfigs"] == []
    finally:
        if platform.process.poll() is None:
            platform.stop()
