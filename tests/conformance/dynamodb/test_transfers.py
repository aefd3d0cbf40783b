"""Exports to S3 and imports from it through stock boto3; runs against any endpoint with --endpoint (minutes on AWS)."""
import base64
import datetime
import gzip
import hashlib
import json
import subprocess
import time
import uuid
from collections.abc import Mapping
from decimal import Decimal

import pytest
from amazon.ion import simpleion
from amazon.ion.core import IonType
from amazon.ion.simple_types import IonPyBool, IonPyList, IonPyNull
from botocore.exceptions import ClientError


def error_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


@pytest.fixture
def bucket(client):
    s3 = client("s3")
    name = f"transfers-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    yield name
    for thing in s3.list_objects_v2(Bucket=name).get("Contents", []):
        s3.delete_object(Bucket=name, Key=thing["Key"])
    s3.delete_bucket(Bucket=name)


def read(s3, bucket, key):
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def ended(describe, status, seconds=1800):
    deadline = time.monotonic() + seconds
    while (description := describe())[status] == "IN_PROGRESS" and time.monotonic() < deadline:
        time.sleep(0.05)
    return description


def schema(name):
    return {"TableName": name, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in (("p", "S"), ("s", "N"), ("kind", "S"))],
            "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
            "GlobalSecondaryIndexes": [{"IndexName": "byKind", "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                                        "Projection": {"ProjectionType": "ALL"}}]}


def imported(dynamodb, bucket, prefix, **arguments):
    name = f"imported-{uuid.uuid4().hex[:8]}"
    started = dynamodb.import_table(S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": prefix}, TableCreationParameters=schema(name),
                                    **arguments)["ImportTableDescription"]
    assert started["ImportStatus"] == "IN_PROGRESS" and started["ImportArn"].startswith(started["TableArn"] + "/import/")
    return name, ended(lambda: dynamodb.describe_import(ImportArn=started["ImportArn"])["ImportTableDescription"], "ImportStatus")


def plain(value):
    """What amazon.ion read, as Python's own types; a list with an annotation is a pair of that and the list."""
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        marks = [mark.text for mark in getattr(value, "ion_annotations", ())]
        return (marks[0], [plain(each) for each in value]) if marks else [plain(each) for each in value]
    if isinstance(value, IonPyNull):
        return None
    return bool(value) if isinstance(value, IonPyBool) else value


@pytest.fixture
def exported(client, table, bucket):
    """A table of 30 items and its description after an export to `bucket` under "out"."""
    dynamodb = client("dynamodb")
    for s in range(30):
        dynamodb.put_item(TableName=table, Item={"p": {"S": "a"}, "s": {"N": str(s)}, "kind": {"S": "k"}, "b": {"B": b"\x00\xff"}, "e": {"S": "é\n"}})
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
    request = {"TableArn": arn, "S3Bucket": bucket, "S3Prefix": "out", "ClientToken": "once"}
    started = dynamodb.export_table_to_point_in_time(**request)["ExportDescription"]
    assert started["ExportStatus"] == "IN_PROGRESS" and started["ExportArn"].startswith(arn + "/export/")
    assert dynamodb.export_table_to_point_in_time(**request)["ExportDescription"]["ExportArn"] == started["ExportArn"]
    assert error_of(dynamodb.export_table_to_point_in_time, **request, S3SseAlgorithm="AES256") == "ExportConflictException"
    return ended(lambda: dynamodb.describe_export(ExportArn=started["ExportArn"])["ExportDescription"], "ExportStatus")


def test_a_full_export_has_the_layout_of_the_service(client, exported, bucket):
    s3 = client("s3")
    assert exported["ExportStatus"] == "COMPLETED", exported
    assert (exported["ItemCount"], exported["ExportFormat"], exported["ExportType"]) == (30, "DYNAMODB_JSON", "FULL_EXPORT")
    folder = "out/AWSDynamoDB/" + exported["ExportArn"].rsplit("/", 1)[1]
    assert exported["ExportManifest"] == folder + "/manifest-summary.json"
    assert read(s3, bucket, folder + "/_started") == b""
    summary = json.loads(read(s3, bucket, exported["ExportManifest"]))
    assert (summary["exportArn"], summary["tableArn"], summary["itemCount"], summary["outputFormat"]) == (
        exported["ExportArn"], exported["TableArn"], 30, "DYNAMODB_JSON")
    assert (summary["s3Bucket"], summary["s3Prefix"], summary["s3SseAlgorithm"], summary["s3SseKmsKeyId"]) == (bucket, "out", "AES256", None)
    for name in ("manifest-summary", "manifest-files"):
        assert base64.b64decode(read(s3, bucket, f"{folder}/{name}.md5")) == hashlib.md5(read(s3, bucket, f"{folder}/{name}.json")).digest()
    items = []
    for line in read(s3, bucket, summary["manifestFilesS3Key"]).splitlines():
        file = json.loads(line)
        body = read(s3, bucket, file["dataFileS3Key"])
        assert file["dataFileS3Key"].startswith(folder + "/data/") and file["dataFileS3Key"].endswith(".json.gz")
        assert base64.b64decode(file["md5Checksum"]) == hashlib.md5(body).digest()
        rows = [json.loads(row) for row in gzip.decompress(body).splitlines()]
        assert len(rows) == file["itemCount"]
        items += rows
    assert sorted(int(row["Item"]["s"]["N"]) for row in items) == list(range(30))
    assert items[0]["Item"]["b"] == {"B": "AP8="} and items[0]["Item"]["e"] == {"S": "é\n"}


def test_exports_are_listed_and_imported_again(client, exported, bucket):
    dynamodb = client("dynamodb")
    listed = dynamodb.list_exports(TableArn=exported["TableArn"])["ExportSummaries"]
    assert listed == [{"ExportArn": exported["ExportArn"], "ExportStatus": "COMPLETED", "ExportType": "FULL_EXPORT"}]
    folder = exported["ExportManifest"].rsplit("/", 1)[0]
    name, done = imported(dynamodb, bucket, folder + "/data/", InputFormat="DYNAMODB_JSON", InputCompressionType="GZIP")
    assert done["ImportStatus"] == "COMPLETED", done
    assert (done["ImportedItemCount"], done["ProcessedItemCount"], done["ErrorCount"]) == (30, 30, 0)
    description = dynamodb.describe_table(TableName=name)["Table"]
    assert (description["TableStatus"], description["ItemCount"]) == ("ACTIVE", 30) and "RestoreSummary" not in description
    query = {"KeyConditionExpression": "kind = :k", "ExpressionAttributeValues": {":k": {"S": "k"}}}
    assert dynamodb.query(TableName=name, IndexName="byKind", **query)["Count"] == 30
    assert [i["ImportArn"] for i in dynamodb.list_imports(TableArn=done["TableArn"])["ImportSummaryList"]] == [done["ImportArn"]]
    dynamodb.delete_table(TableName=name)


def test_ion_is_exported_and_imported_again(client, table, bucket):
    dynamodb, s3 = client("dynamodb"), client("s3")
    item = {"p": {"S": "it's \"é\"\n"}, "s": {"N": "-12.5"}, "kind": {"S": "k"}, "b": {"B": b"\x00\xff"}, "n": {"NULL": True}, "f": {"BOOL": False},
            "ss": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "2000"]}, "bs": {"BS": [b"\x01"]}, "odd name": {"L": [{"M": {"x": {"N": "1E-100"}}}]}}
    dynamodb.put_item(TableName=table, Item=item)
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
    started = dynamodb.export_table_to_point_in_time(TableArn=arn, S3Bucket=bucket, ExportFormat="ION")["ExportDescription"]
    done = ended(lambda: dynamodb.describe_export(ExportArn=started["ExportArn"])["ExportDescription"], "ExportStatus")
    assert (done["ExportStatus"], done["ExportFormat"], done["ItemCount"]) == ("COMPLETED", "ION", 1), done
    folder = done["ExportManifest"].rsplit("/", 1)[0]
    files = [thing["Key"] for thing in s3.list_objects_v2(Bucket=bucket, Prefix=folder + "/data/")["Contents"]]
    lines = [line for file in files for line in gzip.decompress(read(s3, bucket, file)).decode().splitlines()]
    assert all(file.endswith(".ion.gz") for file in files) and len(lines) == 1
    assert lines[0].startswith("$ion_1_0 {Item:{") and "s:-12.5" in lines[0] and "$dynamodb_NS::[1.,2d3]" in lines[0]
    assert plain(simpleion.loads(lines[0])["Item"]) == {
        "p": "it's \"é\"\n", "s": Decimal("-12.5"), "kind": "k", "b": b"\x00\xff", "n": None, "f": False, "ss": ("$dynamodb_SS", ["a", "b"]),
        "ns": ("$dynamodb_NS", [Decimal(1), Decimal(2000)]), "bs": ("$dynamodb_BS", [b"\x01"]), "odd name": [{"x": Decimal("1E-100")}]}
    before = dynamodb.get_item(TableName=table, Key={"p": item["p"], "s": item["s"]})["Item"]
    name, done = imported(dynamodb, bucket, folder + "/data/", InputFormat="ION", InputCompressionType="GZIP")
    assert (done["ImportStatus"], done["ImportedItemCount"], done["ErrorCount"]) == ("COMPLETED", 1, 0), done
    assert dynamodb.get_item(TableName=name, Key={"p": item["p"], "s": item["s"]})["Item"] == before
    dynamodb.delete_table(TableName=name)


