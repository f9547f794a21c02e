"""Teaching a language model's tokenizer and embeddings the vocabulary of a codec.

`alphabets` says which characters belong to which codec, `codec_part` takes a codec tokenizer
apart, `backend` writes its parts into a base (`byte_level` and `sentencepiece` know the two kinds),
`tokenizer` puts it together, and `files` makes it load alike everywhere. `compositions` and
`model` give the new tokens embeddings: torch is imported there alone.
"""
