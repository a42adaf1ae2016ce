"""OSCQuery read by programs that others wrote: npm's oscquery and PyPI's python-oscquery."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from struck.realtime.engine.parameters import PARAMETERS

from .control_host import ControlHost
from .test_query import leaves_of

ROOT = Path(__file__).parents[3]
#: Where `make test` puts what comes from npm; elsewhere NODE_PATH says where it is.
MODULES = [ROOT / ".venv" / "node_modules", *map(Path, os.environ.get("NODE_PATH", "").split(os.pathsep))]

READ_ALL = """
const { OSCQueryDiscovery } = require("oscquery");
new OSCQueryDiscovery().queryNewService("127.0.0.1", Number(process.argv[2])).then((service) => {
  const found = {};
  for (const method of service.flat()) found[method.full_path] = method;
  console.log(JSON.stringify({ info: service.hostInfo, methods: found }));
  process.exit(0);
}, (error) => { console.error(error); process.exit(1); });
"""


@pytest.fixture(scope="module")
def host():
    with ControlHost() as host:
        yield host


def test_the_client_of_npm_reads_all_of_it(host, tmp_path):
    found = [path for path in MODULES if (path / "oscquery").is_dir()]
    if shutil.which("node") is None or not found:
        pytest.skip("node, or npm's oscquery, is not installed")
    script = tmp_path / "read.js"
    script.write_text(READ_ALL)
    ran = subprocess.run(
        ["node", script, str(host.port)],
        env={**os.environ, "NODE_PATH": str(found[0])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    read = json.loads(ran.stdout)
    assert read["info"]["name"] == "struck"
    assert read["info"]["oscPort"] == host.port
    wanted = {node["FULL_PATH"]: node for node in leaves_of(host.json("/"))}
    assert set(read["methods"]) == set(wanted)
    for path, method in read["methods"].items():
        assert method["description"] == wanted[path]["DESCRIPTION"]
        assert method.get("access") == wanted[path]["ACCESS"]
    for parameter in PARAMETERS:
        (argument,) = read["methods"][f"/struck/control/{parameter.name}"]["arguments"]
        assert (argument["type"], argument["range"]) == ("f", {"min": parameter.low, "max": parameter.high})


def test_the_client_of_pypi_reads_every_address_with_a_value(host):
    reason = "python-oscquery is not installed"
    client_module = pytest.importorskip("pythonoscquery.osc_query_client", reason=reason)
    from zeroconf import ServiceInfo

    service = ServiceInfo(
        "_oscjson._tcp.local.",
        "struck._oscjson._tcp.local.",
        port=host.port,
        addresses=[socket.inet_aton("127.0.0.1")],
    )
    client = client_module.OSCQueryClient(service)
    info = client.get_host_info()
    assert (info.name, info.osc_port, info.osc_transport) == ("struck", host.port, "UDP")
    leaves = [node for node in leaves_of(host.json("/")) if "VALUE" in node]
    assert len(leaves) > len(PARAMETERS)
    for leaf in leaves:
        node = client.query_node(leaf["FULL_PATH"])
        assert node.full_path == leaf["FULL_PATH"]
        assert node.value == leaf["VALUE"]
        assert node.access == leaf["ACCESS"]
        assert node.description == leaf["DESCRIPTION"]
    assert client.query_node("/struck/nothing") is None
