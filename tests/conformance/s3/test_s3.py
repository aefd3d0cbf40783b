"""S3 as boto3 and the AWS CLI use it."""
import concurrent.futures
import hashlib
import io
import os
import subprocess
import sys
import zipfile

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import Platform


@pytest.fixture(scope="module")
def platform(request, tmp_path_factory):
    running = Platform(request.config.getoption("--binary"), tmp_path_factory.mktemp("s3"), "--empty", "--sync", "always")
    yield running
    running.stop()


def client(platform, **config):
    return boto3.client("s3", endpoint_url=platform.url, region_name="us-east-1", aws_access_key_id="000000000000",
                        aws_secret_access_key="x", config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **config))


@pytest.fixture
def s3(platform):
    return client(platform)


@pytest.fixture
def bucket(s3, request):
    name = "b-" + hashlib.md5(request.node.name.encode()).hexdigest()[:12]
    s3.create_bucket(Bucket=name)
    return name


def code(call, **arguments):
    with pytest.raises(ClientError) as failed:
        call(**arguments)
    return failed.value.response["Error"]["Code"], failed.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_buckets(s3):
    s3.create_bucket(Bucket="some-bucket")
    assert code(s3.create_bucket, Bucket="some-bucket") == ("BucketAlreadyOwnedByYou", 409)
    assert code(s3.create_bucket, Bucket="Bad_Name") == ("InvalidBucketName", 400)
    assert code(s3.head_bucket, Bucket="no-such-bucket") == ("404", 404)
    assert s3.head_bucket(Bucket="some-bucket")["BucketRegion"] == "us-east-1"
    assert "some-bucket" in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket="some-bucket")["LocationConstraint"] is None
    s3.put_object(Bucket="some-bucket", Key="k", Body=b"x")
    assert code(s3.delete_bucket, Bucket="some-bucket") == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket="some-bucket", Key="k")
    s3.delete_bucket(Bucket="some-bucket")
    assert code(s3.list_objects_v2, Bucket="some-bucket") == ("NoSuchBucket", 404)


def test_object_round_trip(s3, bucket):
    body = os.urandom(700_000)
    put = s3.put_object(Bucket=bucket, Key="a b/ü+%.bin", Body=body, ContentType="text/x", CacheControl="no-cache", Metadata={"Who": "me"})
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"' and put["ChecksumCRC32"]
    got = s3.get_object(Bucket=bucket, Key="a b/ü+%.bin")
    assert got["Body"].read() == body and got["ContentType"] == "text/x" and got["CacheControl"] == "no-cache"
    assert got["Metadata"] == {"who": "me"} and got["ChecksumCRC32"] == put["ChecksumCRC32"]
    head = s3.head_object(Bucket=bucket, Key="a b/ü+%.bin")
    assert head["ContentLength"] == len(body) and head["ETag"] == put["ETag"]
    part = s3.get_object(Bucket=bucket, Key="a b/ü+%.bin", Range="bytes=262140-262150")
    assert part["Body"].read() == body[262140:262151] and part["ContentRange"] == "bytes 262140-262150/700000"
    assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert s3.get_object(Bucket=bucket, Key="a b/ü+%.bin", Range="bytes=-3")["Body"].read() == body[-3:]
    assert code(s3.get_object, Bucket=bucket, Key="a b/ü+%.bin", Range="bytes=700000-") == ("InvalidRange", 416)
    assert code(s3.get_object, Bucket=bucket, Key="none") == ("NoSuchKey", 404)
    assert code(s3.head_object, Bucket=bucket, Key="none") == ("404", 404)


