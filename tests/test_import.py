"""Importing: light, and registered in every order. Each case has a process of its own."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import hf_codec_bpe
from hf_codec_bpe import CodecBPEProcessor

OURS, THEIRS = "import hf_codec_bpe", "from transformers import AutoProcessor"
ORDERS = [(OURS, THEIRS), (THEIRS, OURS), ("import transformers", OURS, THEIRS)]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def saved(processor: CodecBPEProcessor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    processor.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("code", ["import hf_codec_bpe", "from hf_codec_bpe.cli import main"])
def test_importing_is_light(code: str) -> None:
    heavy = "{'torch', 'datasets', 'transformers', 'numpy'} & set(sys.modules)"
    assert run(f"import sys; {code}; print({heavy})") == "set()"


@pytest.mark.parametrize("family", ["flexicodec", "funcodec", "simvq", "wavtokenizer"])
def test_the_models_of_our_own_are_imported_from_their_packages(family: str) -> None:
    package = import_module(f"hf_codec_bpe.codecs.{family}")
    config, model, convert, *_ = (getattr(package, name) for name in package.__all__)
    assert model.config_class is config
    assert convert.__name__ == f"convert_{family}_checkpoint"
    assert set(package.__all__) <= set(dir(package))


def test_help_is_light() -> None:
    code = (
        "import sys\nfrom hf_codec_bpe.cli import main\n"
        "sys.argv = ['hf-codec-bpe', '{}', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('heavy:', {{'torch', 'datasets', 'transformers'}} & set(sys.modules))"
    )
    for command in ("demo", "encode", "decode", "train", "pack", "stats", "presets", "convert"):
        assert run(code.format(command)).endswith("heavy: set()")


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_every_order_of_imports_registers(order: tuple[str, ...], saved: Path) -> None:
    code = "\n".join([*order, f"print(type(AutoProcessor.from_pretrained({str(saved)!r})))"])
    assert run(code) == "<class 'hf_codec_bpe.processing_codec_bpe.CodecBPEProcessor'>"


@pytest.mark.parametrize("name", ["EncodecConfig", "DacModel", "MimiModel", "LlamaForCausalLM"])
def test_transformers_models_are_imported_as_ever(name: str) -> None:
    code = f"import hf_codec_bpe; from transformers import {name}; print({name}.__name__)"
    assert run(code) == name


@pytest.mark.parametrize("auto", ["AutoTokenizer", "AutoFeatureExtractor"])
def test_the_other_auto_classes_in_a_fresh_process(auto: str, saved: Path) -> None:
    ours_first = f"import hf_codec_bpe; from transformers import {auto}"
    theirs_first = f"from transformers import {auto}; import hf_codec_bpe"
    show = f"print(type({auto}.from_pretrained({str(saved)!r})).__name__)"
    name = "CodecBPETokenizer" if auto == "AutoTokenizer" else "EncodecFeatureExtractor"
    assert run(f"{ours_first}; {show}") == run(f"{theirs_first}; {show}") == name


@pytest.mark.parametrize("module", ["processing_auto", "tokenization_auto", "configuration_auto"])
def test_importing_while_transformers_is_half_imported(module: str, saved: Path) -> None:
    in_another_thread = (
        "import sys, threading, time\n"
        "def theirs():\n    from transformers import AutoProcessor\n"
        "thread = threading.Thread(target=theirs); thread.start()\n"
        f"while 'transformers.models.auto.{module}' not in sys.modules: time.sleep(1e-4)\n"
        "import hf_codec_bpe, hf_codec_bpe.codecs\n"
        "thread.join()\n"
        "from transformers import AutoProcessor\n"
        f"print(type(AutoProcessor.from_pretrained({str(saved)!r})).__name__)"
    )
    assert run(in_another_thread) == "CodecBPEProcessor"
    nested = (
        "import sys\n"
        "from importlib.abc import MetaPathFinder\n"
        "class Meddler(MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if 'transformers.models.auto.{module}' in sys.modules:\n"
        "            sys.meta_path.remove(self)\n"
        "            import hf_codec_bpe\n"
        "sys.meta_path.insert(0, Meddler())\n"
        "from transformers import AutoProcessor\n"
        f"print(type(AutoProcessor.from_pretrained({str(saved)!r})).__name__)"
    )
    assert run(nested) == "CodecBPEProcessor"


def test_importing_twice_registers_once() -> None:
    code = (
        "import sys, hf_codec_bpe\n"
        "from hf_codec_bpe._registration import register_with_transformers as again\n"
        "again(); again()\n"
        "print(sum('hf_codec_bpe' in type(finder).__module__ for finder in sys.meta_path))"
    )
    assert run(code) == "1"


def test_without_the_plugin_the_tokenizer_is_a_plain_fast_one(
    saved: Path, processor: CodecBPEProcessor
) -> None:
    text = processor.tokenizer.alphabet.to_text([[1, 2], [3, 4], [5, 6], [7, 8]])
    code = (
        "from transformers import AutoTokenizer\n"
        f"tokenizer = AutoTokenizer.from_pretrained({str(saved)!r})\n"
        f"print(type(tokenizer).__module__.split('.')[0], tokenizer({text!r})['input_ids'])"
    )
    assert run(code) == f"transformers {processor.tokenizer(text)['input_ids']}"


def test_public_names() -> None:
    code = (
        "import hf_codec_bpe, hf_codec_bpe.codecs\n"
        "for package in (hf_codec_bpe, hf_codec_bpe.codecs):\n"
        "    assert set(package.__all__) <= set(dir(package))\n"
        "    print([name for name in package.__all__ if getattr(package, name) is None])"
    )
    assert run(code) == "[]\n[]"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = hf_codec_bpe.nonsense
