"""What can be downloaded, from where, under which terms.

Addresses are those of the official records and repositories. A Zenodo record states a checksum for each file, which is
read from the record and checked. A GitHub repository is taken at one commit and states none. Of both, the sha256 seen
at the first download is pinned next to the data, and any other file is refused from then on.
"""

from dataclasses import dataclass

from benchmarks.datasets._errors import DataError

GIB = 1024**3
ZENODO = "https://zenodo.org"
GITHUB = "https://github.com"


@dataclass(frozen=True)
class Archive:
    """One file to download. `keep`: folders and files of a repository to unpack; empty: everything."""

    name: str
    path: str  # of the file, below the host
    keep: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """Name of the folder it is unpacked into."""
        return self.name.removesuffix(".zip").removesuffix(".tar.gz")


@dataclass(frozen=True)
class Dataset:
    """A data set: its terms, its files and how they are checked. `host` stands alone so that a mirror can replace it.

    `record`: path of the record's JSON, which states sizes and checksums; empty where there is none.
    """

    name: str
    title: str
    task: str
    licence: str
    citation: str
    host: str
    home: str
    archives: tuple[Archive, ...]
    size: str
    layout: str
    record: str = ""
    max_archive: int = 32 * GIB
    max_unpacked: int = 64 * GIB
    max_files: int = 200_000

    @property
    def pinned_by(self) -> str:
        """How a download is checked."""
        stated = "checksum in the Zenodo record" if self.record else "repository commit in the address"
        return f"{stated}; sha256 from the first download on"

    def archive(self, name: str) -> Archive:
        """Return the archive of this file or folder name. Raises DataError."""
        for archive in self.archives:
            if name in (archive.name, archive.folder):
                return archive
        known = ", ".join(archive.name for archive in self.archives)
        raise DataError(f"{self.name} has no file {name!r}; it has {known}")


_LOGHUB_TERMS = (
    "Free for research or academic work only. Usage and distribution refer to the repository's address and cite the "
    "paper; this notice goes with every copy."
)
_LOGHUB_PAPER = (
    "J. Zhu, S. He, P. He, J. Liu, M. R. Lyu. Loghub: A Large Collection of System Log Datasets for AI-driven Log "
    "Analytics. ISSRE 2023."
)
_LOGHUB = (
    "HDFS_v1.zip HDFS_v2.zip HDFS_v3_TraceBench.zip Hadoop.zip Spark.tar.gz Zookeeper.tar.gz OpenStack.tar.gz BGL.zip "
    "HPC.zip Thunderbird.tar.gz Windows.tar.gz Linux.tar.gz Mac.tar.gz Android_v1.zip Android_v2.zip HealthApp.tar.gz "
    "Apache.tar.gz SSH.tar.gz Proxifier.tar.gz"
)
_LOGHUB2 = (
    "Apache BGL HDFS HPC Hadoop HealthApp Linux Mac OpenSSH OpenStack Proxifier Spark Thunderbird Zookeeper"  # the 14
)

_NAB = "ea702d75cc2258d9d7dd35ca8e5e2539d71f3140"  # earlier commits carry another licence
_PETSHOP = "1c5992dc46a02c988a027e2219036d59e8158a91"
_NEZHA = "d8140101fdb4e7dfb60d3ef9f64706f382b68470"


def _zenodo(record: int, names: list[str]) -> tuple[Archive, ...]:
    return tuple(Archive(name, f"/records/{record}/files/{name}?download=1") for name in names)


