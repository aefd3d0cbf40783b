"""`parvis serve` as stock clients meet it: signatures, sessions, workers' credentials, and what it refuses."""
import configparser
import datetime
import io
import json
import os
import stat
import subprocess
import urllib.error
import urllib.request
import zipfile

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from conftest import free_port

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "000000000000", "Service": "lambda.amazonaws.com"}}]})


class Serve:
    def __init__(self, binary, folder, *arguments, **environment):
        self.binary, self.folder, self.arguments, self.environment, self.port = binary, folder, arguments, environment, free_port()
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.binary, "serve", "--data-dir", str(self.folder), "--port", str(self.port), *self.arguments],
                                        stdout=subprocess.PIPE, text=True, env={**os.environ, **self.environment})
        while "[warning]" in (line := self.process.stdout.readline()):  # what this host does not allow
            pass
        assert "serves" in line, line
        path = self.folder / "credentials"
        if path.exists():
            parser = configparser.ConfigParser()
            parser.read(path)
            self.key, self.secret = parser["default"]["aws_access_key_id"], parser["default"]["aws_secret_access_key"]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def client(self, service, key=None, secret=None, token=None, **config):
        return boto3.client(service, endpoint_url=self.url, region_name="eu-west-1", aws_access_key_id=key or self.key,
                            aws_secret_access_key=secret or self.secret, aws_session_token=token, config=Config(retries={"max_attempts": 1}, **config))

    def stop(self):
        self.process.terminate()
        assert self.process.wait(15) == 0


@pytest.fixture(scope="module")
def serve(binary, tmp_path_factory):
    running = Serve(binary, tmp_path_factory.mktemp("serve") / "data")
    yield running
    running.stop()


def code_of(call):
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"]


def make_role(serve, name, trust=TRUST):
    return serve.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]


def assume(serve, arn, **more):
    return serve.client("sts").assume_role(RoleArn=arn, RoleSessionName="ada", **more)


def test_the_root_key_is_made_once_for_its_owner_alone(serve):
    for name in ("credentials", "session-key"):
        assert stat.S_IMODE((serve.folder / name).stat().st_mode) == 0o600
    answer = serve.client("sts").get_caller_identity()
    assert answer["Account"] == "000000000000" and answer["Arn"] == "arn:aws:iam::000000000000:root"


def test_wrong_signatures_are_refused_in_each_protocol(serve):
    wrong = "x" * 40
    assert code_of(lambda: serve.client("dynamodb", secret=wrong).list_tables()) == "InvalidSignatureException"
    assert code_of(lambda: serve.client("lambda", secret=wrong).list_functions()) == "InvalidSignatureException"
    assert code_of(lambda: serve.client("sts", secret=wrong).get_caller_identity()) == "SignatureDoesNotMatch"
    assert code_of(lambda: serve.client("dynamodb", key="AKIAAAAAAAAAAAAAAAAA").list_tables()) == "UnrecognizedClientException"
    assert code_of(lambda: serve.client("sts", key="AKIAAAAAAAAAAAAAAAAA").get_caller_identity()) == "InvalidClientTokenId"


def test_unsigned_calls_are_refused(serve):
    request = urllib.request.Request(serve.url, data=b"{}", headers={"X-Amz-Target": "DynamoDB_20120810.ListTables",
                                                                     "Content-Type": "application/x-amz-json-1.0"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=5)
    assert caught.value.code in (400, 403)
    assert "MissingAuthenticationToken" in caught.value.read().decode()


def test_a_skewed_clock_is_refused(serve):
    request = AWSRequest("POST", serve.url, data="{}", headers={"X-Amz-Target": "DynamoDB_20120810.ListTables",
                                                                "Content-Type": "application/x-amz-json-1.0"})
    signer = SigV4Auth(Credentials(serve.key, serve.secret), "dynamodb", "eu-west-1")
    signer.add_auth(request)
    old = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)).strftime("%Y%m%dT%H%M%SZ")
    request.context["timestamp"] = old
    request.headers.replace_header("X-Amz-Date", old)
    del request.headers["Authorization"]
    signer._inject_signature_to_request(request, signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))
    sent = urllib.request.Request(serve.url, data=b"{}", headers=dict(request.headers.items()))
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(sent, timeout=5)
    assert "expired" in caught.value.read().decode().lower()


def test_an_assumed_role_is_a_principal_of_its_own(serve):
    arn = make_role(serve, "reader")
    given = assume(serve, arn)["Credentials"]
    session = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert serve.client("sts", *session).get_caller_identity()["Arn"] == "arn:aws:sts::000000000000:assumed-role/reader/ada"
    serve.client("dynamodb", *session).list_tables()
    changed = session[2][:-8] + ("A" if session[2][-8] != "A" else "B") + session[2][-7:]
    assert code_of(lambda: serve.client("dynamodb", session[0], session[1], changed).list_tables()) == "UnrecognizedClientException"
    assert code_of(lambda: serve.client("dynamodb", session[0], session[1]).list_tables()) == "UnrecognizedClientException"


