"""`encode_dataset` on a Ray cluster; needs Ray, the extra `ray`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CodesError, MissingDependencyError, first_line
from ..named_paths import named_path
from ..shard_files import encoding_errors
from .audio_files import EXTENSIONS
from .encode_dataset import EncodingSummary, check_shard_size
from .encoding_progress import Progress
from .packed_codec import PackedCodec
from .shard_encoder import ATTEMPTS_FOLDER, ShardEncoder, ShardJob
from .shard_encoding import ShardFolder, ShardPlan
from .source_encoding import GPU_WORKERS, EncodingOptions
from .sources import Source, open_sources

if TYPE_CHECKING:
    from ..codecs import AudioCodec

__all__ = ["encode_dataset"]


def encode_dataset(
    source: Any,
    out: str | os.PathLike[str],
    codec: AudioCodec,
    *,
    address: str | None = None,
    num_cpus: float = 1,
    num_gpus: float = 0,
    concurrency: int | None = None,
    per_channel: bool = False,
    batch_size: int = 8,
    chunk_seconds: float | None = 30.0,
    context_seconds: float = 0.0,
    shard_size: int = 256,
    retry_errors: bool = False,
    overwrite: bool = False,
    extensions: Sequence[str] = EXTENSIONS,
    audio_filter: str | Sequence[str] | None = None,
    audio_column: str = "audio",
    id_column: str | None = None,
    sampling_rate: int | None = None,
    num_workers: int | None = None,
    show_progress: bool = True,
) -> EncodingSummary:
    """Encodes a corpus on a cluster: `hf_codec_bpe.encode_dataset` over Ray Data.

    Actors, each with a codec of its own, make one shard at a time. The folder, byte for byte, is
    that of one machine, and either goes on where the other stopped. When a process or a node dies,
    Ray gives the shard that it was making to another; when the caller dies, run the same again:
    what is finished stays.

    Audio, `out` and the current folder must be on a file system that every node has at the same
    path, as must the Arrow files of a dataset. Every actor loads a codec from the Hub itself; the
    files of any other codec travel through Ray's object store.

    Args:
        source: As on one machine, but not a streamed dataset. So are all arguments that are not
            listed here; see `hf_codec_bpe.encode_dataset`.
        out: The folder to write to.
        codec: The codec; its own device does not matter.
        address: Of the cluster, for `ray.init`: `"auto"`, `"local"`, `"host:port"`. By default the
            one that this process is connected to, or that Ray finds, or one of this machine alone.
        num_cpus: How many CPUs an actor has, and how many threads.
        num_gpus: GPUs per actor; a fraction is allowed. If any, the codec runs on it.
        concurrency: How many actors; by default as many as the cluster has room for now.
        shard_size: Clips in a shard, which is also what an actor is given at a time.
        num_workers: How many threads of an actor read; by default as many as it has CPUs, or 8
            for a GPU.
        show_progress: Show a progress bar, which grows by whole shards.

    Raises:
        MissingDependencyError: Ray is not installed.
        CodesError: As on one machine. Or a streamed dataset, a cluster without room for an actor,
            or a shard over which processes die again and again.
        CodesFileError: As on one machine. Or a node does not have the folders.
        CodecError: As on one machine. Or an actor cannot load the codec.
        AudioError: There is nothing to encode.

    Example:
        ```python
        from hf_codec_bpe.data.ray import encode_dataset

        codec = load_codec("mimi", num_codebooks=8)
        encode_dataset("/shared/recordings", "/shared/codes", codec, address="auto", num_gpus=1)
        ```
    """
    _require_ray()
    check_shard_size(shard_size)
    actors = _Actors(num_cpus, num_gpus, concurrency)
    actors.check()
    if num_workers is None:
        num_workers = GPU_WORKERS if num_gpus else max(1, int(num_cpus))
    options = EncodingOptions(
        per_channel, batch_size, chunk_seconds, context_seconds, sampling_rate, num_workers
    )
    options.check(codec)
    sources = open_sources(
        source,
        extensions=extensions,
        audio_filter=audio_filter,
        audio_column=audio_column,
        id_column=id_column,
    )
    if sources.num_sources is None:
        raise CodesError(
            "A streamed dataset can only be read from its start, which no cluster makes "
            "faster: pass files, a manifest or a datasets.Dataset."
        )
    plan = ShardPlan(sources, shard_size, num_shards=1, shard_index=0)
    folder = ShardFolder.begin(named_path(out), plan, codec, options)
    kept = folder.kept(plan, retry_errors, overwrite)
    if plan.num_sources(kept):
        _connect(address)
    with _no_attempts(folder.path), Progress(show_progress, plan.num_sources(kept)) as progress:
        for outcome in _outcomes(plan.read(kept), codec, folder, options, actors):
            progress.add(**outcome)
    folder.sweep(plan.indices)
    return EncodingSummary(progress.num_encoded, progress.seconds, len(kept), encoding_errors(out))


@dataclass(frozen=True)
class _Actors:
    """What actors there are to be; see `encode_dataset`."""

    num_cpus: float
    num_gpus: float
    concurrency: int | None

    def check(self) -> None:
        """Refuses impossible numbers.

        Raises:
            CodesError: No actors, or actors without a CPU or a GPU.
        """
        if min(self.num_cpus, self.num_gpus) < 0 or not self.num_cpus + self.num_gpus:
            raise CodesError(
                f"num_cpus={self.num_cpus:g} and num_gpus={self.num_gpus:g} are no actor: give it "
                "a part of one of them."
            )
        if self.concurrency is not None and self.concurrency < 1:
            raise CodesError(f"concurrency={self.concurrency} is not possible: pass 1 or more.")

    def count(self) -> int:
        """How many: as many as were asked for, or as there is room for.

        Raises:
            CodesError: The cluster has no room for an actor.
        """
        import ray

        if self.concurrency is not None:
            return self.concurrency
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        room = sum(map(self._room, nodes))
        if not room:
            raise CodesError(
                f"No node of the cluster has num_cpus={self.num_cpus:g} and num_gpus="
                f"{self.num_gpus:g} for an actor: ask for less, or, where nodes come on demand, "
                "say by concurrency how many actors are to be."
            )
        return room

    def _room(self, node: Mapping[str, float]) -> int:
        needed = {"CPU": self.num_cpus, "GPU": self.num_gpus}
        return min(int(node.get(kind, 0) / amount) for kind, amount in needed.items() if amount)


def _outcomes(
    shards: Iterable[tuple[int, Iterable[Source]]],
    codec: AudioCodec,
    folder: ShardFolder,
    options: EncodingOptions,
    actors: _Actors,
) -> Iterator[dict[str, Any]]:
    """Makes shards, and says of each, in any order, what was counted.

    Raises:
        CodecBPEError: As an actor raised it.
    """
    import ray.data
    from ray import cloudpickle

    rows = [{"index": index, "clips": cloudpickle.dumps(clips)} for index, clips in shards]
    if not rows:
        return
    # A block is what an actor is given, and what another one gets when that dies.
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
    dataset.context.enable_progress_bars = False  # there is ours
    dataset.context.print_on_execution_start = False
    dataset.context.execution_no_progress_timeout_s = -1  # a shard may take hours
    device = "cuda" if actors.num_gpus else "cpu"
    job = ShardJob(ray.put(PackedCodec.of(codec)), device, folder, options, os.getcwd())
    outcomes = dataset.map_batches(
        ShardEncoder,
        fn_constructor_args=(job,),
        batch_size=1,
        batch_format="pyarrow",
        num_cpus=actors.num_cpus,
        num_gpus=actors.num_gpus,
        compute=ray.data.ActorPoolStrategy(
            size=min(actors.count(), len(rows)), max_tasks_in_flight_per_actor=1
        ),
    )
    finished: Any = iter(outcomes.iter_rows())
    with closing(finished):  # and with it the actors
        for outcome in finished:
            if error := outcome.pop("error"):
                raise cloudpickle.loads(error)
            yield outcome


def _connect(address: str | None) -> None:
    import ray

    if address is None and ray.is_initialized():
        return
    try:
        ray.init(address)
    except (ConnectionError, ValueError) as error:
        raise CodesError(
            f"There is no Ray cluster at {address!r} ({first_line(error)}): start one with `ray "
            "start --head`, or pass 'local' for this machine alone."
        ) from error


@contextmanager
def _no_attempts(folder: Path) -> Iterator[None]:
    """Forgets what was begun and not finished, by earlier runs and by this one."""
    shutil.rmtree(folder / ATTEMPTS_FOLDER, ignore_errors=True)
    try:
        yield
    finally:
        shutil.rmtree(folder / ATTEMPTS_FOLDER, ignore_errors=True)


def _require_ray() -> None:
    if find_spec("ray") is None:
        raise MissingDependencyError(
            "Encoding on a cluster needs Ray: pip install 'hf-codec-bpe[ray]'."
        )
