"""Versions of objects as boto3 sees them, and after a crash."""
import io

import pytest
from botocore.exceptions import ClientError

from conftest import Platform
from test_s3 import bucket, client, code, platform, s3  # noqa: F401


@pytest.fixture
def versioned(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def put(s3, bucket, key, body):
    return s3.put_object(Bucket=bucket, Key=key, Body=body).get("VersionId")


def listed(s3, bucket, **arguments):
    page = s3.list_object_versions(Bucket=bucket, **arguments)
    both = [(v["Key"], v["VersionId"], v["IsLatest"], True) for v in page.get("Versions", [])]
    return both + [(v["Key"], v["VersionId"], v["IsLatest"], False) for v in page.get("DeleteMarkers", [])]


def test_versions_of_one_object(s3, versioned):
    assert s3.get_bucket_versioning(Bucket=versioned)["Status"] == "Enabled"
    one, two = put(s3, versioned, "k", b"one"), put(s3, versioned, "k", b"two")
    assert one != two and len(one) == 32
    assert s3.get_object(Bucket=versioned, Key="k")["VersionId"] == two
    old = s3.get_object(Bucket=versioned, Key="k", VersionId=one)
    assert old["Body"].read() == b"one" and old["VersionId"] == one
    assert s3.head_object(Bucket=versioned, Key="k", VersionId=one)["ContentLength"] == 3
    assert listed(s3, versioned) == [("k", two, True, True), ("k", one, False, True)]

    gone = s3.delete_object(Bucket=versioned, Key="k")
    assert gone["DeleteMarker"] and gone["VersionId"] not in (one, two)
    with pytest.raises(ClientError) as failed:
        s3.get_object(Bucket=versioned, Key="k")
    assert failed.value.response["Error"]["Code"] == "NoSuchKey"
    headers = failed.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-delete-marker"] == "true" and headers["x-amz-version-id"] == gone["VersionId"]
    with pytest.raises(ClientError) as failed:
        s3.get_object(Bucket=versioned, Key="k", VersionId=gone["VersionId"])
    assert failed.value.response["Error"]["Code"] == "MethodNotAllowed"
    assert failed.value.response["ResponseMetadata"]["HTTPHeaders"]["allow"] == "DELETE"
    assert s3.list_objects_v2(Bucket=versioned)["KeyCount"] == 0
    assert listed(s3, versioned)[-1] == ("k", gone["VersionId"], True, False)
    assert code(s3.delete_bucket, Bucket=versioned) == ("BucketNotEmpty", 409)

    # Taking the marker away brings the object back; taking the newest version away brings the one before.
    back = s3.delete_object(Bucket=versioned, Key="k", VersionId=gone["VersionId"])
    assert back["DeleteMarker"] and back["VersionId"] == gone["VersionId"]
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"two"
    assert "DeleteMarker" not in s3.delete_object(Bucket=versioned, Key="k", VersionId=two)
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"one"
    assert code(s3.get_object, Bucket=versioned, Key="k", VersionId=two) == ("NoSuchVersion", 404)
    assert code(s3.get_object, Bucket=versioned, Key="k", VersionId="x") == ("InvalidArgument", 400)
    assert s3.delete_object(Bucket=versioned, Key="k", VersionId=two)["VersionId"] == two
    s3.delete_object(Bucket=versioned, Key="k", VersionId=one)
    assert listed(s3, versioned) == []
    s3.delete_bucket(Bucket=versioned)


def test_null_versions(s3, bucket):
    assert put(s3, bucket, "k", b"before") is None
    assert "VersionId" not in s3.get_object(Bucket=bucket, Key="k")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    one = put(s3, bucket, "k", b"one")
    assert listed(s3, bucket) == [("k", one, True, True), ("k", "null", False, True)]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"before"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    put(s3, bucket, "k", b"null again")
    assert listed(s3, bucket) == [("k", "null", True, True), ("k", one, False, True)]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"null again"
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] and marker["VersionId"] == "null"
    assert listed(s3, bucket) == [("k", one, False, True), ("k", "null", True, False)]
    marker = s3.delete_object(Bucket=bucket, Key="k")  # the second takes the place of the first
    assert listed(s3, bucket) == [("k", one, False, True), ("k", "null", True, False)]
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == one
    s3.delete_object(Bucket=bucket, Key="k", VersionId=one)
    assert listed(s3, bucket) == []


