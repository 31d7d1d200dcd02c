#!/usr/bin/env bash
# The schemas of the Flink Kubernetes Operator, from the newest jar of its API that Maven Central
# has, by `mvn`, pinned here. Prints the folder with flinkdeployments.flink.apache.org-v1.yml.
#
# Exit code 3: they cannot be had on this machine (no mvn, no network); the reason is on stderr.
set -euo pipefail

version=1.10.0
sha256=b1f44814e17514fa8395c61b329a3ee9087123a5bda5b21fe1a495d5182c30b6
folder="${XDG_CACHE_HOME:-$HOME/.cache}/rialto/flink/crd-$version"
jar="flink-kubernetes-operator-api-$version.jar"

unavailable() {
  echo "crd: SKIPPED: no schemas of the Flink Kubernetes Operator: $1" >&2
  exit 3
}

if [ ! -d "$folder" ]; then
  command -v mvn >/dev/null || unavailable "no mvn, which fetches them"
  part="$folder.part.$$"
  trap 'rm -rf "$part"' EXIT
  mkdir -p "$part"
  cat >"$part/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>rialto.test</groupId><artifactId>crd</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies><dependency>
    <groupId>org.apache.flink</groupId>
    <artifactId>flink-kubernetes-operator-api</artifactId>
    <version>$version</version>
    <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
  </dependency></dependencies>
</project>
POM
  mvn -q -B -f "$part/pom.xml" dependency:copy-dependencies -DoutputDirectory="$part" \
    >"$part/mvn.log" 2>&1 || { tail -n 3 "$part/mvn.log" >&2; unavailable "mvn could not fetch them"; }
  (cd "$part" && echo "$sha256  $jar" | sha256sum --check --strict --quiet) >&2 ||
    { echo "crd: $jar is not the one that is pinned" >&2; exit 2; }
  python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])' \
    "$part/$jar" "$part/all"
  mv "$part/all/META-INF/fabric8" "$folder" 2>/dev/null || [ -d "$folder" ]
fi
echo "$folder"
