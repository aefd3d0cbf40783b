"""The travel example as its user meets it: both back ends answer, keep their data, reload."""
import json
import re
import shutil
import time
import urllib.error
import urllib.request

import pytest

from conftest import ROOT, Platform, free_port


def call(url, method="GET", body=None, headers=None):
    request = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={"content-type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null"), error.headers


@pytest.fixture(scope="module")
def travel(binary, tmp_path_factory):
    folder = tmp_path_factory.mktemp("travel")
    project = folder / "project"
    shutil.copytree(ROOT / "examples/travel", project, ignore=shutil.ignore_patterns(".parvis", "node_modules"))
    # Ports of its own, so that a running example does not disturb the test.
    services = project / "downstream/services.mjs"
    ports = {str(port): str(free_port()) for port in (4701, 4702, 4703)}
    for path in (services, project / "template.yaml"):
        text = path.read_text()
        for old, new in ports.items():
            text = text.replace(old, new)
        path.write_text(text)
    platform = Platform(binary, folder, str(project))
    platform.project, platform.downstream = project, ports
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:  # the companions start beside the platform
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{ports['4703']}/search", timeout=1).read()
            break
        except OSError:
            time.sleep(0.05)
    yield platform
    platform.stop()


def test_web_offers_gather_three_services(travel):
    status, answer, _ = call(travel.api(0) + "/offers?from=AMS&to=OPO")
    assert status == 200
    assert len(answer["flights"]) == 3 and len(answer["hotels"]) == 3 and len(answer["cars"]) == 2
    assert answer["unavailable"] == []
    assert answer["packages"] == sorted(answer["packages"], key=lambda offer: offer["total"])


def test_web_answers_what_is_left_when_a_service_fails(travel):
    control = f"http://127.0.0.1:{travel.downstream['4702']}/_behaviour"
    call(control, "PUT", {"failureRate": 1})
    try:
        status, answer, _ = call(travel.api(0) + "/offers")
        assert (status, answer["unavailable"]) == (200, ["hotels"])
    finally:
        call(control, "PUT", {"failureRate": 0})


def test_web_trips_are_kept(travel):
    status, trip, _ = call(travel.api(0) + "/trips", "POST", {"traveller": "ada", "flight": "KL123", "departure": "2027-05-01"})
    assert status == 201
    one = f"{travel.api(0)}/travellers/ada/trips/{trip['tripId']}"
    assert call(one)[:2] == (200, trip)
    travel.kill()
    travel.start()
    one = f"{travel.api(0)}/travellers/ada/trips/{trip['tripId']}"
    assert call(one)[:2] == (200, trip)
    assert call(f"{travel.api(0)}/travellers/ada/trips")[1]["trips"] == [trip]
    assert call(one, "DELETE")[0] == 200
    assert call(one)[0] == 404


def test_mobile_home_is_small_and_remembers(travel):
    mobile = travel.api(1)
    assert call(f"{mobile}/home/phone-1", "PUT", {"from": "AMS", "to": "OPO"})[0] == 200
    status, answer, _ = call(f"{mobile}/home/phone-1")
    assert (status, answer["to"], sorted(answer)) == (200, "OPO", ["fly", "stay", "to"])


def test_routes_that_do_not_exist_answer_as_aws(travel):
    assert call(travel.api(0) + "/nothing")[:2] == (403, {"message": "Missing Authentication Token"})
    assert call(travel.api(1) + "/nothing")[:2] == (404, {"message": "Not Found"})


def test_cors_preflight(travel):
    headers = {"Origin": "https://travel.example", "Access-Control-Request-Method": "GET"}
    status, _, answer = call(travel.api(0) + "/offers", "OPTIONS", headers=headers)
    assert (status, answer["Access-Control-Allow-Origin"]) == (200, "*")
    status, _, answer = call(travel.api(1) + "/home/x", "OPTIONS", headers=headers)
    assert (status, answer["Access-Control-Allow-Origin"]) == (204, "*")


def test_edit_shows_in_the_next_answers_and_keeps_data(travel):
    mobile = travel.api(1)
    call(f"{mobile}/home/phone-2", "PUT", {"from": "AMS", "to": "FAO"})
    source = travel.project / "src/mobile/home.ts"
    source.write_text(source.read_text().replace("to: query.to,\n    fly", "to: query.to, edited: true,\n    fly"))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        answer = call(f"{travel.api(1)}/home/phone-2")[1]
        if answer.get("edited"):
            break
        time.sleep(0.02)
    assert (answer.get("edited"), answer["to"]) == (True, "FAO")


def test_table_whose_key_changes_and_changes_back_keeps_its_data(travel):
    template = travel.project / "template.yaml"
    good = template.read_text()
    call(f"{travel.api(1)}/home/phone-3", "PUT", {"from": "AMS", "to": "FNC"})
    for text, said in ((good.replace("{Name: device,", "{Name: gadget,"), "MobileTable is no longer in the template as it was"),
                       (good, "MobileTable is back, with its data")):
        template.write_text(text)
        deadline = time.monotonic() + 10
        while said not in travel.output() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert said in travel.output()
    assert call(f"{travel.api(1)}/home/phone-3")[1]["to"] == "FNC"


def test_unknown_property_is_named_by_line(travel):
    template = travel.project / "template.yaml"
    good = template.read_text()
    line = next(number for number, text in enumerate(good.split("\n"), 1) if "BillingMode" in text)
    template.write_text(good.replace("BillingMode", "BilingMode"))
    try:
        deadline = time.monotonic() + 10
        while "BilingMode" not in travel.output() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert re.search(rf"template\.yaml:{line}:\d+: resource WebTable: the property BilingMode of AWS::DynamoDB::Table is not supported", travel.output())
        assert call(travel.api(0) + "/offers")[0] == 200
    finally:
        template.write_text(good)


def test_mistake_is_named_by_file_and_line_and_the_last_version_serves(travel):
    source = travel.project / "src/web/offers.ts"
    good = source.read_text()
    lines = good.split("\n")
    lines[6] += " const = ;"
    source.write_text("\n".join(lines))
    try:
        deadline = time.monotonic() + 10
        while "web/offers.ts:7" not in travel.output() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "web/offers.ts:7" in travel.output()
        assert call(travel.api(0) + "/offers")[0] == 200
    finally:
        source.write_text(good)