def test_listing_versions_page_by_page(s3, versioned):
    made = []
    for key in ["a", "b/1", "b/2", "c"]:
        for body in [b"1", b"2", b"3"]:
            made.append((key, put(s3, versioned, key, body)))
    made.append(("b/1", s3.delete_object(Bucket=versioned, Key="b/1")["VersionId"]))
    want = sorted(made, key=lambda entry: (entry[0], -made.index(entry)))
    for size in [1, 2, 5, 1000]:
        seen, latest, marker = [], [], {}
        while True:
            page = s3.list_object_versions(Bucket=versioned, MaxKeys=size, **marker)
            both = page.get("Versions", []) + page.get("DeleteMarkers", [])
            assert len(both) <= size
            seen += [(v["Key"], v["VersionId"]) for v in both]
            latest += [v["Key"] for v in both if v["IsLatest"]]
            if not page["IsTruncated"]:
                break
            marker = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
        assert sorted(seen) == sorted(want) and sorted(latest) == ["a", "b/1", "b/2", "c"], size
        if size == 1:
            assert seen == want
    page = s3.list_object_versions(Bucket=versioned, Delimiter="/", MaxKeys=4)
    assert [p["Prefix"] for p in page["CommonPrefixes"]] == ["b/"] and len(page["Versions"]) == 3
    page = s3.list_object_versions(Bucket=versioned, Delimiter="/", KeyMarker=page["NextKeyMarker"])
    assert [v["Key"] for v in page["Versions"]] == ["c"] * 3 and "CommonPrefixes" not in page
    assert code(s3.list_object_versions, Bucket=versioned, VersionIdMarker=made[0][1]) == ("InvalidArgument", 400)


def test_delete_many_versions(s3, versioned):
    one = put(s3, versioned, "k", b"1")
    put(s3, versioned, "k", b"2")
    answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "k", "VersionId": one}, {"Key": "k"}, {"Key": "k", "VersionId": "bad"}]})
    assert answer["Deleted"][0] == {"Key": "k", "VersionId": one}
    assert answer["Deleted"][1]["DeleteMarker"] and answer["Deleted"][1]["DeleteMarkerVersionId"]
    assert answer["Errors"][0]["Code"] == "NoSuchVersion"
    for key, version, _, _ in listed(s3, versioned):
        s3.delete_object(Bucket=versioned, Key=key, VersionId=version)
    s3.delete_bucket(Bucket=versioned)


def test_multipart_copy_and_tags_make_versions(s3, versioned):
    first = put(s3, versioned, "k", b"x" * 100)
    upload = s3.create_multipart_upload(Bucket=versioned, Key="k")["UploadId"]
    part = s3.upload_part_copy(Bucket=versioned, Key="k", UploadId=upload, PartNumber=1, CopySource={"Bucket": versioned, "Key": "k", "VersionId": first},
                               CopySourceRange="bytes=10-19")
    assert part["CopySourceVersionId"] == first
    done = s3.complete_multipart_upload(Bucket=versioned, Key="k", UploadId=upload,
                                        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]})
    assert s3.head_object(Bucket=versioned, Key="k")["ContentLength"] == 10 and done["VersionId"]
    copied = s3.copy_object(Bucket=versioned, Key="k", CopySource={"Bucket": versioned, "Key": "k", "VersionId": first})
    assert copied["CopySourceVersionId"] == first and copied["VersionId"] not in (first, done["VersionId"])
    assert s3.head_object(Bucket=versioned, Key="k")["ContentLength"] == 100
    s3.put_object_tagging(Bucket=versioned, Key="k", VersionId=first, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert s3.get_object_tagging(Bucket=versioned, Key="k", VersionId=first)["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert s3.get_object_tagging(Bucket=versioned, Key="k")["TagSet"] == []
    assert len(listed(s3, versioned)) == 3
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    source = {"Bucket": versioned, "Key": "k"}
    assert code(s3.copy_object, Bucket=versioned, Key="l", CopySource=source) == ("NoSuchKey", 404)
    assert code(s3.copy_object, Bucket=versioned, Key="l", CopySource={**source, "VersionId": marker}) == ("InvalidRequest", 400)


def test_versions_survive_kill(request, tmp_path):
    running = Platform(request.config.getoption("--binary"), tmp_path, "--empty", "--sync", "always")
    try:
        s3 = client(running)
        s3.create_bucket(Bucket="kept")
        put(s3, "kept", "k", b"null")
        s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        want = {"null": b"null"}
        for step in range(12):
            body = bytes([step]) * 300_000
            s3 = client(running)
            version = [lambda: put(s3, "kept", "k", body), lambda: s3.delete_object(Bucket="kept", Key="k")["VersionId"],
                       lambda: s3.copy_object(Bucket="kept", Key="k", CopySource={"Bucket": "kept", "Key": "k", "VersionId": "null"})["VersionId"]][step % 3]()
            want[version] = [body, None, b"null"][step % 3]
            running.kill()
            running.start()
        s3 = client(running)
        seen = listed(s3, "kept")
        assert {version for _, version, _, _ in seen} == set(want)
        assert [version for _, version, latest, _ in seen if latest] == [list(want)[-1]]
        for _, version, _, is_object in seen:
            assert is_object == (want[version] is not None)
            if is_object:
                assert s3.get_object(Bucket="kept", Key="k", VersionId=version)["Body"].read() == want[version]
        out = io.BytesIO()
        s3.download_fileobj("kept", "k", out)
        assert out.getvalue() == b"null"
    finally:
        running.stop()