DATASETS: dict[str, Dataset] = {
    one.name: one
    for one in (
        Dataset(
            name="loghub",
            title="Loghub, raw logs in full",
            task="parsing, throughput",
            licence=_LOGHUB_TERMS,
            citation=_LOGHUB_PAPER,
            host=ZENODO,
            home="https://github.com/logpai/loghub",
            archives=_zenodo(8196385, _LOGHUB.split()),
            size="raw 2 MB (Linux) to 30 GB (Thunderbird); 61 GB in all",
            layout="<archive>/*.log, some with labels",
            record="/api/records/8196385",
        ),
        Dataset(
            name="loghub-2.0",
            title="Loghub-2.0, 14 systems with a template for every line",
            task="parsing",
            licence=_LOGHUB_TERMS,
            citation="Z. Jiang et al. A Large-scale Evaluation for Log Parsing Techniques: How Far are We? ISSTA 2024. "
            + _LOGHUB_PAPER,
            host=ZENODO,
            home="https://github.com/logpai/loghub-2.0",
            archives=_zenodo(8275861, [f"{system}.zip" for system in _LOGHUB2.split()]),
            size="about 0.9 GB packed, 3.6 M lines a system on average",
            layout="<system>/<system>_full.log, .log_structured.csv, .log_templates.csv",
            record="/api/records/8275861",
        ),
        Dataset(
            name="rcaeval",
            title="RCAEval RE1, RE2, RE3: 735 failures of three microservice shops",
            task="rca",
            licence="MIT by its authors' data set card; what the Zenodo record states holds.",
            citation="L. Pham et al. RCAEval: A Benchmark for Root Cause Analysis of Microservice Systems with "
            "Telemetry Data. WWW 2025 companion.",
            host=ZENODO,
            home="https://github.com/phamquiluan/RCAEval",
            archives=_zenodo(14590730, [f"RE{n}-{shop}.zip" for n in (1, 2, 3) for shop in ("OB", "SS", "TT")]),
            size="packed RE1 0.4 GB, RE2 4.2 GB, RE3 0.5 GB",
            layout="<service>_<fault>/<run>/data.csv (RE2, RE3: simple_metrics.csv) and inject_time.txt",
            record="/api/records/14590730",
        ),
        Dataset(
            name="nab",
            title="Numenta Anomaly Benchmark: 58 series with labelled windows",
            task="detection",
            licence="MIT (Numenta Inc.)",
            citation="S. Ahmad, A. Lavin, S. Purdy, Z. Agha. Unsupervised real-time anomaly detection for streaming "
            "data. Neurocomputing 262, 2017.",
            host=GITHUB,
            home="https://github.com/numenta/NAB",
            archives=(
                Archive("nab.tar.gz", f"/numenta/NAB/archive/{_NAB}.tar.gz", ("data/", "labels/", "LICENSE.txt")),
            ),
            size="not stated by the source",
            layout="data/<family>/<series>.csv, labels/combined_windows.json, labels/combined_labels.json",
            max_archive=GIB,
            max_unpacked=GIB,
        ),
        Dataset(
            name="petshop",
            title="PetShop: issues injected into a microservice shop, metrics every 5 minutes",
            task="rca",
            licence="Data CC-BY-4.0 (Amazon.com, Inc. or its affiliates)",
            citation="M. Hardt et al. The PetShop Dataset: Finding Causes of Performance Issues across Microservices. "
            "CLeaR 2024.",
            host=GITHUB,
            home="https://github.com/amazon-science/petshop-root-cause-analysis",
            archives=(
                Archive(
                    "petshop.tar.gz",
                    f"/amazon-science/petshop-root-cause-analysis/archive/{_PETSHOP}.tar.gz",
                    ("dataset/", "LICENSE", "NOTICE"),
                ),
            ),
            size="not stated by the source",
            layout="dataset/<scenario>/{graph.csv,noissue/metrics.csv,{train,test}/issue_<n>/{metrics.csv,target.json}}",
            max_archive=GIB,
            max_unpacked=4 * GIB,
        ),
        Dataset(
            name="nezha",
            title="Nezha: faults in OnlineBoutique and TrainTicket with metrics, logs and traces",
            task="rca",
            licence="MIT (IntelligentDDS)",
            citation="G. Yu et al. Nezha: Interpretable Fine-Grained Root Causes Analysis for Microservices on "
            "Multi-modal Observability Data. ESEC/FSE 2023.",
            host=GITHUB,
            home="https://github.com/IntelligentDDS/Nezha",
            archives=(
                Archive(
                    "nezha.tar.gz",
                    f"/IntelligentDDS/Nezha/archive/{_NEZHA}.tar.gz",
                    ("rca_data/", "construct_data/", "LICENSE"),
                ),
            ),
            size="not stated by the source",
            layout="rca_data/<day>/{metric,log,trace,traceid}/*.csv and <day>-fault_list.json",
            max_archive=8 * GIB,
            max_unpacked=32 * GIB,
        ),
    )
}


def dataset(name: str) -> Dataset:
    """Return a data set by its name. Raises DataError naming those there are."""
    if name not in DATASETS:
        raise DataError(f"no data set {name!r}; there are {', '.join(DATASETS)}")
    return DATASETS[name]
