"""Type errors are told beside `parvis dev`, and hold up nothing."""
import json
import os
import subprocess

from conftest import ROOT, Platform
from project import SOURCE, Events, call, make_project, wait_for


def project_with_types(folder, installed=True):
    project = make_project(folder / "project")
    (project / "src/hello.ts").write_text("declare const process: { env: Record<string, string> };\n" + SOURCE.replace("import {", "// @ts-ignore\nimport {"))
    (project / "tsconfig.json").write_text(json.dumps({"compilerOptions": {"strict": True, "noEmit": True, "module": "preserve", "target": "es2022", "types": [], "skipLibCheck": True}, "include": ["src"]}))
    if installed:
        (project / "node_modules").mkdir()
        (project / "node_modules/typescript").symlink_to(ROOT / "build/tools/node_modules/typescript")
    return project


def compilers(project):
    found = subprocess.run(["pgrep", "-f", f"tsc.*{project}"], capture_output=True, text=True).stdout.split()
    return [int(pid) for pid in found]


def test_errors_appear_beside_and_go(binary, tmp_path):
    project = project_with_types(tmp_path)
    platform = Platform(binary, tmp_path / "data", str(project))
    try:
        assert wait_for(lambda: compilers(project))
        [compiler] = compilers(project)
        assert os.getpriority(os.PRIO_PROCESS, compiler) > 0
        events = Events(f"http://127.0.0.1:{platform.port}")
        source = project / "src/hello.ts"
        good = source.read_text()
        source.write_text(good.replace("const TableName = process", "const wrong: number = 'seven';\nconst TableName = process"))
        events.wait("deployment", status="done")
        assert call(f"{platform.api(0)}/notes/x")[0] == 200, "an error of types is no error of the function"
        found = events.wait("warning", timeout=60, file=str(source))
        line = next(number for number, text in enumerate(source.read_text().splitlines(), 1) if "wrong" in text)
        assert (found["line"], found["message"]) == (line, "TS2322: Type 'string' is not assignable to type 'number'.")
        events.wait("types", timeout=60, errors=1)
        assert f"hello.ts:{line}:7: TS2322" in platform.output()
        source.write_text(good)
        events.wait("types", timeout=60, errors=0)
        assert compilers(project) == [compiler]
    finally:
        platform.kill()  # -9: nothing of it may stay
    assert wait_for(lambda: not compilers(project))


def test_without_typescript_there_is_one_hint(binary, tmp_path):
    project = project_with_types(tmp_path, installed=False)
    platform = Platform(binary, tmp_path / "data", str(project))
    try:
        assert wait_for(lambda: "TypeScript is not installed in this project" in platform.output())
        assert platform.output().count("types are not checked") == 1
        assert call(f"{platform.api(0)}/notes/x")[0] == 200
    finally:
        platform.stop()


def test_no_types_runs_no_compiler(binary, tmp_path):
    project = project_with_types(tmp_path)
    platform = Platform(binary, tmp_path / "data", str(project), "--no-types")
    try:
        assert call(f"{platform.api(0)}/notes/x")[0] == 200
        assert not wait_for(lambda: compilers(project), timeout=2)
    finally:
        platform.stop()