@pytest.mark.parametrize("key", ["dir/", "a//b", "//x", "é", "a?b&c=d", "."])
def test_keys_are_kept(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"1"
    s3.delete_object(Bucket=bucket, Key=key)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_conditions_and_checksums(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    assert code(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert code(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfMatch='"0"') == ("PreconditionFailed", 412)
    assert code(s3.put_object, Bucket=bucket, Key="none", Body=b"2", IfMatch=etag) == ("NoSuchKey", 404)
    assert code(s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=etag) == ("304", 304)
    assert code(s3.get_object, Bucket=bucket, Key="k", IfMatch='"0"') == ("PreconditionFailed", 412)
    assert code(s3.put_object, Bucket=bucket, Key="k", Body=b"2", ChecksumCRC32="AAAAAA==") == ("BadDigest", 400)
    assert code(s3.put_object, Bucket=bucket, Key="k", Body=b"2", ChecksumCRC32="AAAA") == ("InvalidRequest", 400)
    assert code(s3.put_object, Bucket=bucket, Key="k", Body=b"2", StorageClass="GLACIER") == ("NotImplemented", 501)
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", ChecksumAlgorithm="SHA256")["ChecksumSHA256"] == \
        "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"123456789"


def test_listing(s3, bucket):
    for key in ["a", "b/1", "b/2", "c/1", "d"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [o["Key"] for o in page["Contents"]] == ["a", "d"]
    assert [p["Prefix"] for p in page["CommonPrefixes"]] == ["b/", "c/"] and page["KeyCount"] == 4
    seen, token = [], {}
    while True:
        page = s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=1, **token)
        seen += [o["Key"] for o in page.get("Contents", [])] + [p["Prefix"] for p in page.get("CommonPrefixes", [])]
        if not page["IsTruncated"]:
            break
        token = {"ContinuationToken": page["NextContinuationToken"]}
    assert seen == ["a", "b/", "c/", "d"]
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix="b/", StartAfter="b/1")["Contents"]] == ["b/2"]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in ["a", "b/1", "b/2", "c/1", "none"]]})
    assert len(answer["Deleted"]) == 5
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["d"]


def test_multipart(s3, bucket):
    body = os.urandom(20 << 20)
    s3.upload_fileobj(io.BytesIO(body), bucket, "big", ExtraArgs={"ContentType": "x/y"})
    head = s3.head_object(Bucket=bucket, Key="big")
    parts = [body[i:i + (8 << 20)] for i in range(0, len(body), 8 << 20)]
    etag = hashlib.md5(b"".join(hashlib.md5(p).digest() for p in parts)).hexdigest()
    assert head["ETag"] == f'"{etag}-3"' and head["ContentType"] == "x/y"
    out = io.BytesIO()
    s3.download_fileobj(bucket, "big", out)
    assert out.getvalue() == body

    upload = s3.create_multipart_upload(Bucket=bucket, Key="p")["UploadId"]
    at = dict(Bucket=bucket, Key="p", UploadId=upload)
    one = s3.upload_part(**at, PartNumber=1, Body=b"small")["ETag"]
    two = s3.upload_part(**at, PartNumber=2, Body=b"last")["ETag"]
    assert [p["Size"] for p in s3.list_parts(**at)["Parts"]] == [5, 4]
    complete = lambda *parts: code(s3.complete_multipart_upload, **at, MultipartUpload={"Parts": [{"PartNumber": n, "ETag": e} for n, e in parts]})
    assert complete((1, one), (2, two)) == ("EntityTooSmall", 400)
    assert complete((2, two), (1, one)) == ("InvalidPartOrder", 400)
    assert complete((1, two)) == ("InvalidPart", 400)
    assert code(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)
    s3.abort_multipart_upload(**at)
    assert code(s3.list_parts, **at) == ("NoSuchUpload", 404)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC64NVME"])
