"""`parvis dev --inspect`: debuggers attach to functions, and time limits do not count meanwhile."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

from conftest import ROOT, Platform, free_port, needs_namespaces
from debuggers import NodeDebugger, PythonDebugger, generated_line, targets
from project import call, make_project, wait_for


def line_of(text, part):
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


class Calling(threading.Thread):
    """A call that is made beside the test."""

    def __init__(self, *arguments):
        super().__init__(daemon=True)
        self.arguments, self.answer = arguments, None
        self.start()

    def run(self):
        self.answer = call(*self.arguments)

    def result(self, timeout=20):
        self.join(timeout)
        return self.answer


def debug_ports(platform):
    """By logical id; what is served is printed a moment after the platform is ready."""
    read = lambda: {name.split("-")[-2]: int(port) for port, name in re.findall(r"debugger  localhost:(\d+)  (\S+)", platform.output())}
    return wait_for(lambda: "health" in platform.output() and read()) or read()


def starts(binary, folder, project, *arguments):
    return Platform(binary, folder, str(project), "--inspect-port", str(free_port(5)), *arguments)


@pytest.fixture(scope="module")
def travel(binary, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspect")
    project = folder / "project"
    shutil.copytree(ROOT / "examples/travel", project, ignore=shutil.ignore_patterns(".parvis", "node_modules"))
    services, template = project / "downstream/services.mjs", project / "template.yaml"
    ports = {str(port): str(free_port()) for port in (4701, 4702, 4703)}
    for path in (services, template):
        text = path.read_text().replace("Timeout: 10", "Timeout: 2")
        for old, new in ports.items():
            text = text.replace(old, new)
        path.write_text(text)
    platform = starts(binary, folder, project, "--inspect=WebOffers")
    platform.project = project
    assert wait_for(lambda: socket_open(ports["4703"]))
    yield platform
    platform.stop()


def socket_open(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/search", timeout=1).read()
    except OSError:
        return None


def test_travel_is_debugged_through_its_typescript(travel):
    """Attach, breakpoint in a .ts line, call, stop there longer than the function's time limit, look, go on, 200."""
    ports = debug_ports(travel)
    assert list(ports) == ["WebOffers"], travel.output()
    debugger = NodeDebugger(ports["WebOffers"])
    debugger.start()
    script, source_map = debugger.script_of("web/offers.ts")
    # Editors find the source where the map says that it is.
    name = next(name for name in source_map["sources"] if name.endswith("web/offers.ts"))
    source = (pathlib.Path(script["url"].removeprefix("file://")).parent / name).resolve()
    assert source == (travel.project / "src/web/offers.ts").resolve()
    line = line_of(source.read_text(), "const unavailable")
    generated = generated_line(source_map, "web/offers.ts", line)
    bound = debugger.ask("Debugger.setBreakpointByUrl", url=script["url"], lineNumber=generated)
    assert bound["locations"][0]["lineNumber"] == generated
    calling = Calling(travel.api(0) + "/offers?from=AMS&to=OPO")
    stopped = debugger.wait("Debugger.paused")
    frame = stopped["callFrames"][0]
    assert (frame["location"]["scriptId"], frame["location"]["lineNumber"], frame["functionName"]) == (script["scriptId"], generated, "handler")
    looked = debugger.ask("Debugger.evaluateOnCallFrame", callFrameId=frame["callFrameId"], expression="query.from + '-' + flights.items.length", returnByValue=True)
    assert looked["result"]["value"] == "AMS-3"
    time.sleep(3)
    assert calling.answer is None
    debugger.ask("Debugger.resume")
    status, answer = calling.result()
    assert (status, len(answer["flights"])) == (200, 3)
    assert "debugger attached" in travel.output()
    debugger.close()
    assert wait_for(lambda: "debugger detached" in travel.output())


SOURCE = """\
export const handler = async (event: any) => {
  const what: string = event.rawPath;
  if (what.endsWith('spin')) for (;;) {}
  if (what.endsWith('exit')) process.exit(7);
  if (what.endsWith('never')) await new Promise(() => {});
  if (what.endsWith('slow')) await new Promise((done) => setTimeout(done, 300));
  const said = `${what} by ${process.pid}`;
  return { said };
};
"""


