"""A database of addresses, in the form of MaxMind's city databases.

Written with the writer of the tests. Its networks are all of one length, so
every lookup takes as many steps; the record is as long as those of real
databases.
"""
import json
import os
import subprocess
import tempfile

NETWORKS = 4096

RECORD = {
    "city": {"geoname_id": 2950159, "names": {
        name: "Berlin" for name in ("de", "en", "es", "fr", "pt-BR")}},
    "continent": {"code": "EU", "geoname_id": 6255148, "names": {
        "de": "Europa", "en": "Europe", "es": "Europa", "fr": "Europe"}},
    "country": {"geoname_id": 2921044, "is_in_european_union": True,
                "iso_code": "DE", "names": {
                    "de": "Deutschland", "en": "Germany", "es": "Alemania",
                    "fr": "Allemagne"}},
    "location": {"accuracy_radius": 20, "latitude": 52.5196,
                 "longitude": 13.4069, "time_zone": "Europe/Berlin"},
    "registered_country": {"iso_code": "DE"},
    "subdivisions": [{"geoname_id": 2950157, "iso_code": "BE",
                      "names": {"de": "Berlin", "en": "Land Berlin"}}],
}

LIBRARY = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "..", "..", "t", "lib")


def write(place):
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as source:
        record = json.dumps(RECORD)
        for i in range(NETWORKS):
            # 198.18.0.0/15 is for benchmarks (RFC 2544)
            source.write(f"198.18.{i // 16}.{i % 16 * 16}/28\t{record}\n")
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
