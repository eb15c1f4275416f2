#!/usr/bin/env python3
"""Whether what is deployed fits together: compose, Prometheus, Grafana, systemd, Kubernetes.

    deploy.py            all checks, one line each; exits 1 if one found something

Nothing is started. What a real Prometheus gets out of a real worker is seen by
tests/integration/test_dashboards.py. A check whose program is not installed is skipped, and says so.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests" / "kit"))

try:
    import yaml
    import promql
except ImportError:
    print("skipped  deployment files: python3-yaml is not installed\n0 passed, 0 failed, 1 skipped")
    sys.exit(0)

CONFIG = TREE / "config"
BINARY = os.environ.get("TIDEWHEEL_BIN") or TREE / os.environ.get("BUILD", "build") / "tidewheel"
PANELS = {"row", "stat", "timeseries", "heatmap", "table", "gauge", "bargauge", "state-timeline"}
EXPOSURE_MAX = 1.5  # of `systemd-analyze security`: 0 is best, 10 worst, under 2 "OK"


class Missing(Exception):
    pass


def run(*argv, **options):
    if not shutil.which(str(argv[0])):
        raise Missing(argv[0])
    return subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, check=False, **options)


def lines_of(done):
    """What a checker that has failed said."""
    text = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return text[-12:] if done.returncode != 0 else []


def load(path):
    return yaml.safe_load((TREE / path).read_text(encoding="utf-8"))


def seconds(text):
    """30s, 1m, 500ms"""
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


def mebibytes(text):
    """1GiB, 1536Mi"""
    number, unit = re.fullmatch(r"(\d+)([MG])i?B?", text).groups()
    return int(number) * {"M": 1, "G": 1024}[unit]


def preset(path):
    """The default of an option, as the program has it."""
    listing = run(BINARY, "list", "options").stdout
    return next(line.split()[2] for line in listing.splitlines() if line.split()[:1] == [path])


# ---- Prometheus


ALERTS_TEST = promql.PROMETHEUS / "alerts_test.yml"


def prometheus_files():
    """promtool takes the configuration, the rules and the alerts."""
    yield from lines_of(run("promtool", "check", "config", promql.PROMETHEUS / "prometheus.yml"))


def alert_tests():
    """Each alert fires alone when it has to, and none when all is well (promtool test rules)."""
    yield from lines_of(run("promtool", "test", "rules", ALERTS_TEST))


def alert_texts():
    """Each alert has a test, a severity, a summary, a description and a runbook, of labels that it has when it fires."""
    text = ALERTS_TEST.read_text(encoding="utf-8")
    fired = {found[1]: set(re.findall(r'(\w+)="', found[0]))
             for found in re.finditer(r'ALERTS\{alertname="(\w+)"[^}]*\}', text)}
    for rule in promql.rules("alerts.yml", "alert"):
        name, notes = rule["alert"], rule.get("annotations", {})
        if name not in fired:
            yield f"{name}: has no test"
        if rule.get("labels", {}).get("severity") not in ("warning", "critical"):
            yield f"{name}: its severity is neither warning nor critical"
        yield from (f"{name}: has no {key}" for key in ("summary", "description", "runbook") if not notes.get(key))
        for label in re.findall(r"\$labels\.(\w+)", " ".join(notes.values())):
            if label not in fired.get(name, set()):
                yield f"{name}: speaks of the label {label}, which it does not have"


# ---- Grafana


def dashboard_panels():
    """Panels have a title, a description, a unit and queries; none is of a kind that Grafana gave up."""
    board = promql.dashboard()
    if not 36 <= board["schemaVersion"] <= 42 or board.get("id"):
        yield "the dashboard has another schemaVersion, or an id"
    numbers = [panel["id"] for panel in board["panels"]]
    if len(set(numbers)) != len(numbers):
        yield "two panels have one id"
    for panel in board["panels"]:
        name = f"panel {panel['title']!r} ({panel['id']})"
        if panel["type"] not in PANELS:
            yield f"{name}: is of type {panel['type']}"
        if panel["type"] == "row":
            continue
        if not panel.get("description") or not panel.get("targets"):
            yield f"{name}: has no description, or no query"
        if not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"{name}: has no unit"
        for source in [panel["datasource"], *(target["datasource"] for target in panel["targets"])]:
            if source != {"type": "prometheus", "uid": "${datasource}"}:
                yield f"{name}: its data source is not ${{datasource}}"


def dashboard_grid():
    """No panel lies over another one."""
    taken = {}
    for panel in promql.dashboard()["panels"]:
        box, name = panel["gridPos"], f"panel {panel['title']!r} ({panel['id']})"
        if box["x"] + box["w"] > 24:
            yield f"{name} is wider than the page"
        for x in range(box["x"], box["x"] + box["w"]):
            for y in range(box["y"], box["y"] + box["h"]):
                if taken.setdefault((x, y), name) != name:
                    yield f"{name} lies over {taken[x, y]}"
                    return


def dashboard_variables():
    """Every variable that a query uses is defined, and each one that is defined is used."""
    board = promql.dashboard()
    defined = {one["name"] for one in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)\}?", json.dumps(board["panels"]) + json.dumps(board["templating"])))
    yield from (f"${name} is not defined" for name in sorted(used - defined - {"__rate_interval", "__all"}))
    yield from (f"${name} is not used" for name in sorted(defined - used))


def provisioning():
    """Grafana finds the data source and the dashboard where compose mounts them."""
    grafana = load("docker-compose.yml")["services"]["grafana"]
    mounts = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    mounted = {target: TREE / source for source, target in mounts.items() if source.startswith("./")}
    providers = load("config/grafana/provisioning/dashboards/tidewheel.yaml")["providers"]
    for path in [*(one["options"]["path"] for one in providers),
                 grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]]:
        if not any(path == target or path.startswith(target + "/") and (source / path[len(target) + 1:]).exists()
                   for target, source in mounted.items()):
            yield f"{path} is mounted from nowhere"
    source = load("config/grafana/provisioning/datasources/prometheus.yaml")["datasources"][0]
    chosen = next(one for one in promql.dashboard()["templating"]["list"] if one["name"] == "datasource")
    if source["uid"] != chosen["current"]["value"]:
        yield "the dashboard begins with another data source than the one that is provisioned"
    scrape = load("config/prometheus/prometheus.yml")["global"]["scrape_interval"]
    if source["jsonData"]["timeInterval"] != scrape:
        yield f"the data source believes in another scrape interval than {scrape}"


# ---- compose


def compose_config():
    """docker-compose accepts the file with each profile."""
    for profiles in ([], ["load"], ["observability"], ["load", "observability"]):
        flags = [word for name in profiles for word in ("--profile", name)]
        yield from lines_of(run("docker-compose", *flags, "config", "-q", cwd=TREE))


def compose_services():
    """Images are pinned, ports are loopback's, and what is ours or looks on has no right that it does not need."""
    for name, service in load("docker-compose.yml")["services"].items():
        if not re.search(r":v?\d[\w.-]*$|:local$", service["image"]):
            yield f"{name}: the image {service['image']} has no fixed version"
        yield from (f"{name}: {port} is open to the network" for port in service.get("ports", [])
                    if not port.startswith("127.0.0.1:"))
        if name in ("kafka", "topics", "redis"):
            continue  # images that begin as root, and give it up by themselves
        for key, value in (("read_only", True), ("cap_drop", ["ALL"]),
                           ("security_opt", ["no-new-privileges:true"])):
            if service.get(key) != value:
                yield f"{name}: {key} is not {value}"
        if "mem_limit" not in service:
            yield f"{name}: has no mem_limit"
    if "HEALTHCHECK" not in (TREE / "Dockerfile").read_text(encoding="utf-8"):
        yield "the image has no HEALTHCHECK"


