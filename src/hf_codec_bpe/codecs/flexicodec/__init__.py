"""FlexiCodec (Li et al. 2025), whose frames are merged where speech is alike.

Read in the order of the signal: `features.py` and `sensevoice.py` (what is said), `merging.py`
(which frames belong together), `aggregator.py` over `transformer.py` (one vector per group),
`convnext.py` and `fsq.py` (the semantic code), and `modeling_flexicodec.py`, which puts them
together with DAC's encoder, quantizer and decoder.
"""