def test_a_role_that_does_not_trust_the_caller_is_denied(serve):
    arn = make_role(serve, "closed", json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]}))
    assert code_of(lambda: assume(serve, arn)) == "AccessDenied"
    assert code_of(lambda: assume(serve, "arn:aws:iam::000000000000:role/missing")) == "AccessDenied"
    open_arn = make_role(serve, "open")
    assert code_of(lambda: assume(serve, open_arn, Policy="{}")) == "ValidationError"
    assert code_of(lambda: assume(serve, open_arn, DurationSeconds=43200)) == "ValidationError"


def test_a_functions_calls_carry_its_role(serve):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.mjs", """
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
export const handler = async () => {
  const answer = await new DynamoDBClient({}).send(new ListTablesCommand({}));
  return { tables: answer.TableNames, key: process.env.AWS_ACCESS_KEY_ID };
};""")
    functions = serve.client("lambda")
    functions.create_function(FunctionName="lister", Runtime="nodejs22.x", Handler="index.handler", Role=make_role(serve, "worker"),
                              Code={"ZipFile": code.getvalue()}, Timeout=20)
    functions.get_waiter("function_active_v2").wait(FunctionName="lister", WaiterConfig={"Delay": 1})
    answer = functions.invoke(FunctionName="lister", Payload="{}")
    payload = json.load(answer["Payload"])
    assert "FunctionError" not in answer, payload
    assert payload["tables"] == [] and payload["key"].startswith("ASIA")


def test_own_pages_need_a_signature_except_bare_health(serve):
    assert json.load(urllib.request.urlopen(f"{serve.url}/_parvis/health", timeout=5)) == {"status": "ready"}
    for path in ("/_parvis/events", "/_parvis/metrics"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(serve.url + path, timeout=5)
        assert caught.value.code == 403
    request = AWSRequest("GET", f"{serve.url}/_parvis/health")
    SigV4Auth(Credentials(serve.key, serve.secret), "parvis", "us-east-1").add_auth(request)
    answer = json.load(urllib.request.urlopen(urllib.request.Request(request.url, headers=dict(request.headers.items())), timeout=5))
    assert "services" in answer


def test_it_listens_beyond_the_machine_only_when_told(binary, tmp_path):
    done = subprocess.run([binary, "serve", "--data-dir", str(tmp_path / "d"), "--address", "0.0.0.0", "--port", "0"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "--insecure" in done.stderr


def test_a_key_file_that_others_read_is_refused(binary, tmp_path):
    folder = tmp_path / "data"
    running = Serve(binary, folder)
    running.stop()
    (folder / "credentials").chmod(0o644)
    done = subprocess.run([binary, "serve", "--data-dir", str(folder), "--port", "0"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "chmod 600" in done.stderr


def test_keys_and_sessions_survive_a_kill(binary, tmp_path):
    running = Serve(binary, tmp_path / "data")
    given = assume(running, make_role(running, "r"))["Credentials"]
    key = running.key
    running.process.kill()
    running.process.wait(10)
    running.start()
    assert running.key == key
    session = running.client("sts", given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert session.get_caller_identity()["Arn"].endswith("assumed-role/r/ada")
    running.stop()


def test_the_root_key_may_come_from_the_environment(binary, tmp_path):
    running = Serve(binary, tmp_path / "data", PARVIS_ROOT_ACCESS_KEY_ID="AKIAEXAMPLEEXAMPLE00", PARVIS_ROOT_SECRET_ACCESS_KEY="s" * 40)
    assert not (tmp_path / "data" / "credentials").exists()
    assert running.client("sts", "AKIAEXAMPLEEXAMPLE00", "s" * 40).get_caller_identity()["Account"] == "000000000000"
    running.stop()


def test_signed_uploads_come_back_whole(serve):
    objects = serve.client("s3", signature_version="s3v4")  # for the URL, which is version 2 by default
    objects.create_bucket(Bucket="signed-uploads", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    body = os.urandom(9 << 20)  # past the multipart threshold
    objects.upload_fileobj(io.BytesIO(body), "signed-uploads", "dir/a b+c")
    assert objects.get_object(Bucket="signed-uploads", Key="dir/a b+c")["Body"].read() == body
    objects.put_object(Bucket="signed-uploads", Key="small", Body=b"text", ChecksumAlgorithm="SHA256")
    url = objects.generate_presigned_url("get_object", {"Bucket": "signed-uploads", "Key": "small"}, ExpiresIn=60)
    assert urllib.request.urlopen(url, timeout=5).read() == b"text"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url.replace("small", "other"), timeout=5)
    assert caught.value.code == 403 and b"SignatureDoesNotMatch" in caught.value.read()
