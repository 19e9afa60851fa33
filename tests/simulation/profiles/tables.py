"""Profile tables written from a law that the test knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from simulation.profiles.rows import IterationRow, ProfileKey

HEADER = (
    "source,model,gpu,tensor_parallel,prompt_tokens,batch_size,token_count,"
    "prefill_time_s,decode_iteration_time_s,e2e_time_s,quality_flag"
)
LAW = {"a": 0.03, "b": 2e-4, "c": 1e-4, "d0": 0.04, "d1": 2e-4, "d2": 3e-4}
KEY = ProfileKey(model="llama2-70b", gpu="a100-80gb", tensor_parallel=8)
SETTINGS = [(prompt, 1, 128) for prompt in (128, 512, 2048, 4096, 8192)] + [
    (512, batch, 128) for batch in (2, 8, 32, 64)
]


def prefill(tokens: float, law: Mapping[str, float] = LAW) -> float:
    return law["a"] + law["b"] * tokens + law["c"] * max(0.0, tokens - 2048)


def decode(batch: float, context: float, law: Mapping[str, float] = LAW) -> float:
    return law["d0"] + law["d1"] * batch + law["d2"] * batch * context / 1000


def a_row(
    prompt: int = 512,
    batch: int = 1,
    tokens: int = 128,
    *,
    stretch: float = 1.0,
    flag: str = "",
    law: Mapping[str, float] = LAW,
) -> IterationRow:
    """What a perfect engine of that law measures; `stretch` lengthens the end-to-end time."""
    start, each = prefill(prompt * batch, law), decode(batch, prompt + tokens / 2, law)
    return IterationRow(
        place="test:1",
        source="splitwise-sim",
        key=KEY,
        prompt_tokens=prompt,
        batch=batch,
        token_count=tokens,
        prefill_seconds=start,
        decode_seconds=each,
        e2e_seconds=stretch * (start + (tokens - 1) * each),
        flag=flag,
    )


def some_rows() -> list[IterationRow]:
    return [a_row(*setting) for setting in SETTINGS]


def a_line(row: IterationRow) -> str:
    fields = (
        row.source, row.key.model, row.key.gpu, row.key.tensor_parallel, row.prompt_tokens,
        row.batch, row.token_count, row.prefill_seconds, row.decode_seconds, row.e2e_seconds,
        f'"{row.flag}"',
    )  # fmt: skip
    return ",".join(str(field) for field in fields)


def write(path: Path, rows: Iterable[str], header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return path


def an_iteration_file(folder: Path, name: str = "runs.csv") -> Path:
    return write(folder / name, map(a_line, some_rows()))


def operator_files(folder: Path) -> None:
    """Operator tables of Llama2-70B on two A100: linear 1 µs a token above 0.5 ms, attention 1 µs per
    thousand tokens of a batch above 10 µs, sums 1 ns a kilobyte above 20 µs."""
    write(
        folder / "linear.csv",
        (f"vidur,Llama2-70B,a100,2,{n},{0.5 + n / 1000},80" for n in (1, 16, 64, 512, 4096)),
        "source,model,gpu,tensor_parallel,batch_tokens,linear_ops_ms_per_layer,num_layers",
    )
    decodes = [
        f"vidur,Llama2-70B,a100,2,False,{batch},0,{context},{0.01 + batch * context / 1e6}"
        for batch in (1, 16, 64)
        for context in (0, 1000, 2000)
    ]
    prefills = [
        f"vidur,Llama2-70B,a100,2,True,1,{chunk},0,{0.01 + chunk / 1e5}"
        for chunk in (64, 512, 2048, 4096)
    ]
    write(
        folder / "attention.csv",
        decodes + prefills,
        "source,model,gpu,tensor_parallel,is_prefill,batch_size,prefill_chunk_size,kv_cache_size,"
        "attention_ms_per_layer",
    )
    write(
        folder / "sums.csv",
        (f"vidur,a100_dgx,2,2,{size},{0.02 + size * 1e-9}" for size in (2**14, 2**20, 2**26)),
        "source,network,num_workers,devices_per_node,size_bytes,all_reduce_ms",
    )
