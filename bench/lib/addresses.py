"""A database of addresses, in the form of MaxMind's country databases.

Written with the writer of the tests. Its networks are all of one length, so
every lookup takes as many steps; the record is as long as those of real
databases.
"""
import json
import os
import subprocess
import tempfile

NETWORKS = 4096

COUNTRIES = ("AT", "CH", "CZ", "DE", "DK", "FR", "NL", "PL")


def country(i):
    """As real databases have it: with its names in many languages."""
    code = COUNTRIES[i % len(COUNTRIES)]
    return {"geoname_id": 2_900_000 + i % len(COUNTRIES), "iso_code": code,
            "names": {language: f"{code} in {language}" for language in
                      ("de", "en", "es", "fr", "ja", "pt-BR", "ru", "zh-CN")}}


def record(i):
    """What is known of network i. What many networks share is written once
    and pointed at, by whoever writes such a file."""
    return {
        "continent": {"code": "EU", "geoname_id": 6255148, "names": {
            language: f"Europe in {language}" for language in
            ("de", "en", "es", "fr", "ja", "pt-BR", "ru", "zh-CN")}},
        "country": country(i),
        "registered_country": country(i // len(COUNTRIES)),
    }


LIBRARY = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "..", "..", "t", "lib")


def write(place):
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as source:
        for i in range(NETWORKS):
            # 198.18.0.0/15 is for benchmarks (RFC 2544)
            source.write(f"198.18.{i // 16}.{i % 16 * 16}/28\t"
                         f"{json.dumps(record(i))}\n")
        source.flush()
        subprocess.run(["perl", f"-I{LIBRARY}", "-MR307::Mmdb=make_mmdb",
                        "-e", "make_mmdb(@ARGV)", source.name, place],
                       check=True)


def why_not(bench):
    """Why addresses cannot be looked up here, or None."""
    said = bench.configtest("addresses",
                            "Redirect307GeoFrom country=mmdb:/none.mmdb\n")
    return ("this module reads no databases" if b"libmaxminddb" in said
            else None)
