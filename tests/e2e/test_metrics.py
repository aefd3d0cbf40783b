"""/_parvis/metrics counts each API call since the start, in Prometheus's text form."""
import re
import urllib.error
import urllib.parse
import urllib.request

import pytest
from botocore.exceptions import ClientError


def value(platform, name, **labels):
    text = urllib.request.urlopen(f"{platform.url}/_parvis/metrics", timeout=5).read().decode()
    wanted = ",".join(f'{key}="{label}"' for key, label in labels.items())
    found = re.search(rf"^{name}{{{wanted}}} (\d+)$", text, re.M)
    return int(found[1]) if found else 0


def test_calls_and_errors_are_counted(empty):
    labels = {"service": "dynamodb", "operation": "DescribeTable"}
    calls, errors = value(empty, "parvis_api_calls_total", **labels), value(empty, "parvis_api_client_errors_total", **labels)
    with pytest.raises(ClientError):
        empty.client("dynamodb").describe_table(TableName="not-there")
    assert value(empty, "parvis_api_calls_total", **labels) == calls + 1
    assert value(empty, "parvis_api_client_errors_total", **labels) == errors + 1


def test_names_from_clients_cannot_break_the_page(empty):
    form = urllib.parse.urlencode({"Action": 'a"} 1\n\x01\\', "Version": "2011-06-15"}).encode()
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(urllib.request.Request(empty.url, form), timeout=5)
    text = urllib.request.urlopen(f"{empty.url}/_parvis/metrics", timeout=5).read().decode()
    assert 'operation="a_} 1___"' in text
    assert all(re.fullmatch(r'# .*|\w+({\w+="[^"\\]*"(,\w+="[^"\\]*")*})? \d+', line) for line in text.splitlines())