def compose_targets():
    """Prometheus asks services of compose on ports that they have; the worker drains within its grace period."""
    services = load("docker-compose.yml")["services"]
    worker = services["worker"]
    ports = {"worker": worker["environment"]["TIDEWHEEL_HTTP_LISTEN"].split(":")[1], "redis-exporter": "9121",
             "localhost": "9090"}
    for job in load("config/prometheus/prometheus.yml")["scrape_configs"]:
        for target in job["static_configs"][0]["targets"]:
            host, port = target.split(":")
            if ports.get(host) != port or host not in [*services, "localhost"]:
                yield f"job {job['job_name']}: nothing answers at {target}"
    if seconds(worker["stop_grace_period"]) <= seconds(preset("shutdown_timeout")):
        yield "worker: stop_grace_period is not above shutdown_timeout"
    if mebibytes(worker["environment"]["TIDEWHEEL_LIMITS_MEMORY"]) * 4 > \
            mebibytes(worker["mem_limit"].upper()) * 3:
        yield "worker: mem_limit leaves less than a third of limits.memory for the rest"


# ---- systemd


def unit_settings():
    """{name: [values]} of the unit."""
    text = (CONFIG / "systemd" / "tidewheel.service").read_text(encoding="utf-8")
    settings = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", text, re.M):
        settings.setdefault(name, []).append(value)
    return settings


