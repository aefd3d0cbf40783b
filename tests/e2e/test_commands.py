"""The thin commands on a running `parvis serve`: deploy, invoke, logs, backup, restore; and the page of usage."""
import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conftest import free_port
from project import TEMPLATE, make_project, wait_for
from test_serve import Serve


class Commands:
    def __init__(self, binary, serve, project):
        self.binary, self.serve, self.project = binary, serve, project

    def run(self, *arguments, input=None, remote=True):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        where = ["--endpoint-url", self.serve.url, "--data-dir", str(self.serve.folder)] if remote else []
        return subprocess.run([self.binary, *arguments, *where], input=input, text=True, capture_output=True, timeout=120, env=environment)

    def deploy(self, *more):
        return self.run("deploy", str(self.project), "--stack-name", "notes", *more)


@pytest.fixture(scope="module")
def commands(binary, tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    serve = Serve(binary, folder / "data")
    yield Commands(binary, serve, make_project(folder / "project"))
    serve.stop()


EVENT = json.dumps({"pathParameters": {"id": "one"}, "requestContext": {"http": {"method": "PUT"}}, "headers": {}, "body": "text"})


def signed(serve, path, method="GET", key=None, secret=None):
    request = AWSRequest(method, serve.url + path)
    SigV4Auth(Credentials(key or serve.key, secret or serve.secret), "parvis", "us-east-1").add_auth(request)
    return urllib.request.Request(serve.url + path, headers=dict(request.headers.items()), method=method)


def test_help_shows_every_command_and_wrong_arguments_end_with_2(binary):
    def run(*arguments):
        done = subprocess.run([binary, *arguments], text=True, capture_output=True, timeout=10)
        return done.returncode, done.stdout, done.stderr
    code, text, _ = run("help")
    assert code == 0 and "Examples" in text and "{false}" not in text
    for command in ("dev", "serve", "deploy", "invoke", "logs", "validate", "transform", "backup", "restore", "prune", "version"):
        assert re.search(rf"^{command}$", text, re.M)
        assert run("help", command)[1].splitlines()[1].startswith(f"Usage: parvis {command}")
    for arguments in ((), ("nothing",), ("help", "nothing"), ("deploy",), ("dev", "--parameter", "x"), ("dev", "--empty", "folder"), ("logs", "--since", "x")):
        code, _, said = run(*arguments)
        assert code == 2 and said, arguments
    assert run("dev", "/nowhere")[2] == "parvis: /nowhere: no such file or folder\n"


WRONG = [
    (("dve",), 2, "there is no command 'dve'; did you mean dev?"), (("help", "serv"), 2, "did you mean serve?"),
    (("dev", "--prot", "1"), 2, "parvis dev: --prot is not an option of this command; did you mean --port?"),
    (("dev", "--port", "99999"), 2, "parvis dev: --port: Value 99999 not in range 0 to 65535"), (("version", "x"), 2, "'x' is one argument too many"),
    (("dev", "--empty", "--env-file", "x"), 2, "--env-file needs a project"), (("dev", "--empty", "--parameter", "A=b"), 2, "--parameter needs a project"),
    (("dev", "--empty", "--data-dir", "/proc/x"), 1, "the data directory /proc/x cannot be made: No such file or directory; name another with --data-dir"),
    (("serve", "--data-dir", "/proc/x"), 1, "the data directory /proc/x cannot be made"), (("validate", "/proc"), 1, "/proc has no template.yaml"),
]


@pytest.mark.parametrize("arguments, code, part", WRONG, ids=[" ".join(row[0]) for row in WRONG])
def test_wrong_arguments_are_named(binary, arguments, code, part):
    done = subprocess.run([binary, *arguments], text=True, capture_output=True, timeout=10)
    assert done.returncode == code and part in done.stderr, done


def test_deploy_makes_the_stack_and_prints_events_and_outputs(commands):
    done = commands.deploy("--parameter", "Greeting=hi")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\d\d:\d\d:\d\d  CREATE_COMPLETE +Notes +AWS::DynamoDB::Table$", done.stdout, re.M), done.stdout
    assert re.search(r"^outputs\n  Table +notes-Notes-\w+", done.stdout, re.M), done.stdout


def test_deploying_the_same_again_changes_nothing(commands):
    done = commands.deploy()
    assert (done.returncode, "nothing to change" in done.stdout) == (0, True), done.stdout + done.stderr


def test_invoke_by_logical_id_with_the_log(commands):
    done = commands.run("invoke", "Hello", "-e", "-", "--log", input=EVENT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["greeting"] == "hi"  # the parameter of the first deployment stayed
    assert json.loads(done.stdout)["text"] == "text"
    assert "looking for one" in done.stderr and "REPORT RequestId" in done.stderr


def test_invoke_says_what_is_wrong(commands, tmp_path):
    done = commands.run("invoke", "Hello")  # no pathParameters
    assert done.returncode == 1 and "Unhandled" in done.stderr and "errorType" in done.stdout
    done = commands.run("invoke", "Nobody")
    assert done.returncode == 1 and "no function Nobody" in done.stderr
    done = commands.run("invoke", "Hello", "-e", str(tmp_path / "missing.json"))
    assert done.returncode == 2 and "cannot be read" in done.stderr
    done = subprocess.run([commands.binary, "invoke", "Hello", "--endpoint-url", f"http://127.0.0.1:{free_port()}"], text=True, capture_output=True)
    assert done.returncode == 1 and "nobody answers" in done.stderr
    done = subprocess.run([commands.binary, "invoke", "Hello", "--endpoint-url", commands.serve.url], text=True, capture_output=True,
                          env={"AWS_ACCESS_KEY_ID": "AKIAAAAAAAAAAAAAAAAA", "AWS_SECRET_ACCESS_KEY": "x" * 40})
    assert done.returncode == 1 and "--data-dir" in done.stderr


def test_an_asynchronous_invocation_is_in_the_logs(commands):
    event = EVENT.replace("one", "later")
    done = commands.run("invoke", "Hello", "-e", "-", "--async", input=event)
    assert (done.returncode, done.stdout) == (0, "") and "accepted" in done.stderr
    assert wait_for(lambda: "looking for later" in commands.run("logs", "Hello", "--since", "5m").stdout)
    assert "looking for one" not in commands.run("logs", "Hello", "--filter", "for later").stdout
    assert re.search(r"^\S+Z notes-Hello-\w+ .*looking for later", commands.run("logs").stdout, re.M)


def test_logs_follow(commands):
    process = subprocess.Popen([commands.binary, "logs", "Hello", "-f", "--since", "1s", "--endpoint-url", commands.serve.url,
                                "--data-dir", str(commands.serve.folder)], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(1)
        commands.run("invoke", "Hello", "-e", "-", input=EVENT.replace("one", "followed"))
        line = next(line for line in process.stdout if "looking for followed" in line)
        assert line
    finally:
        process.terminate()
    assert process.wait(5) == 0


def test_a_failed_deployment_names_resource_and_reason(commands):
    template = commands.project / "template.yaml"
    template.write_text(TEMPLATE.replace("PrimaryKey: {Name: id, Type: String}", "PrimaryKey: {Name: id, Type: String}\n      TableName: x"))
    try:
        done = commands.deploy()
        assert done.returncode == 1
        assert re.search(r"the stack notes is in UPDATE_ROLLBACK_COMPLETE\n  Notes \(AWS::DynamoDB::Table\): .", done.stderr), done.stderr + done.stdout
        template.write_text(TEMPLATE.replace("WebApi", "x").replace("Type: String, Default: hello", "Type: Stringy"))
        done = commands.deploy()
        assert done.returncode != 0 and done.stderr
        template.write_text(TEMPLATE.replace("hello.ts", "missing.ts"))
        done = commands.deploy()
        assert done.returncode == 2 and "missing.ts does not exist" in done.stderr
    finally:
        template.write_text(TEMPLATE)


def test_usage_counts_per_resource(commands):
    with urllib.request.urlopen(signed(commands.serve, "/_parvis/usage"), timeout=10) as answer:
        rows = json.load(answer)["resources"]
    table = next(row for row in rows if row["service"] == "dynamodb" and row["resource"].startswith("notes-Notes-"))
    function = next(row for row in rows if row["service"] == "lambda" and row["resource"].startswith("notes-Hello-"))
    group = next(row for row in rows if row["service"] == "logs" and row["resource"].startswith("/aws/lambda/notes-Hello-"))
    bucket = next(row for row in rows if row["service"] == "s3" and row["resource"].startswith("parvis-deploy-"))
    assert table["calls"] >= 4 and table["storedBytes"] > 0 and table["storedItems"] == 3
    assert function["invocations"] >= 4 and function["failedInvocations"] >= 1 and function["mbMs"] >= function["invocations"] * 128
    assert function["storedBytes"] > 0 and group["storedBytes"] > 0 and bucket["storedBytes"] > 0 and bucket["storedItems"] >= 1
    metrics = urllib.request.urlopen(signed(commands.serve, "/_parvis/metrics"), timeout=10).read().decode()
    assert re.search(rf'^parvis_function_invocations_total{{.*resource="{function["resource"]}"}} [1-9]', metrics, re.M)


def test_usage_survives_a_crash_but_for_the_last_second(commands):
    def calls():
        with urllib.request.urlopen(signed(commands.serve, "/_parvis/usage?from=2020-01-01"), timeout=10) as answer:
            return next(row for row in json.load(answer)["resources"] if row["service"] == "dynamodb" and row["resource"])["calls"]
    before = calls()
    time.sleep(1.5)
    commands.serve.process.kill()
    commands.serve.process.wait()
    commands.serve.start()
    assert calls() >= before


def test_backup_of_a_running_platform_restores_elsewhere(commands, tmp_path):
    backup = tmp_path / "copy"
    boto3.client("ssm", endpoint_url=commands.serve.url, region_name="us-east-1", aws_access_key_id=commands.serve.key,
                 aws_secret_access_key=commands.serve.secret).put_parameter(Name="/secret", Type="SecureString", Value="sealed")
    done = commands.run("backup", str(backup), "--data-dir", str(commands.serve.folder), remote=False)
    assert done.returncode == 0, done.stderr
    assert backup.stat().st_mode & 0o777 == 0o600
    again = commands.run("backup", str(backup), "--data-dir", str(commands.serve.folder), remote=False)
    assert again.returncode == 1 and "exists already" in again.stderr
    assert "seal-key" in done.stdout
    wrong = commands.run("restore", str(backup), "--data-dir", str(tmp_path / "new"), "--seal-key", str(backup), remote=False)
    assert wrong.returncode == 1 and "is no seal key" in wrong.stderr
    key = str(commands.serve.folder / "seal-key")
    done = commands.run("restore", str(backup), "--data-dir", str(tmp_path / "new"), "--seal-key", key, remote=False)
    assert (done.returncode, "restored" in done.stdout) == (0, True), done.stderr
    other = Serve(commands.binary, tmp_path / "new")
    try:
        tables = boto3.client("dynamodb", endpoint_url=other.url, region_name="us-east-1", aws_access_key_id=other.key, aws_secret_access_key=other.secret)
        name = next(name for name in tables.list_tables()["TableNames"] if name.startswith("notes-Notes-"))
        assert tables.get_item(TableName=name, Key={"id": {"S": "one"}})["Item"]["text"]["S"] == "text"
        parameters = boto3.client("ssm", endpoint_url=other.url, region_name="us-east-1", aws_access_key_id=other.key, aws_secret_access_key=other.secret)
        assert parameters.get_parameter(Name="/secret", WithDecryption=True)["Parameter"]["Value"] == "sealed"
        restored = Commands(commands.binary, other, commands.project)
        assert json.loads(restored.run("invoke", "Hello", "-e", "-", input=EVENT).stdout)["text"] == "text"
    finally:
        other.stop()
    twice = commands.run("restore", str(backup), "--data-dir", str(tmp_path / "new"), remote=False)
    assert twice.returncode == 1 and "is not empty" in twice.stderr
    bytes_ = bytearray(backup.read_bytes())
    bytes_[len(bytes_) // 2] ^= 1
    damaged = tmp_path / "damaged"
    damaged.write_bytes(bytes_)
    refused = commands.run("restore", str(damaged), "--data-dir", str(tmp_path / "never"), remote=False)
    assert refused.returncode == 1 and "damaged" in refused.stderr and not (tmp_path / "never").exists()


def test_admin_paths_are_for_the_root_key(commands):
    for path, method in (("/_parvis/backup", "GET"), ("/_parvis/usage", "GET"), ("/_parvis/prune?stack=x", "POST"), ("/_parvis/reset", "POST")):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(commands.serve.url + path, method=method), timeout=5)
        assert caught.value.code == 403
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(signed(commands.serve, "/_parvis/reset", "POST"), timeout=5)
    assert caught.value.code == 403 and "keeps its data" in caught.value.read().decode()