def test_whole_checksums_of_multipart_uploads(platform, bucket, algorithm):
    # botocore makes CRC32 itself; without a checksum of the client's the server's own is CRC64NVME.
    by_client = algorithm == "CRC32"
    s3 = client(platform, request_checksum_calculation="when_supported" if by_client else "when_required")
    asked = {"ChecksumAlgorithm": algorithm} if by_client else {}
    parts = [os.urandom(5 << 20), b"tail"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")
    assert upload["ChecksumType"] == "FULL_OBJECT"
    at = dict(Bucket=bucket, Key="k", UploadId=upload["UploadId"])
    made = [s3.upload_part(**at, PartNumber=n, Body=part, **asked) for n, part in enumerate(parts, 1)]
    name = f"Checksum{algorithm}"
    named = lambda **more: {"Parts": [{"PartNumber": n, "ETag": part["ETag"], name: part[name], **more} for n, part in enumerate(made, 1)]}
    assert code(s3.complete_multipart_upload, **at, MultipartUpload=named(**{name: "AAAAAA=="})) == ("InvalidPart", 400)
    wrong = {name: "AAAAAA==" if by_client else "AAAAAAAAAAA="}
    assert code(s3.complete_multipart_upload, **at, MultipartUpload=named(), **wrong) == ("BadDigest", 400)
    assert code(s3.complete_multipart_upload, **at, MultipartUpload=named(), ChecksumType="COMPOSITE") == ("InvalidRequest", 400)
    done = s3.complete_multipart_upload(**at, MultipartUpload=named(), ChecksumType="FULL_OBJECT")
    whole = s3.put_object(Bucket=bucket, Key="whole", Body=b"".join(parts), **asked)[name]
    assert done[name] == whole and done["ChecksumType"] == "FULL_OBJECT"
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[name] == whole
    with pytest.raises(ClientError, match="cannot be used with the sha256"):
        s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256", ChecksumType="FULL_OBJECT")


def test_policy_and_tags(s3, bucket):
    assert code(s3.get_bucket_policy, Bucket=bucket) == ("NoSuchBucketPolicy", 404)
    assert code(s3.put_bucket_policy, Bucket=bucket, Policy="{") == ("MalformedPolicy", 400)
    s3.put_bucket_policy(Bucket=bucket, Policy='{"Statement":[]}')
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == '{"Statement":[]}'
    assert code(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "a", "Value": "b"}]


def test_not_implemented_is_said(s3, bucket):
    assert code(s3.put_bucket_website, Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "i"}})[1] == 501
    assert code(s3.put_object, Bucket=bucket, Key="k", Body=b"1", ObjectLockLegalHoldStatus="ON") == ("NotImplemented", 501)


def test_command_line(platform, s3, bucket, tmp_path):
    (tmp_path / "big.bin").write_bytes(os.urandom(9 << 20))

    def aws(*words):
        done = subprocess.run([sys.executable, "-m", "awscli", "--endpoint-url", platform.url, "--region", "us-east-1", "s3", *words],
                              capture_output=True, text=True, timeout=60,
                              env={**os.environ, "AWS_ACCESS_KEY_ID": "000000000000", "AWS_SECRET_ACCESS_KEY": "x"})
        assert done.returncode == 0, done.stderr
        return done.stdout
    aws("cp", str(tmp_path / "big.bin"), f"s3://{bucket}/in/big.bin")
    assert "big.bin" in aws("ls", f"s3://{bucket}/in/")
    aws("cp", f"s3://{bucket}/in/big.bin", str(tmp_path / "back.bin"))
    assert (tmp_path / "back.bin").read_bytes() == (tmp_path / "big.bin").read_bytes()
    aws("cp", f"s3://{bucket}/in/big.bin", f"s3://{bucket}/copy/big.bin")  # UploadPartCopy: it is past the threshold
    aws("mv", f"s3://{bucket}/copy/big.bin", f"s3://{bucket}/moved.bin")
    (tmp_path / "site").mkdir()
    for name in ["index.html", "b c.txt"]:
        (tmp_path / "site" / name).write_text(name)
    assert aws("sync", str(tmp_path / "site"), f"s3://{bucket}/site/").count("upload:") == 2
    assert aws("sync", str(tmp_path / "site"), f"s3://{bucket}/site/") == ""
    (tmp_path / "site" / "b c.txt").unlink()
    assert "delete:" in aws("sync", str(tmp_path / "site"), f"s3://{bucket}/site/", "--delete")
    aws("sync", f"s3://{bucket}/site/", f"s3://{bucket}/mirror/")
    assert s3.get_object(Bucket=bucket, Key="mirror/index.html")["ContentType"] == "text/html"
    assert sorted(o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]) == ["in/big.bin", "mirror/index.html", "moved.bin", "site/index.html"]
    aws("rm", "--recursive", f"s3://{bucket}/", "--exclude", "in/*")
    aws("rm", f"s3://{bucket}/in/big.bin")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_large_bodies_pass_through_in_pieces(request, tmp_path):
    size, limit_kb = 256 << 20, 200 << 10
    running = Platform(request.config.getoption("--binary"), tmp_path, "--empty", "--sync", "relaxed")
    try:
        s3 = client(running, read_timeout=120)
        s3.create_bucket(Bucket="large")
        peak = lambda: int(next(line for line in open(f"/proc/{running.process.pid}/status") if line.startswith("VmHWM")).split()[1])
        before = peak()
        with open(tmp_path / "sparse", "wb") as file:
            file.truncate(size)
        with open(tmp_path / "sparse", "rb") as file:
            s3.put_object(Bucket="large", Key="k", Body=file)
        assert peak() - before < limit_kb  # what the store has in memory, not the body
        assert s3.head_object(Bucket="large", Key="k")["ContentLength"] == size
        body = s3.get_object(Bucket="large", Key="k")["Body"]
        assert sum(len(piece) for piece in iter(lambda: body.read(4 << 20), b"")) == size
    finally:
        running.stop()