def unit_contract():
    """The unit knows the exit codes and the timeout of the program."""
    unit = unit_settings()
    codes = dict(re.findall(r"(EXIT_\w+) = (\d+)", (TREE / "include/tidewheel/exit_code.h").read_text(encoding="utf-8")))
    if set(unit["RestartPreventExitStatus"][0].split()) != {codes["EXIT_USAGE"], codes["EXIT_CONFIG"]}:
        yield "RestartPreventExitStatus is not EXIT_USAGE and EXIT_CONFIG"
    if seconds(unit["TimeoutStopSec"][0]) <= seconds(preset("shutdown_timeout")):
        yield "TimeoutStopSec is not above shutdown_timeout"
    if unit["Type"] != ["notify"] or "WatchdogSec" not in unit:
        yield "the unit does not wait for READY=1, or has no watchdog"


def unit_verified():
    """systemd-analyze finds nothing wrong with the unit, and little that it exposes."""
    with tempfile.TemporaryDirectory() as folder:
        # The same unit, but for a program that is here.
        copy = pathlib.Path(folder) / "tidewheel.service"
        text = (CONFIG / "systemd" / "tidewheel.service").read_text(encoding="utf-8")
        copy.write_text(text.replace("/usr/bin/tidewheel", "/bin/true"), encoding="utf-8")
        done = run("systemd-analyze", "verify", "--man=no", copy)
        yield from [line for line in done.stderr.splitlines() if "tidewheel.service" in line] or lines_of(done)
        done = run("systemd-analyze", "security", "--offline=true", "--no-pager", copy)
        found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
        if not found:
            yield from lines_of(done) or ["systemd-analyze security says no exposure level"]
        elif float(found[1]) > EXPOSURE_MAX:
            yield f"the exposure level is {found[1]}, {EXPOSURE_MAX} is allowed"


# ---- Kubernetes


OWN_CA = re.compile(r"^( *)# (?=.*(?:tidewheel-ca|tidewheel/ca))(?=[-\w.]+[: ] *\{|[\w.]+: */)", re.M)


class Manifests:
    """has_ca: with the lines for a CA of one's own, which are comments as they are shipped."""
    folder = CONFIG / "kubernetes"

    def __init__(self, has_ca=False):
        self.has_ca = has_ca
        self.kustomization = yaml.safe_load(self.read("kustomization.yaml"))
        self.all = {}
        for file in self.kustomization["resources"]:
            for one in yaml.safe_load_all(self.read(file)):
                self.all[one["kind"]] = one
        self.deployment = self.all["Deployment"]["spec"]
        self.pod = self.deployment["template"]["spec"]
        self.container = self.pod["containers"][0]
        self.labels = self.deployment["template"]["metadata"]["labels"]
        self.generated = {one["name"]: one["files"] for one in self.kustomization["configMapGenerator"]}
        self.config = yaml.safe_load(self.read("tidewheel.yaml"))
        self.env = {one["name"]: one["value"] for one in self.container["env"]}

    def read(self, file):
        text = (self.folder / file).read_text(encoding="utf-8")
        return OWN_CA.sub(r"\1", text) if self.has_ca else text


def kubernetes_build():
    """kubectl can build the kustomization."""
    yield from lines_of(run("kubectl", "kustomize", Manifests.folder))


def kubernetes_files():
    """Every file is part of the kustomization."""
    manifests = Manifests()
    named = {"kustomization.yaml", *manifests.kustomization["resources"],
             *(file for files in manifests.generated.values() for file in files)}
    there = {str(path.relative_to(manifests.folder)) for path in manifests.folder.rglob("*") if path.is_file()}
    yield from (f"{file} is named, or is there, but not both" for file in sorted(named ^ there))


def kubernetes_selectors():
    """What selects the pods selects by labels that they have."""
    manifests = Manifests()
    spec = {kind: one.get("spec", {}) for kind, one in manifests.all.items()}
    selectors = {
        "Deployment": spec["Deployment"]["selector"]["matchLabels"],
        "Service": spec["Service"]["selector"],
        "PodDisruptionBudget": spec["PodDisruptionBudget"]["selector"]["matchLabels"],
        "NetworkPolicy": spec["NetworkPolicy"]["podSelector"]["matchLabels"],
        **{f"spread over {one['topologyKey']}": one["labelSelector"]["matchLabels"]
           for one in manifests.pod["topologySpreadConstraints"]},
    }
    yield from (f"{name}: selects by {labels}, and the pods have {manifests.labels}"
                for name, labels in selectors.items() if not labels or not labels.items() <= manifests.labels.items())