def test_ion_as_its_own_library_writes_it_is_imported(client, bucket):
    """Every spelling that amazon.ion has for text: symbols, escapes, decimals with exponents, annotated lists, typed nulls, blobs."""
    dynamodb, s3 = client("dynamodb"), client("s3")
    sets = {"ss": IonPyList.from_value(IonType.LIST, ["a", "ü"], ("$dynamodb_SS",)),
            "ns": IonPyList.from_value(IonType.LIST, [Decimal("1"), Decimal("-2E+3")], ("$dynamodb_NS",)),
            "bs": IonPyList.from_value(IonType.LIST, [b"\x00", b"\xfe\xff"], ("$dynamodb_BS",))}
    rows = [{"Item": {"p": "a", "s": Decimal("1E-130"), "odd \'name\'\u2028": "\x00\t\"\\😀", "b": b"\x00" * 50, "n": None, "t": True,
                      "l": [1, [], {}, {"m": Decimal("9" * 38)}], **sets}},
            {"Item": {"p": "a", "s": 2}}, {"Item": {"p": "null", "s": Decimal("-0.00")}}, {"NoItem": {}}]
    text = "\n".join(simpleion.dumps(row, binary=False) for row in rows)
    s3.put_object(Bucket=bucket, Key="by-library/rows.ion", Body=text.encode())
    name, done = imported(dynamodb, bucket, "by-library/", InputFormat="ION")
    assert (done["FailureCode"], done["ImportedItemCount"], done["ErrorCount"]) == ("ItemValidationError", 3, 1), (text, done)
    items = {(each["p"]["S"], each["s"]["N"]): each for each in dynamodb.scan(TableName=name)["Items"]}
    whole = items["a", "0." + "0" * 129 + "1"]
    assert set(items) == {("a", whole["s"]["N"]), ("a", "2"), ("null", "0")}
    assert whole == {"p": {"S": "a"}, "s": whole["s"], "odd \'name\'\u2028": {"S": "\x00\t\"\\😀"}, "b": {"B": b"\x00" * 50}, "n": {"NULL": True},
                     "t": {"BOOL": True}, "l": {"L": [{"N": "1"}, {"L": []}, {"M": {}}, {"M": {"m": {"N": "9" * 38}}}]}, "ss": {"SS": ["a", "ü"]},
                     "ns": {"NS": ["-2000", "1"]}, "bs": {"BS": [b"\x00", b"\xfe\xff"]}}
    dynamodb.delete_table(TableName=name)