def test_survives_kill(request, tmp_path):
    running = Platform(request.config.getoption("--binary"), tmp_path, "--empty", "--sync", "always")
    try:
        s3 = client(running)
        s3.create_bucket(Bucket="kept")
        body = os.urandom(1 << 20)
        s3.put_object(Bucket="kept", Key="k", Body=b"old")
        s3.put_object(Bucket="kept", Key="k", Body=body)
        upload = s3.create_multipart_upload(Bucket="kept", Key="m")["UploadId"]
        part = s3.upload_part(Bucket="kept", Key="m", UploadId=upload, PartNumber=1, Body=body)["ETag"]
        running.kill()
        running.start()
        s3 = client(running)
        assert s3.get_object(Bucket="kept", Key="k")["Body"].read() == body
        s3.complete_multipart_upload(Bucket="kept", Key="m", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
        running.kill()
        running.start()
        assert client(running).get_object(Bucket="kept", Key="m")["Body"].read() == body
    finally:
        running.stop()


def test_function_code_in_a_bucket_made_by_a_template(request, tmp_path):
    template = tmp_path / "template.yaml"
    template.write_text("""
Transform: AWS::Serverless-2016-10-31
Resources:
  Code:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: code-bucket
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Code
      PolicyDocument: {Statement: [{Effect: Allow, Action: "s3:GetObject", Principal: "*", Resource: !Sub "${Code.Arn}/*"}]}
""")
    running = Platform(request.config.getoption("--binary"), tmp_path, str(template), "--sync", "always")
    try:
        s3 = client(running)
        assert "arn:aws:s3:::code-bucket/*" in s3.get_bucket_policy(Bucket="code-bucket")["Policy"]
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as file:
            file.writestr("index.js", "exports.handler = async () => 7")
        s3.put_object(Bucket="code-bucket", Key="code.zip", Body=package.getvalue(), ServerSideEncryption="AES256")
        functions = boto3.client("lambda", endpoint_url=running.url, region_name="us-east-1", aws_access_key_id="000000000000",
                                 aws_secret_access_key="x")
        make = dict(Runtime="nodejs22.x", Role="arn:aws:iam::000000000000:role/r", Handler="index.handler")
        functions.create_function(FunctionName="f", Code={"S3Bucket": "code-bucket", "S3Key": "code.zip"}, **make)
        assert functions.invoke(FunctionName="f")["Payload"].read() == b"7"
        with pytest.raises(ClientError, match="NoSuchKey"):
            functions.create_function(FunctionName="g", Code={"S3Bucket": "code-bucket", "S3Key": "none"}, **make)
    finally:
        running.stop()


def test_one_of_many_writers_wins_whole(platform, s3, bucket):
    bodies = [bytes([i]) * 600_000 for i in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as writers:
        list(writers.map(lambda body: client(platform).put_object(Bucket=bucket, Key="k", Body=body), bodies))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() in bodies
