"""Cards: what a repository holds, how to load it, and what was measured.

All figures come from a `CompressionReport`, a `CodecReport` or the thing itself; nothing is copied
from elsewhere. Our part stands between two marks. A card that is there already keeps everything
else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from ..codec_vocabulary import CodecVocabulary
from ..codecs.pin import CodecPin
from ..codecs.registry import merges_frames
from ..evaluation.codec_figures import CodecReport, compression_of
from ..evaluation.codec_table import codec_notes, quality_rows
from ..evaluation.compression_figures import CompressionReport
from ..presets import find_preset
from ..tokenization_codec_bpe import CodecBPETokenizer

__all__ = ["BEGIN", "END", "make_card", "update_card"]

BEGIN = "<!-- hf-codec-bpe: begin -->"
END = "<!-- hf-codec-bpe: end -->"

_TEMPLATE = Path(__file__).parent / "card_template.md"
_TAGS = ("audio", "codec-bpe", "neural-audio-codec")


def make_card(
    thing: Any,
    repo_id: str,
    *,
    report: CompressionReport | CodecReport | None = None,
    datasets: Sequence[str] = (),
    tags: Sequence[str] = (),
    picture: str | None = None,
) -> ModelCard:
    """A card for a processor or a tokenizer.

    Args:
        thing: A `CodecBPEProcessor`, a `CodecBPETokenizer`, or an extended tokenizer.
        repo_id: Where it goes.
        report: What was measured on a held-out set: with `codec_report`, of the codec too.
        datasets: Hub ids of the datasets that the tokenizer was trained on.
        tags: More tags.
        picture: The file in the repository that shows the lengths of tokens.
    """
    pin: CodecPin | None = getattr(thing, "codec_pin", None)
    vocabulary: CodecVocabulary = getattr(thing, "vocabulary", None) or CodecVocabulary.of(thing)
    name = repo_id.split("/")[-1]
    data = ModelCardData(
        library_name="hf-codec-bpe",
        tags=list(dict.fromkeys([*_TAGS, *([pin.family] if pin else []), *tags])),
        pipeline_tag="audio-to-audio" if pin else None,
        base_model=_hub_id(pin),
        license=_licence(pin),
        datasets=list(datasets) or None,
        model_name=name,
    )
    return ModelCard.from_template(
        data,
        template_str=_TEMPLATE.read_text(encoding="utf-8"),
        title=name,
        summary=_summary(vocabulary, pin),
        snippet=_snippet(repo_id, pin),
        details=_table("What it is", _details(vocabulary, pin, thing)),
        measured=_measured(report, picture),
    )


def update_card(existing: str, ours: str) -> str:
    """Puts our part into a card, in place of an older one or at its end.

    The existing card's metadata stay; keys that it lacks and tags are added.

    Args:
        existing: The repository's card.
        ours: What `make_card` made, as text.
    """
    card, made = ModelCard(existing), ModelCard(ours)
    data: Any = card.data
    theirs, fresh = data.to_dict(), made.data.to_dict()
    for key, value in fresh.items():
        if theirs.get(key) is None:
            setattr(data, key, value)
    tags = [*(theirs.get("tags") or []), *(fresh.get("tags") or [])]
    data.tags = list(dict.fromkeys(tags))
    part = _between(made.text)
    if BEGIN in card.text and END in card.text:
        card.text = card.text.replace(_between(card.text), part)
    else:
        card.text = f"{card.text.rstrip()}\n\n{part}\n"
    return str(card)


def _between(text: str) -> str:
    return text[text.index(BEGIN) : text.index(END) + len(END)]


def _hub_id(pin: CodecPin | None) -> str | None:
    """The codec's repository; for a preset, the one that its originals are in."""
    if pin is None or pin.name_or_path is None:
        return None
    preset = find_preset(pin.name_or_path)
    return preset.hub_id if preset else pin.name_or_path


def _licence(pin: CodecPin | None) -> str | None:
    preset = find_preset(pin.name_or_path) if pin and pin.name_or_path else None
    return preset.license if preset else None


def _summary(vocabulary: CodecVocabulary, pin: CodecPin | None) -> str:
    codec = f" of the {pin.family} codec" if pin else ""
    if isinstance(vocabulary.tokenizer, CodecBPETokenizer):
        return (
            "Turns audio into tokens that a language model can read and write: Codec BPE over the "
            f"codes{codec}."
        )
    return (
        f"A language model's tokenizer that knows the codes{codec} too: every text keeps its ids, "
        "and audio is merged natively by Codec BPE."
    )


