"""Keeps the committed stubs in `heliostat/v1` equal to the wire contract in `proto/heliostat/v1`.

`generate` writes them, `drift` says whether the committed ones are what would be written, and
`breaking` asks buf whether an old client would still understand. Run it from the repository's root.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from importlib import resources
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("heliostat/v1")
DOOR = '"""The wire contract in Python, made from `proto/heliostat/v1`; never edited by hand."""\n'


def sources(root: Path) -> list[Path]:
    """The contract's files relative to `root/proto`, sorted; empty where there are none."""
    proto = root / "proto"
    return sorted(path.relative_to(proto) for path in (proto / PACKAGE).glob("*.proto"))


def generate(root: Path, out: Path) -> None:
    """Write the stubs of `root`'s contract below the empty directory `out`.

    Each `x.proto` gives `x_pb2.py`, `x_pb2_grpc.py` and a `.pyi` for both. Raises
    CalledProcessError when protoc refuses; protoc has then said why.
    """
    bundled = resources.files("grpc_tools") / "_proto"
    plugins = Path(sys.executable).parent
    subprocess.run(
        [
            sys.executable,
            *("-m", "grpc_tools.protoc"),
            *("-I", str(root / "proto")),
            *("-I", str(bundled)),
            f"--plugin=protoc-gen-mypy={plugins / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={plugins / 'protoc-gen-mypy_grpc'}",
            f"--python_out={out}",
            f"--grpc_python_out={out}",
            f"--mypy_out=quiet:{out}",
            f"--mypy_grpc_out=quiet:{out}",
            *(str(name) for name in sources(root)),
        ],
        check=True,
    )
    (out / PACKAGE / "__init__.py").write_text(DOOR, encoding="utf-8")


def stubs(out: Path) -> set[Path]:
    """Everything generated that stands below `out` now, as paths relative to `out`."""
    patterns = ("__init__.py", "*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")
    return {path.relative_to(out) for pattern in patterns for path in (out / PACKAGE).glob(pattern)}


def drift(root: Path, fresh: Path) -> dict[Path, str]:
    """What is wrong with each committed stub, seen from the fresh ones below `fresh`."""
    wanted, standing = stubs(fresh), stubs(root)
    return {
        **dict.fromkeys(sorted(wanted - standing), "missing"),
        **dict.fromkeys(sorted(standing - wanted), "left over"),
        **{
            path: "differs"
            for path in sorted(wanted & standing)
            if (root / path).read_bytes() != (fresh / path).read_bytes()
        },
    }


def renew(root: Path, fresh: Path) -> dict[Path, str]:
    """Put right all that drifted, and nothing else, and return what that was."""
    drifted = drift(root, fresh)
    for path, fault in drifted.items():
        if fault == "left over":
            (root / path).unlink()
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(fresh / path, root / path)
    return drifted


def promised(root: Path) -> str | None:
    """The git revision whose contract is promised: the last tag, else the published main branch.

    None where there is neither, as in a repository that never released or published anything.
    """
    for command in (
        ["describe", "--tags", "--abbrev=0"],
        ["rev-parse", "--verify", "--quiet", "--abbrev-ref", "origin/main"],
    ):
        answer = subprocess.run(
            ["git", "-C", str(root), *command], capture_output=True, text=True, check=False
        )
        if answer.returncode == 0 and answer.stdout.strip():
            return answer.stdout.strip()
    return None


def breaking(root: Path, against: str) -> int | None:
    """Buf's exit code for the contract in `root` against the one at revision `against`.

    None when that revision has no contract.
    """
    archive = subprocess.run(
        ["git", "-C", str(root), "archive", against, "proto", "buf.yaml"],
        capture_output=True,
        check=False,
    )
    if archive.returncode != 0:
        return None
    with tempfile.TemporaryDirectory() as temporary:
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
            tar.extractall(temporary, filter="data")
        buf = Path(sys.executable).parent / "buf"
        return subprocess.run(
            [str(buf), "breaking", str(root), "--against", temporary], check=False
        ).returncode


def main(words: Sequence[str] | None = None) -> int:
    """Do one of the three chores and return the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.proto", description=__doc__)
    parser.add_argument("chore", choices=["generate", "drift", "breaking"])
    chore = parser.parse_args(words).chore
    if chore == "breaking":
        return _report_breaking()
    with tempfile.TemporaryDirectory() as temporary:
        fresh = Path(temporary)
        generate(ROOT, fresh)
        return _renew(fresh) if chore == "generate" else _report_drift(fresh)


def _renew(fresh: Path) -> int:
    drifted = renew(ROOT, fresh)
    print(f"{len(drifted)} of {len(stubs(fresh))} files in {PACKAGE} were made anew")
    return 0


def _report_drift(fresh: Path) -> int:
    drifted = drift(ROOT, fresh)
    if drifted:
        print(*(f"{fault}: {path}" for path, fault in drifted.items()), sep="\n")
        print("make proto puts it right")
        return 1
    print(f"{PACKAGE} is what the contract gives")
    return 0


def _report_breaking() -> int:
    against = promised(ROOT)
    if against is None:
        print("not checked: no tag and no published main, so nothing was promised yet")
        return 0
    code = breaking(ROOT, against)
    if code is None:
        print(f"not checked: {against} has no contract")
        return 0
    if code == 0:
        print(f"nothing breaks against {against}")
    return code


if __name__ == "__main__":
    sys.exit(main())
