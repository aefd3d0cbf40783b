"""Zip files as functions and layers are made of."""
import io
import zipfile


def zip_of(files):
    """`files`: contents by path. Every one may be executed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o755 << 16
            package.writestr(entry, content)
    return out.getvalue()