@pytest.mark.parametrize("compress, compression", [
    (lambda b: b, "NONE"), (gzip.compress, "GZIP"),
    (lambda b: subprocess.run(["zstd", "-q", "-c"], input=b, stdout=subprocess.PIPE, check=True).stdout, "ZSTD")])
def test_csv_of_every_compression(client, bucket, compress, compression):
    dynamodb = client("dynamodb")
    try:
        body = compress(b'p,s,kind,note\na,1,k,"x, y"\na,2,k,\nb,no number,k,z\n')
    except FileNotFoundError:
        pytest.skip("zstd is not here")
    client("s3").put_object(Bucket=bucket, Key="in/rows.csv", Body=body)
    name, done = imported(dynamodb, bucket, "in/", InputFormat="CSV", InputCompressionType=compression)
    assert (done["ImportStatus"], done["FailureCode"], done["ImportedItemCount"], done["ErrorCount"]) == ("FAILED", "ItemValidationError", 2, 1), done
    assert dynamodb.get_item(TableName=name, Key={"p": {"S": "a"}, "s": {"N": "1"}})["Item"]["note"] == {"S": "x, y"}
    dynamodb.delete_table(TableName=name)


def test_csv_with_a_header_and_a_delimiter_of_its_own(client, bucket):
    dynamodb = client("dynamodb")
    client("s3").put_object(Bucket=bucket, Key="rows", Body=b"a;1;k\nb;2;k\n")
    name, done = imported(dynamodb, bucket, "rows", InputFormat="CSV",
                          InputFormatOptions={"Csv": {"Delimiter": ";", "HeaderList": ["p", "s", "kind"]}})
    assert done["ImportedItemCount"] == 2, done
    dynamodb.delete_table(TableName=name)