def kubernetes_ports():
    """Probes, service, policy and annotations mean the port that the worker listens on, and paths that it has."""
    manifests = Manifests()
    ports = {port["name"]: port["containerPort"] for port in manifests.container["ports"]}
    listen = int(manifests.config["http"]["listen"].rpartition(":")[2])
    notes = manifests.deployment["template"]["metadata"]["annotations"]
    meant = {
        "metrics": ports.get("metrics"),
        "prometheus.io/port": int(notes["prometheus.io/port"]),
        "the service": manifests.all["Service"]["spec"]["ports"][0]["port"],
        "the service's target": ports.get(manifests.all["Service"]["spec"]["ports"][0]["targetPort"]),
        "the network policy": ports.get(manifests.all["NetworkPolicy"]["spec"]["ingress"][0]["ports"][0]["port"]),
        **{probe: ports.get(manifests.container[probe]["httpGet"]["port"]) for probe in PROBES},
    }
    yield from (f"{name} means port {port}, the worker listens on {listen}"
                for name, port in meant.items() if port != listen)
    server = "".join(path.read_text(encoding="utf-8") for path in (TREE / "src" / "metrics").glob("*.c"))
    paths = [notes["prometheus.io/path"], *(manifests.container[probe]["httpGet"]["path"] for probe in PROBES)]
    yield from (f"the worker has no {path}" for path in paths if f'"{path}"' not in server)


PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def kubernetes_addresses():
    """Kafka and Redis are reached over TLS, on ports that the policy lets through, and it lets no others but names'."""
    manifests = Manifests()
    if not manifests.env["REDIS_URL"].startswith("rediss://"):
        yield "REDIS_URL is no rediss://"
    if not manifests.config["kafka"]["librdkafka"]["security.protocol"].endswith("SSL"):
        yield "security.protocol is without TLS"
    allowed = {port["port"] for rule in manifests.all["NetworkPolicy"]["spec"]["egress"] for port in rule["ports"]}
    wanted = {int(port) for value in manifests.env.values() for port in re.findall(r":(\d+)", value)}
    if allowed != wanted | {53}:
        yield f"the network policy lets {sorted(allowed)} through, the addresses are {sorted(wanted)}"


def kubernetes_limits():
    """The worker drains within its grace period, and its windows fit into the container's memory."""
    manifests = Manifests()
    timeout = seconds(manifests.config.get("shutdown_timeout", preset("shutdown_timeout")))
    if manifests.pod["terminationGracePeriodSeconds"] <= timeout:
        yield f"terminationGracePeriodSeconds is not above shutdown_timeout, {timeout} s"
    memory = mebibytes(manifests.container["resources"]["limits"]["memory"])
    if mebibytes(manifests.config["limits"]["memory"]) * 4 > memory * 3:
        yield "limits.memory leaves less than a third of itself for the rest"
    if manifests.container["resources"]["requests"]["memory"] != manifests.container["resources"]["limits"]["memory"]:
        yield "the memory that is requested is not the memory that may be used"
    version = run(BINARY, "version").stdout.split()[1]
    if manifests.kustomization["images"] and manifests.kustomization["images"][0]["newTag"] != version:
        yield f"the image is not of version {version}"


def kubernetes_security():
    """The pod is what the namespace enforces (restricted), as the image's user, and reads secrets that nobody else can."""
    manifests = Manifests()
    user = int(re.search(r"^USER (\d+)", (TREE / "Dockerfile").read_text(encoding="utf-8"), re.M)[1])
    pod, container = manifests.pod["securityContext"], manifests.container["securityContext"]
    wanted = {
        "runAsNonRoot": (pod.get("runAsNonRoot"), True), "runAsUser": (pod.get("runAsUser"), user),
        "seccompProfile": (pod.get("seccompProfile"), {"type": "RuntimeDefault"}),
        "readOnlyRootFilesystem": (container.get("readOnlyRootFilesystem"), True),
        "allowPrivilegeEscalation": (container.get("allowPrivilegeEscalation"), False),
        "capabilities": (container.get("capabilities"), {"drop": ["ALL"]}),
        "automountServiceAccountToken": (manifests.pod.get("automountServiceAccountToken"), False),
    }
    yield from (f"{name} is {found}, not {value}" for name, (found, value) in wanted.items() if found != value)
    for volume in manifests.pod["volumes"]:
        mode = volume.get("secret", {}).get("defaultMode", 0o644 if "secret" in volume else 0)
        if mode & 0o007 or "secret" in volume and (not mode & 0o040 or pod.get("fsGroup") != pod.get("runAsGroup")):
            yield f"volume {volume['name']}: with mode {mode:o} others can read the secrets, or we cannot"


