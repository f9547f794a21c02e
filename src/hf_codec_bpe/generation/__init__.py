"""Language models that speak: audio that always decodes, and sound while it is being generated.

```python
from threading import Thread

from hf_codec_bpe import AudioGrammarLogitsProcessor, AudioStreamer

inputs = processor(text="Say hello: <|audio_start|>", return_tensors="pt")
max_length = inputs["input_ids"].shape[1] + 500
grammar = AudioGrammarLogitsProcessor.of(processor, max_length=max_length)
streamer = AudioStreamer.of(processor, skip_prompt=True)
options = {"max_length": max_length, "logits_processor": [grammar], "streamer": streamer}
Thread(target=model.generate, kwargs={**inputs, **options}).start()
for samples in streamer:  # as soon as they are final
    play(samples, processor.codec.output_sampling_rate)
```

`tables.py` says which token may follow which, and `grammar.py` applies it to a model's scores;
`clip_stream.py` decodes a clip in chunks, and `streamer.py` finds clips among the tokens.
"""

from __future__ import annotations

from .grammar import AudioGrammarLogitsProcessor
from .streamer import AudioStreamer

__all__ = ["AudioGrammarLogitsProcessor", "AudioStreamer"]