def _snippet(repo_id: str, pin: CodecPin | None) -> str:
    if pin is None:
        return (
            "import hf_codec_bpe\nfrom transformers import AutoTokenizer\n\n"
            f'tokenizer = AutoTokenizer.from_pretrained("{repo_id}")'
        )
    return (
        "import hf_codec_bpe\nfrom transformers import AutoProcessor\n\n"
        f'processor = AutoProcessor.from_pretrained("{repo_id}")\n'
        'ids = processor(audio="speech.flac")["input_ids"]\n'
        "waveforms = processor.decode_audio(ids)"
    )


def _details(
    vocabulary: CodecVocabulary, pin: CodecPin | None, thing: Any
) -> Iterable[tuple[str, str]]:
    if pin is not None:
        beside = f"in `codec/`, weights `{pin.fingerprint}`"
        yield "Codec", beside if pin.is_beside else f"`{pin.name_or_path}` at `{pin.revision}`"
        yield "Licence of the codec", _licence(pin) or "not known here: see where it comes from"
        yield "Sampling rate", f"{pin.sampling_rate} Hz in, {pin.output_sampling_rate} Hz out"
        yield "Frames per second", f"{pin.frame_rate:g}"
        yield "Chunks", _chunks(thing)
        for name, value in pin.settings.items():
            yield name, f"{value}"
    alphabet = vocabulary.alphabet
    yield "Codebooks", ", ".join(map(str, alphabet.codebook_sizes))
    yield "Characters of codes", f"from U+{alphabet.unicode_offset:X}"
    yield "Audio tokens", f"{len(vocabulary.texts):,}"
    training = vocabulary.training
    if training:
        yield "Trained on", _trained_on(training, pin)
        yield "Settings", _settings(training)


def _chunks(thing: Any) -> str:
    if thing.chunk_seconds is None:
        return "none: clips are encoded whole"
    return f"{thing.chunk_seconds:g} s, in windows of {thing.context_seconds:g} s"


def _settings(training: dict[str, Any]) -> str:
    ngrams, chunk = training["max_token_codebook_ngrams"], training["chunk_frames"]
    if ngrams == 0:
        return "one token for every code, and no merges"
    longest = "any number of" if ngrams is None else f"at most {ngrams}"
    return (
        f"vocabulary {training['vocab_size']:,}, tokens of {longest} frames' worth of codes, "
        f"minimum frequency {training['min_frequency']}, "
        + (f"chunks of {chunk} frames" if chunk else "clips not cut into chunks")
    )


def _trained_on(training: dict[str, Any], pin: CodecPin | None) -> str:
    size = f"{training['num_clips']:,} clips, {training['num_frames']:,} frames"
    if pin is None or merges_frames(pin.family):
        return size
    return f"{size} ({training['num_frames'] / pin.frame_rate / 3600:.2f} hours)"


def _measured(report: CompressionReport | CodecReport | None, picture: str | None) -> str:
    if report is None:
        return (
            "## Measured\n\nNothing yet. `hf-codec-bpe push` and `push_to_hub` measure on held-out "
            "audio when they are given some."
        )
    parts = []
    compression = compression_of(report)
    if compression is not None:
        parts.append(_table("Measured", _compression_rows(compression)))
        parts.append(
            f"![How many codes tokens hold]({picture})" if picture else _lengths(compression)
        )
    if isinstance(report, CodecReport):
        parts.append(_table("Reconstruction", _reconstruction_rows(report)))
        parts.append("\n".join(f"- {note}" for note in codec_notes(report)))
    return "\n\n".join(parts)


def _reconstruction_rows(report: CodecReport) -> Iterable[tuple[str, str]]:
    yield "Clips", f"{report.name}: {len(report.clips):,}, {report.seconds:,.1f} s"
    yield from quality_rows(report).items()


def _compression_rows(report: CompressionReport) -> Iterable[tuple[str, str]]:
    yield "Held-out set", f"{report.name}: {report.num_clips:,} clips, {report.seconds:,.1f} s"
    yield "Tokens per second", f"{report.tokens_per_second:.2f}"
    yield "Without BPE", f"{report.codes_per_second:.2f} codes per second"
    yield "Compression", f"{report.compression:.3f} codes per token"
    yield "Vocabulary used", f"{report.coverage:.1%} of {report.vocabulary_size:,} tokens"
    yield "Round trip", f"exact for all {report.num_clips:,} clips"


def _lengths(report: CompressionReport) -> str:
    """The histogram of token lengths in words, where no picture can be drawn."""
    total = sum(report.token_lengths.values())
    rows = [(str(n), f"{count / total:.1%}") for n, count in sorted(report.token_lengths.items())]
    return _rows(("Codes in a token", "Share of tokens"), rows)


def _table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    return f"## {title}\n\n{_rows(('', ''), rows)}"


def _rows(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    lines = [head, ("---", "---"), *rows]
    return "\n".join(f"| {left} | {_escaped(right)} |" for left, right in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