def kubernetes_mounts():
    """What the configuration and the arguments name is mounted there; and the configuration is one."""
    yield from wrong_mounts(Manifests())


def kubernetes_own_ca():
    """With the lines for a CA of one's own, both Kafka and Redis are asked for it, and it is mounted."""
    manifests = Manifests(has_ca=True)
    path = "/etc/tidewheel/ca/ca.pem"
    named = (manifests.config["kafka"]["librdkafka"].get("ssl.ca.location"),
             manifests.config["redis"].get("tls", {}).get("ca_file"))
    if named != (path, path):
        yield f"ssl.ca.location and redis.tls.ca_file are {named}, not {path}"
    if manifests.generated.get("tidewheel-ca") != ["ca.pem"]:
        yield "kustomization.yaml makes no ConfigMap of ca.pem"
    yield from wrong_mounts(manifests)


def wrong_mounts(manifests):
    volumes = {volume["name"]: volume for volume in manifests.pod["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in manifests.container["volumeMounts"]}
    for volume in volumes.values():
        if "configMap" in volume and volume["configMap"]["name"] not in manifests.generated:
            yield f"volume {volume['name']}: nothing makes the ConfigMap {volume['configMap']['name']}"
    file = pathlib.PurePosixPath(manifests.container["args"][-1])
    volume = mounts.get(str(file.parent), {})
    if file.name not in manifests.generated.get(volume.get("configMap", {}).get("name"), []):
        yield f"{file} is mounted from nowhere"
    text = json.dumps(manifests.config)
    for path in re.findall(r'"(/[^"]+/secrets)/[^"]+"', text):
        if "secret" not in mounts.get(path, {}):
            yield f"{path} is no mounted secret"
    for path, name in re.findall(r'"(/[^"]+/ca)/([^"]+)"', text):
        if name not in manifests.generated.get(mounts.get(path, {}).get("configMap", {}).get("name"), []):
            yield f"{path}/{name} is mounted from nowhere"
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name in ("config", "pipelines", "secrets", "ca"):
            (root / name).mkdir()
        if manifests.has_ca:
            yield from lines_of(run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ca",
                                    "-keyout", root / "key.pem", "-out", root / "ca" / "ca.pem"))
        for path in set(re.findall(r'"/etc/tidewheel/(secrets/[^"]+)"', text)):
            (root / path).write_text("secret\n", encoding="utf-8")
            (root / path).chmod(0o440)
        for one in manifests.generated["tidewheel-pipelines"]:
            shutil.copy(manifests.folder / one, root / one)
        copied = root / "config" / file.name
        copied.write_text(manifests.read(file.name).replace("/etc/tidewheel", folder), encoding="utf-8")
        yield from lines_of(run(BINARY, "validate", "-c", copied, env={**os.environ, **manifests.env}))


def kubernetes_pipelines():
    """The pipelines that a ConfigMap is made of are those of pipelines/, but for the path of their schema."""
    for file in Manifests().generated["tidewheel-pipelines"]:
        copy = (Manifests.folder / file).read_text(encoding="utf-8").split("\n", 1)[1]
        if copy != (TREE / file).read_text(encoding="utf-8").split("\n", 1)[1]:
            yield f"config/kubernetes/{file} is not {file}"


CHECKS = [prometheus_files, alert_tests, alert_texts, dashboard_panels, dashboard_grid, dashboard_variables,
          provisioning, compose_config, compose_services, compose_targets, unit_contract, unit_verified,
          kubernetes_build, kubernetes_files, kubernetes_selectors, kubernetes_ports, kubernetes_addresses,
          kubernetes_limits, kubernetes_security, kubernetes_mounts, kubernetes_own_ca, kubernetes_pipelines]


def main():
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for check in CHECKS:
        try:
            found = list(check())
            outcome = "failed" if found else "passed"
            print(f"{outcome:<8} {check.__name__}: {check.__doc__}", flush=True)
            for sentence in found:
                print(f"    {sentence}")
        except Missing as program:
            outcome = "skipped"
            print(f"skipped  {check.__name__}: {program} is not installed", flush=True)
        counts[outcome] += 1
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
