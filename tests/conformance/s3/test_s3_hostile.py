"""Requests that no client sends: each gets S3's error or a clear one, never a 500, and the platform goes on."""
import itertools

from test_s3 import bucket, client, code, platform, s3  # noqa: F401
from test_s3_addresses import request

ODD = ["", "null", "-1", "0", "99999999999999999999", "a" * 1025, "%00", "%ff%fe", "..%2f..", "%", "%zz", "\u00fc".encode().hex(), "a" * 32, "." * 32, "_" * 32,
       "bnVsbA==", "cA==", "a%20b%26c", "<x>", "'\"", "1e3", "true"]
BODIES = [b"", b"<", b"<a/>", b"{}", b"\x00\xff", b"<Delete><Object/></Delete>", b"<Delete><Object><Key></Key></Object></Delete>",
          b"<Tagging><TagSet><Tag><Key></Key></Tag></TagSet></Tagging>", b"<Tagging/>", b"<CORSConfiguration><CORSRule/></CORSConfiguration>",
          b"<VersioningConfiguration><Status>x</Status></VersioningConfiguration>", b"<VersioningConfiguration/>",
          b"<ServerSideEncryptionConfiguration><Rule/></ServerSideEncryptionConfiguration>", b"<CompleteMultipartUpload><Part/></CompleteMultipartUpload>",
          b"<!DOCTYPE a [<!ENTITY b 'c'>]><Tagging>&b;</Tagging>", b"<a>" * 2000]


def test_nothing_is_a_server_error(platform, s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"12345")
    s3.delete_object(Bucket=bucket, Key="gone")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    sent = []
    for odd in ODD:
        sent += [(method, f"/{bucket}/{key}?{name}={odd}", None, {}) for method, name, key in itertools.product(
            ["GET", "HEAD", "DELETE"], ["versionId", "partNumber", "uploadId", "tagging&versionId", "attributes&versionId", "acl&versionId"], ["k", "gone"])]
        sent += [("GET", f"/{bucket}?{query}={odd}", None, {}) for query in [
            "list-type=2&max-keys", "list-type=2&continuation-token", "list-type=2&start-after", "list-type=2&encoding-type", "list-type=2&delimiter", "prefix",
            "max-keys", "marker", "versions&key-marker", "versions&key-marker=k&version-id-marker", "versions&max-keys", "versions&delimiter",
            "uploads&key-marker=k&upload-id-marker", "uploads&max-uploads", "uploads&prefix"]]
        if odd.isascii() and "%" not in odd:
            sent += [("GET", f"/{bucket}/k", None, {name: odd}) for name in
                     ["Range", "If-Match", "If-None-Match", "If-Modified-Since", "x-amz-expected-bucket-owner", "x-amz-checksum-mode", "Origin"]]
            sent += [("PUT", f"/{bucket}/made", b"1", {name: odd}) for name in
                     ["x-amz-copy-source", "x-amz-meta-a", "Content-Type", "x-amz-tagging", "Content-MD5", "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm", "x-amz-metadata-directive",
                      "x-amz-storage-class", "x-amz-acl", "x-amz-server-side-encryption", "Content-Encoding"]]
            sent += [("PUT", f"/{bucket}/k?partNumber={odd}&uploadId={upload}", b"1", {"x-amz-copy-source": f"{bucket}/k", "x-amz-copy-source-range": odd}),
                     ("GET", f"/{bucket}/k?attributes", None, {"x-amz-object-attributes": odd, "x-amz-max-parts": odd})]
    for body in BODIES:
        sent += [("PUT", f"/{bucket}?{what}", body, {}) for what in
                 ["tagging", "versioning", "encryption", "publicAccessBlock", "ownershipControls", "cors", "policy", "acl"]]
        sent += [("POST", f"/{bucket}?delete", body, {}), ("PUT", f"/{bucket}/k?tagging", body, {}), ("POST", f"/{bucket}/k?uploadId={upload}", body, {})]
    wrong = []
    for method, path, body, headers in sent:
        status, _, text = request(platform, method, path, body=body, **headers)
        if status >= 500 and status != 501:
            wrong.append((status, method, path, body, headers, text[:200]))
    assert not wrong, wrong[:5]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=s3.put_object(Bucket=bucket, Key="k", Body=b"still")["VersionId"])["Body"].read() == b"still"


def test_what_is_kept_is_utf8(platform, s3, bucket):
    put = lambda key, **headers: request(platform, "PUT", f"/{bucket}/{key}", body=b"1", **headers)
    status, _, text = put("%ff")
    assert status == 400 and "InvalidURI" in text
    assert put("k")[0] == 200
    for name in ["x-amz-meta-a", "Content-Type", "Cache-Control"]:
        status, _, text = put("k", **{name: "\u00ff"})  # goes out as one byte of Latin-1
        assert status == 400 and "must be UTF-8" in text, name
    status, _, text = put("k", **{"x-amz-tagging": "a=%ff"})
    assert status == 400 and "InvalidTag" in text
    assert request(platform, "GET", f"/{bucket}/%ff")[0] == 404
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"


def test_hosts_that_name_no_bucket(platform):
    for host in [".localhost", "..localhost", ".s3.localhost", "s3.s3.localhost", "a" * 300 + ".localhost", "b..c.s3.localhost", "-.localhost", "x.s3.y.z.localhost"]:
        for method, path in itertools.product(["GET", "PUT", "OPTIONS"], ["/", "/k", "//"]):
            status, _, text = request(platform, method, path, host, body=b"" if method == "PUT" else None, Origin="http://localhost")
            assert status < 500 or status == 501, (host, method, path, status, text)
