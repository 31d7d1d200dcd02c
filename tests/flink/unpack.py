"""Unpacks the jars that the referee needs from the apache-flink-libraries wheel.

    python3 unpack.py WHEEL TARGET

Takes lib/ and the start-up helper jar, flattened below TARGET; leaves the 45 MB of Python
support, the examples and the metrics plugins where they are.
"""

import pathlib
import shutil
import sys
import zipfile


def wanted(name: str) -> bool:
    return name.endswith(".jar") and (
        name.startswith("pyflink/lib/") or name == "pyflink/bin/bash-java-utils.jar"
    )


def main() -> None:
    wheel, target = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(target, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if wanted(name)]
        if not any("flink-dist" in name for name in names):
            sys.exit(f"unpack: {wheel} holds no flink-dist jar: is it the right wheel?")
        for name in names:
            path = target / pathlib.PurePosixPath(name).relative_to("pyflink")
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, open(path, "wb") as sink:
                shutil.copyfileobj(source, sink)


if __name__ == "__main__":
    main()