def test_an_import_of_nothing_makes_an_empty_table(client, bucket):
    dynamodb = client("dynamodb")
    name, done = imported(dynamodb, bucket, "no/such/prefix/", InputFormat="DYNAMODB_JSON")
    assert (done["ImportStatus"], done["ProcessedItemCount"], done["ImportedItemCount"], done["ErrorCount"]) == ("COMPLETED", 0, 0, 0), done
    assert dynamodb.scan(TableName=name)["Count"] == 0
    dynamodb.delete_table(TableName=name)


def test_an_import_that_fails_says_why(client, bucket):
    dynamodb = client("dynamodb")
    name, done = imported(dynamodb, "no-such-bucket-" + uuid.uuid4().hex, "", InputFormat="DYNAMODB_JSON")
    assert (done["ImportStatus"], done["FailureCode"]) == ("FAILED", "S3NoSuchBucket")


def test_what_is_refused(client, table, bucket):
    dynamodb = client("dynamodb")
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    export = dynamodb.export_table_to_point_in_time
    assert error_of(export, TableArn=arn, S3Bucket=bucket) == "PointInTimeRecoveryUnavailableException"
    assert error_of(export, TableArn=arn + "x", S3Bucket=bucket) == "TableNotFoundException"
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
    long_ago = datetime.datetime(2020, 1, 1)
    assert error_of(export, TableArn=arn, S3Bucket=bucket, ExportTime=long_ago) == "InvalidExportTimeException"
    assert error_of(export, TableArn=arn, S3Bucket=bucket, ExportType="INCREMENTAL_EXPORT",
                    IncrementalExportSpecification={"ExportFromTime": long_ago}) == "InvalidExportTimeException"
    assert error_of(dynamodb.describe_export, ExportArn=arn + "/export/01234567890123-a1b2c3d4") == "ExportNotFoundException"
    assert error_of(dynamodb.describe_import, ImportArn=arn + "/import/01234567890123-a1b2c3d4") == "ImportNotFoundException"
    assert error_of(dynamodb.import_table, S3BucketSource={"S3Bucket": bucket}, InputFormat="DYNAMODB_JSON",
                    TableCreationParameters=schema(table)) == "ResourceInUseException"


def lines_of_export(s3, bucket, description):
    summary = json.loads(read(s3, bucket, description["ExportManifest"]))
    files = [json.loads(line)["dataFileS3Key"] for line in read(s3, bucket, summary["manifestFilesS3Key"]).splitlines()]
    return [json.loads(line)["Item"] for file in files for line in gzip.decompress(read(s3, bucket, file)).splitlines()]


@pytest.mark.parametrize("specification, found", [
    ({"FilterExpression": "s BETWEEN :a AND :b", "ExpressionAttributeValues": {":a": {"N": "3"}, ":b": {"N": "5"}}, "ProjectionExpression": "s"},
     [{"s": {"N": str(s)}} for s in (3, 4, 5)]),
    ({"KeyConditionExpression": "p = :p AND s > :s", "FilterExpression": "#k = :k", "ExpressionAttributeNames": {"#k": "kind"},
      "ExpressionAttributeValues": {":p": {"S": "a"}, ":s": {"N": "28"}, ":k": {"S": "k"}}, "ProjectionExpression": "s, #k"}, [{"s": {"N": "29"}, "kind": {"S": "k"}}]),
    ({"KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": {"S": "nobody"}}}, []),
])
def test_a_filtered_export(client, table, exported, bucket, specification, found):
    dynamodb = client("dynamodb")
    started = dynamodb.export_table_to_point_in_time(TableArn=exported["TableArn"], S3Bucket=bucket, S3Prefix="filtered",
                                                     FilterSpecification=specification)["ExportDescription"]
    description = ended(lambda: dynamodb.describe_export(ExportArn=started["ExportArn"])["ExportDescription"], "ExportStatus")
    assert description["ExportStatus"] == "COMPLETED" and description["ItemCount"] == len(found)
    assert description["FilterSpecification"] == specification
    assert lines_of_export(client("s3"), bucket, description) == found


@pytest.mark.parametrize("specification", [
    {"FilterExpression": "s = :s"}, {"FilterExpression": "s ="}, {"KeyConditionExpression": "s = :s", "ExpressionAttributeValues": {":s": {"N": "1"}}},
    {"KeyConditionExpression": "p = :p", "FilterExpression": "s = :s", "ExpressionAttributeValues": {":p": {"S": "a"}, ":s": {"N": "1"}}},
    {"ExpressionAttributeValues": {":s": {"N": "1"}}}])
def test_filters_that_are_refused(client, exported, bucket, specification):
    assert error_of(client("dynamodb").export_table_to_point_in_time, TableArn=exported["TableArn"], S3Bucket=bucket,
                    FilterSpecification=specification) == "ValidationException"
