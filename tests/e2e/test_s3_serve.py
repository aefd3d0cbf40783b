"""S3 where signatures count: bucket hosts, presigned URLs of versions and pages of other origins, copies, function code."""
import http.client
import io
import urllib.parse
import zipfile

import pytest

from test_serve import serve  # noqa: F401


def bucket_of(serve, name):
    objects = serve.client("s3", signature_version="s3v4")
    try:
        objects.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    except objects.exceptions.BucketAlreadyOwnedByYou:
        pass
    return objects


def fetch(serve, method, url, body=None, **headers):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", serve.port, timeout=10)
    connection.request(method, f"{parts.path}?{parts.query}", body, headers={"Host": parts.netloc, **headers})
    answer = connection.getresponse()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def test_signed_bucket_hosts(serve):
    import boto3
    from botocore.config import Config
    bucket_of(serve, "host-bucket")
    there = boto3.client("s3", endpoint_url=f"http://s3.localhost:{serve.port}", region_name="eu-west-1", aws_access_key_id=serve.key,
                         aws_secret_access_key=serve.secret, config=Config(s3={"addressing_style": "virtual"}, signature_version="s3v4"))
    there.put_object(Bucket="host-bucket", Key="a b/ü", Body=b"1")
    assert there.get_object(Bucket="host-bucket", Key="a b/ü")["Body"].read() == b"1"
    there.upload_fileobj(io.BytesIO(b"x" * (9 << 20)), "host-bucket", "large")
    assert there.head_object(Bucket="host-bucket", Key="large")["ContentLength"] == 9 << 20
    url = there.generate_presigned_url("get_object", {"Bucket": "host-bucket", "Key": "a b/ü"})
    assert urllib.parse.urlsplit(url).netloc.startswith("host-bucket.s3.localhost")
    assert fetch(serve, "GET", url)[::2] == (200, b"1")
    status, _, text = fetch(serve, "GET", url.replace("host-bucket", "hosx-bucket"))
    assert status == 403 and b"SignatureDoesNotMatch" in text


def test_versions_and_copies(serve):
    objects = bucket_of(serve, "version-bucket")
    objects.put_bucket_versioning(Bucket="version-bucket", VersioningConfiguration={"Status": "Enabled"})
    one = objects.put_object(Bucket="version-bucket", Key="k", Body=b"one")["VersionId"]
    objects.put_object(Bucket="version-bucket", Key="k", Body=b"two")
    url = objects.generate_presigned_url("get_object", {"Bucket": "version-bucket", "Key": "k", "VersionId": one})
    assert fetch(serve, "GET", url)[::2] == (200, b"one")
    objects.copy_object(Bucket="version-bucket", Key="k", CopySource={"Bucket": "version-bucket", "Key": "k", "VersionId": one})
    assert objects.get_object(Bucket="version-bucket", Key="k")["Body"].read() == b"one"
    assert len(objects.list_object_versions(Bucket="version-bucket")["Versions"]) == 3


def test_presigned_upload_of_a_page(serve):
    objects = bucket_of(serve, "page-bucket")
    origin = "https://shop.example.com"
    objects.put_bucket_cors(Bucket="page-bucket", CORSConfiguration={"CORSRules": [
        {"AllowedOrigins": [origin], "AllowedMethods": ["PUT"], "AllowedHeaders": ["content-type"], "ExposeHeaders": ["ETag"]}]})
    url = objects.generate_presigned_url("put_object", {"Bucket": "page-bucket", "Key": "k", "ContentType": "text/plain"})
    asked = {"Origin": origin, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
    status, headers, _ = fetch(serve, "OPTIONS", url, **asked)
    assert status == 200 and headers["access-control-allow-origin"] == origin and headers["access-control-allow-headers"] == "content-type"
    status, headers, text = fetch(serve, "PUT", url, b"of a page", Origin=origin, **{"Content-Type": "text/plain"})
    assert status == 200 and headers["access-control-expose-headers"] == "ETag", text
    assert objects.get_object(Bucket="page-bucket", Key="k")["Body"].read() == b"of a page"
    status, _, _ = fetch(serve, "PUT", url.split("?")[0], b"unsigned", Origin=origin)
    assert status == 403


def test_function_code_of_a_version(serve):
    objects = bucket_of(serve, "code-bucket")
    objects.put_bucket_versioning(Bucket="code-bucket", VersioningConfiguration={"Status": "Enabled"})

    def package(number):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as file:
            file.writestr("index.js", f"exports.handler = async () => {number}")
        return objects.put_object(Bucket="code-bucket", Key="f.zip", Body=out.getvalue())["VersionId"]
    first = package(1)
    package(2)
    functions = serve.client("lambda")
    functions.create_function(FunctionName="of-version", Runtime="nodejs22.x", Role="arn:aws:iam::000000000000:role/r", Handler="index.handler",
                              Code={"S3Bucket": "code-bucket", "S3Key": "f.zip", "S3ObjectVersion": first})
    assert functions.invoke(FunctionName="of-version")["Payload"].read() == b"1"