@pytest.fixture(scope="module")
def small(binary, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspect-small")
    project = make_project(folder / "project")
    template = (project / "template.yaml").read_text()
    (project / "template.yaml").write_text(template.replace("Timeout: 5", "Timeout: 1"))
    (project / "src/hello.ts").write_text(SOURCE)
    platform = starts(binary, folder, project, "--inspect")
    platform.project = project
    yield platform
    platform.stop()


def test_targets_are_listed_under_the_functions_port(small):
    port = debug_ports(small)["Hello"]
    [target] = targets(port)
    assert target["webSocketDebuggerUrl"].startswith(f"ws://127.0.0.1:{port}/")


def test_one_environment_answers_all_calls(small):
    calls = [Calling(f"{small.api(0)}/notes/slow") for _ in range(4)]
    said = {one.result()[1]["said"] for one in calls}
    assert len(said) == 1


def test_event_loop_ends_calls_as_without_a_debugger(small):
    since = len(small.output())
    assert call(f"{small.api(0)}/notes/never")[0] == 500
    assert wait_for(lambda: "a Promise that was never settled" in small.output()[since:])
    assert call(f"{small.api(0)}/notes/x")[0] == 200


def test_time_limits_count_again_when_the_debugger_has_left(small):
    debugger = NodeDebugger(debug_ports(small)["Hello"])
    debugger.start()
    calling = Calling(f"{small.api(0)}/notes/spin")
    time.sleep(2)
    assert calling.answer is None
    debugger.ask("Debugger.pause")  # answered while the function is in a loop
    debugger.wait("Debugger.paused")
    debugger.close()
    status, _ = calling.result()
    assert status in (500, 502)
    assert wait_for(lambda: "Task timed out after 1.00 seconds" in small.output())


def test_port_outlives_edits_and_crashes(small):
    port = debug_ports(small)["Hello"]
    debugger = NodeDebugger(port)
    call(f"{small.api(0)}/notes/exit")
    with pytest.raises(Exception):  # the environment has gone, and its connection with it
        while True:
            debugger.ask("Runtime.enable")
    again = NodeDebugger(port)
    again.start()
    source = small.project / "src/hello.ts"
    source.write_text(SOURCE.replace("by ${", "edited, by ${"))
    assert wait_for(lambda: "edited" in call(f"{small.api(0)}/notes/x")[1].get("said", ""))
    third = NodeDebugger(port)
    third.start()
    script, source_map = third.script_of("hello.ts")
    third.ask("Debugger.setBreakpointByUrl", url=script["url"], lineNumber=generated_line(source_map, "hello.ts", line_of(SOURCE, "return { said }")))
    calling = Calling(f"{small.api(0)}/notes/x")
    frame = third.wait("Debugger.paused")["callFrames"][0]
    looked = third.ask("Debugger.evaluateOnCallFrame", callFrameId=frame["callFrameId"], expression="said", returnByValue=True)
    assert "edited" in looked["result"]["value"]
    third.ask("Debugger.resume")
    assert calling.result()[0] == 200
    third.close()


def test_edit_while_stopped_leaves_the_call_and_serves_the_new_code(small):
    port = debug_ports(small)["Hello"]
    source = small.project / "src/hello.ts"
    source.write_text(SOURCE.replace("by ${", "before, by ${"))
    assert wait_for(lambda: "before" in call(f"{small.api(0)}/notes/x")[1].get("said", ""))
    old = NodeDebugger(port)
    old.start()
    script, source_map = old.script_of("hello.ts")
    old.ask("Debugger.setBreakpointByUrl", url=script["url"], lineNumber=generated_line(source_map, "hello.ts", line_of(SOURCE, "return { said }")))
    stopped = Calling(f"{small.api(0)}/notes/x")
    old.wait("Debugger.paused")
    since = len(small.output())
    source.write_text(SOURCE.replace("by ${", "after, by ${"))
    assert wait_for(lambda: "stack done" in small.output()[since:])  # a call before would wait behind the stopped one
    assert "after" in call(f"{small.api(0)}/notes/x")[1]["said"]
    new = NodeDebugger(port)
    new.start()
    assert new.script_of("hello.ts")[0]["url"] != script["url"]
    assert stopped.answer is None
    old.ask("Debugger.resume")
    status, answer = stopped.result()
    assert status == 200 and "before" in answer["said"]
    new.close()


def test_connection_without_environment_starts_one(small):
    port = debug_ports(small)["Hello"]
    call(f"{small.api(0)}/notes/exit")
    started = time.monotonic()
    assert len(targets(port)) == 1 and time.monotonic() - started < 5


@pytest.mark.parametrize("arguments", [["--sandbox", "on"], ["--no-warm"]])
def test_brk_waits_before_the_function_is_loaded(binary, tmp_path, arguments):
    project = make_project(tmp_path / "project")
    (project / "src/hello.ts").write_text("const begun: number = 41 + 1;\n" + SOURCE)
    platform = starts(binary, tmp_path / "data", project, "--inspect-brk=Hello", *arguments)
    try:
        calling = Calling(f"{platform.api(0)}/notes/x")
        time.sleep(1)
        assert calling.answer is None
        debugger = NodeDebugger(debug_ports(platform)["Hello"])
        debugger.ask("Runtime.enable")
        debugger.ask("Debugger.enable")
        debugger.ask("Debugger.setBreakpointByUrl", urlRegex=r".*hello\.js$", lineNumber=0)
        debugger.ask("Runtime.runIfWaitingForDebugger")
        debugger.wait("Debugger.paused")
        assert calling.answer is None
        debugger.ask("Debugger.resume")
        assert calling.result()[0] == 200
        debugger.close()
    finally:
        platform.stop()


@pytest.mark.parametrize("major, sandbox", [("18", "off"), ("20", "on"), ("24", "on")])
def test_every_node_runtime_stops_at_a_breakpoint(binary, tmp_path, major, sandbox):
    if not (ROOT / f"build/tools/runtimes/node_modules/node{major}").exists():
        pytest.skip(f"Node.js {major} is not there: run script/setup --runtimes")
    project = make_project(tmp_path / "project")
    template = project / "template.yaml"
    template.write_text(template.read_text().replace("nodejs22.x", f"nodejs{major}.x"))
    (project / "src/hello.ts").write_text(SOURCE.replace("by ${process.pid}", "on ${process.version}"))
    platform = starts(binary, tmp_path / "data", project, "--inspect", "--sandbox", sandbox)
    try:
        debugger = NodeDebugger(debug_ports(platform)["Hello"])
        debugger.start()
        script, source_map = debugger.script_of("hello.ts")
        debugger.ask("Debugger.setBreakpointByUrl", url=script["url"], lineNumber=generated_line(source_map, "hello.ts", line_of(SOURCE, "return { said }")))
        calling = Calling(f"{platform.api(0)}/notes/x")
        frame = debugger.wait("Debugger.paused")["callFrames"][0]
        looked = debugger.ask("Debugger.evaluateOnCallFrame", callFrameId=frame["callFrameId"], expression="said", returnByValue=True)
        assert f" on v{major}." in looked["result"]["value"]
        debugger.ask("Debugger.resume")
        assert calling.result()[0] == 200
        debugger.close()
    finally:
        platform.stop()


def test_function_that_is_not_there_is_named(binary, tmp_path):
    project = make_project(tmp_path / "project")
    platform = starts(binary, tmp_path / "data", project, "--inspect=Hallo")
    try:
        assert re.search(r"--inspect=Hallo: there is no such function; there are project-Hello-\w+", platform.output())
        assert "debugger  " not in platform.output()
    finally:
        platform.stop()


PYTHON = """\
def handler(event, context):
    name = event["rawPath"]
    return {"said": f"hello {name}"}
"""


def python_project(folder):
    project = make_project(folder / "project")
    template = (project / "template.yaml").read_text()
    template = template.replace('    Metadata: {BuildMethod: esbuild, BuildProperties: {EntryPoints: [hello.ts], External: ["@aws-sdk/*"]}}\n', "")
    template = template.replace("nodejs22.x", "python3.11").replace("Timeout: 5", "Timeout: 2")
    (project / "template.yaml").write_text(template)
    (project / "src/hello.ts").unlink()
    (project / "src/hello.py").write_text(PYTHON)
    return project


@pytest.mark.parametrize("sandbox", ["off", pytest.param("on", marks=needs_namespaces)])
def test_python_is_debugged(binary, tmp_path, sandbox):
    project = python_project(tmp_path)
    packages = pathlib.Path(sys.prefix) / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    (project / ".venv/lib/python3.11").mkdir(parents=True)
    (project / ".venv/lib/python3.11/site-packages").symlink_to(packages)
    platform = starts(binary, tmp_path / "data", project, "--inspect", "--sandbox", sandbox)
    try:
        debugger = PythonDebugger(debug_ports(platform)["Hello"])
        debugger.start(project / "src/hello.py" if sandbox == "off" else "/var/task/hello.py", 3)
        calling = Calling(f"{platform.api(0)}/notes/ada")
        thread = debugger.wait(lambda message: message.get("event") == "stopped")["body"]["threadId"]
        frame = debugger.ask("stackTrace", threadId=thread)["stackFrames"][0]
        assert (frame["name"], frame["line"]) == ("handler", 3)
        assert debugger.ask("evaluate", expression="name", frameId=frame["id"])["result"] == "'/notes/ada'"
        time.sleep(3)
        assert calling.answer is None
        debugger.ask("continue", threadId=thread)
        assert calling.result() == (200, {"said": "hello /notes/ada"})
        debugger.close()
    finally:
        platform.stop()
    left = subprocess.run(["pgrep", "-f", "debugpy/adapter"], capture_output=True, text=True).stdout
    assert wait_for(lambda: not subprocess.run(["pgrep", "-f", str(packages / "debugpy/adapter")], capture_output=True).stdout), left


def test_python_without_debugpy_says_what_to_install(binary, tmp_path):
    platform = starts(binary, tmp_path / "data", python_project(tmp_path), "--inspect")
    try:
        assert wait_for(lambda: "pip install debugpy" in platform.output()), platform.output()
        assert call(f"{platform.api(0)}/notes/ada")[0] == 200
    finally:
        platform.stop()
